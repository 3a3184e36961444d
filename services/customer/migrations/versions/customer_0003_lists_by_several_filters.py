"""lists by several filters."""

from alembic import op

revision = 'customer_0003'
down_revision = 'customer_0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.build_index('ix_customer_filters', 'customer', ['tenant_id', 'status', 'kind', 'category', 'language', 'country', 'source', 'owner', 'id'], unique=False)
    op.build_index('ix_customer_name', 'customer', ['tenant_id', 'name_folded', 'id'], unique=False, postgresql_include=['status', 'kind', 'category', 'language', 'country', 'source'])
    op.drop_index('ix_customer_name_folded', table_name='customer')


def downgrade() -> None:
    op.create_index('ix_customer_name_folded', 'customer', ['tenant_id', 'name_folded', 'id'], unique=False)
    op.drop_index('ix_customer_name', table_name='customer')
    op.drop_index('ix_customer_filters', table_name='customer')
