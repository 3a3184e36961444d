"""agents by name."""

from alembic import op

revision = 'contact_center_0002'
down_revision = 'contact_center_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.build_index('ix_agent_name', 'agent', ['tenant_id', 'name', 'id'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_agent_name', table_name='agent')
