"""Give every book a slug, made from its title: a change of the table and of its data.

Revision 0002, after 0001.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

import orm.types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The table as it is at this revision, and no more of it than is needed: the model may look different one day.
book = sa.table("book", sa.column("id", sa.BigInteger()), sa.column("title"), sa.column("slug"))


def upgrade() -> None:
    op.add_column("book", sa.Column("slug", orm.types.String(length=200), nullable=True))
    connection = op.get_bind()
    for key, title in connection.execute(sa.select(book.c.id, book.c.title)).all():
        connection.execute(sa.update(book).where(book.c.id == key).values(slug=slug(title)))
    with op.batch_alter_table("book") as batch:
        batch.alter_column("slug", existing_type=orm.types.String(length=200), nullable=False)
        batch.create_index(batch.f("ix_book_slug"), ["slug"])


def downgrade() -> None:
    with op.batch_alter_table("book") as batch:
        batch.drop_index(batch.f("ix_book_slug"))
        batch.drop_column("slug")


def slug(title: str) -> str:
    """`The Left Hand of Darkness` is `the-left-hand-of-darkness`."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower())) or "untitled"
