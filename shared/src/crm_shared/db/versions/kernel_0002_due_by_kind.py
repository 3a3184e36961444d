"""due work by tenant and kind."""

from alembic import op
revision = 'kernel_0002'
down_revision = 'kernel_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.build_index('ix_due_tenant_id_kind_due_at', 'due', ['tenant_id', 'kind', 'due_at'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_due_tenant_id_kind_due_at', table_name='due')
