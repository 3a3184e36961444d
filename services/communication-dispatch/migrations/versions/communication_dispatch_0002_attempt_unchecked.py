"""attempts are written from their message's own row: checking the reference again cost more than the write."""

from alembic import op

revision = 'communication_dispatch_0002'
down_revision = 'communication_dispatch_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint('fk_attempt_tenant_id_message_id', 'attempt', type_='foreignkey')


def downgrade() -> None:
    op.create_foreign_key(
        'fk_attempt_tenant_id_message_id',
        'attempt',
        'message',
        ['tenant_id', 'message_id'],
        ['tenant_id', 'id'],
        ondelete='CASCADE',
    )
