"""the vendors' part of a trace beside an event, and the trace that an operation was asked for in."""

import sqlalchemy as sa
from alembic import op
revision = 'kernel_0003'
down_revision = 'kernel_0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('outbox', sa.Column('tracestate', sa.Text(), nullable=True))
    op.add_column('operation', sa.Column('traceparent', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('operation', 'traceparent')
    op.drop_column('outbox', 'tracestate')
