"""`renamed_from`: a rename is written as a rename, on every database, and the rows stay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import orm
from tests.revising import Revising, revising


@pytest.fixture
def database(own_url: str) -> Iterator[Revising]:
    with revising(own_url) as made:
        yield made


def before() -> orm.Registry:
    models = orm.Registry()

    class Author(orm.Model):
        name = orm.String(max_length=50, unique=True)

        class Meta:
            registry = models

    class Book(orm.Model):
        name = orm.String(max_length=50, index=True, comment="the title", default=sa.text("'?'"))
        author = orm.ForeignKey("Author", on_delete=orm.CASCADE)
        price = orm.Integer(null=True)

        class Meta:
            registry = models
            constraints = [orm.UniqueConstraint("name", "author")]

    return models


def after() -> orm.Registry:
    models = orm.Registry()

    class Writer(orm.Model):
        key = orm.BigAutoField(renamed_from="id")
        full_name = orm.String(max_length=50, unique=True, renamed_from="name")

        class Meta:
            registry = models
            renamed_from = "author"

    class Book(orm.Model):
        title = orm.String(max_length=80, index=True, comment="the title", default=sa.text("'?'"), renamed_from="name")
        writer = orm.ForeignKey("Writer", on_delete=orm.CASCADE, renamed_from="author_id")
        price = orm.Integer(null=True)

        class Meta:
            registry = models
            constraints = [orm.UniqueConstraint("title", "writer")]

    return models


def fill(database: Revising) -> None:
    database.sql(
        "INSERT INTO author (name) VALUES ('Ada')",
        "INSERT INTO book (name, author_id, price) SELECT 'Notes', id, 3 FROM author",
    )


def names(database: Revising) -> dict[str, object]:
    """What has which name."""

    def work(connection: sa.Connection) -> dict[str, object]:
        inspector = sa.inspect(connection)
        found: dict[str, object] = {}
        for table in inspector.get_table_names():
            found[table] = (
                sorted(column["name"] for column in inspector.get_columns(table)),
                sorted(str(index["name"]) for index in inspector.get_indexes(table)),
                sorted(str(item["name"]) for item in inspector.get_unique_constraints(table)),
                sorted(str(item["name"]) for item in inspector.get_foreign_keys(table)),
            )
        return found

    return database.run(work)  # type: ignore[no-any-return]


def test_renames_keep_the_rows_and_go_back(database: Revising) -> None:
    old, new = before(), after()
    database.create_all(old)
    created = names(database)
    fill(database)
    revision = database.upgrade(new)
    print(revision.text)
    assert "op.rename_table('author', 'writer')" in revision.text
    assert "orm.operations.rename_column('book', 'name', 'title')" in revision.text
    assert "drop_column" not in revision.text
    assert "drop_table" not in revision.text
    assert "drop_index" not in revision.text
    assert database.sql("SELECT title, price, full_name FROM book JOIN writer ON writer.key = writer_id") == [
        ("Notes", 3, "Ada")
    ]
    assert database.write(new).empty, database.write(new).text
    renamed = names(database)
    database.sql("INSERT INTO writer (full_name) VALUES ('Bob')")  # its key is still made by the database
    database.downgrade(new, revision)
    assert names(database) == created
    assert database.sql("SELECT book.name, author.name FROM book JOIN author ON author.id = author_id") == [
        ("Notes", "Ada")
    ]
    database.upgrade(new, revision)
    assert names(database) == renamed
    database.run(lambda connection: new.metadata.drop_all(connection))
    database.create_all(new)
    assert names(database) == renamed


def priced(column: str, renamed_from: str | None = None) -> orm.Registry:
    """A column that a CHECK constraint and an index in another order are about."""
    models = orm.Registry()
    options = {} if renamed_from is None else {"renamed_from": renamed_from}

    class Show(orm.Model):
        id = orm.BigAutoField()
        locals()[column] = orm.Integer(**options)
        year = orm.Integer()

        class Meta:
            registry = models
            constraints = [orm.CheckConstraint(orm.F(column) < orm.F("year"), name="earlier")]
            indexes = [orm.Index(f"-{column}", name="latest")]

    return models


def test_a_column_with_a_check_is_renamed(database: Revising) -> None:
    old, new = priced("price"), priced("cost", "price")
    database.create_all(old)
    database.sql("INSERT INTO `show` (price, year) VALUES (1, 2)".replace("`", '"' if _is_ansi(database) else "`"))
    revision = database.upgrade(new)
    assert "drop_column" not in revision.text
    assert database.write(new).empty, database.write(new).text
    with pytest.raises(sa.exc.DBAPIError):
        database.sql("INSERT INTO `show` (cost, year) VALUES (3, 2)".replace("`", '"' if _is_ansi(database) else "`"))
    database.downgrade(new, revision)
    assert database.write(old).empty, database.write(old).text


def _is_ansi(database: Revising) -> bool:
    return database.connection.dialect.name != "mysql"


def test_once_it_is_done_the_option_does_nothing(database: Revising) -> None:
    new = after()
    database.create_all(new)
    assert database.write(new).empty


def test_a_rename_that_never_was_is_an_addition(database: Revising) -> None:
    database.create_all(priced("price"))
    assert "add_column" in database.write(priced("cost", "worth")).text


def test_contradictions_are_refused() -> None:
    models = orm.Registry()
    with pytest.raises(orm.FieldError, match=r"Show.cost is renamed_from='price', which is the column of Show.price"):

        class Show(orm.Model):
            price = orm.Integer()
            cost = orm.Integer(renamed_from="price")

            class Meta:
                registry = models

    with pytest.raises(orm.FieldError, match=r"Show.price is renamed_from='price', which is its own column"):

        class Show(orm.Model):  # type: ignore[no-redef]
            price = orm.Integer(renamed_from="price")

            class Meta:
                registry = models

    with pytest.raises(orm.FieldError, match=r"Show.b and Show.a are both renamed_from='price'"):

        class Show(orm.Model):  # type: ignore[no-redef]
            a = orm.Integer(renamed_from="price")
            b = orm.Integer(renamed_from="price")

            class Meta:
                registry = models

    with pytest.raises(orm.FieldError, match=r"Show.Meta.renamed_from is 'show', the name that its table has now"):

        class Show(orm.Model):  # type: ignore[no-redef]
            class Meta:
                registry = models
                renamed_from = "show"

    with pytest.raises(orm.FieldError, match=r"Show.Meta.renamed_from is a text, not 3"):

        class Show(orm.Model):  # type: ignore[no-redef]
            class Meta:
                registry = models
                renamed_from = 3


def test_two_tables_do_not_come_from_one(database: Revising) -> None:
    old, new = orm.Registry(), orm.Registry()

    class Song(orm.Model):
        class Meta:
            registry = old

    class Track(orm.Model):
        class Meta:
            registry = new
            renamed_from = "song"

    class Tune(orm.Model):
        class Meta:
            registry = new
            renamed_from = "song"

    database.create_all(old)
    with pytest.raises(orm.FieldError, match="Two tables are renamed_from='song': 'track' and 'tune'"):
        database.write(new)
