"""words of names are keys."""

from alembic import op

revision = 'customer_0002'
down_revision = 'customer_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO contact_key (tenant_id, channel, folded, customer_id)
        SELECT DISTINCT tenant_id, 'name', word, id
        FROM customer CROSS JOIN LATERAL unnest(string_to_array(name_folded, ' ')) AS word
        WHERE word <> ''
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    op.execute("DELETE FROM contact_key WHERE channel = 'name'")
