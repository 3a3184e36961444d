"""the words of names."""

import sqlalchemy as sa
from alembic import op

revision = 'customer_0004'
down_revision = 'customer_0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('name_word',
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('word', sa.Text(collation='C'), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'word', name=op.f('pk_name_word')),
    info={'tenant': True, 'across': ()}
    )
    op.build_wall('name_word')
    op.execute("INSERT INTO name_word (tenant_id, word) SELECT DISTINCT tenant_id, folded FROM contact_key WHERE channel = 'name'")
    op.create_index('ix_name_word_word', 'name_word', ['word'], unique=False, postgresql_using='gin', postgresql_ops={'word': 'gin_trgm_ops'})


def downgrade() -> None:
    op.drop_table('name_word')
