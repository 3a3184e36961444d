"""tombstones of tenants that have left."""

import sqlalchemy as sa
from alembic import op
revision = 'kernel_0004'
down_revision = 'kernel_0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('departed',
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('purge_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('begun_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('purged_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', name=op.f('pk_departed'))
    )
    op.build_wall('departed', across=('SELECT',))


def downgrade() -> None:
    op.drop_table('departed')
