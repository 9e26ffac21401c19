"""What tables a database has: everything that its inspector, and what that leaves out, tell of them, to be compared."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Inspector

Snapshot = dict[str, dict[str, Any]]

_CONSTRAINTS = "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = :name ::regclass"
_INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = :name AND schemaname = current_schema()"
_ENUMS = (
    "SELECT t.typname || ' ' || string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_type t "
    "JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname"
)


def snapshot(connection: sa.Connection) -> Snapshot:
    """Every table but Alembic's, without the order of its columns and constraints."""
    inspector = sa.inspect(connection)
    tables = [name for name in inspector.get_table_names() if not name.startswith("alembic")]
    found = {name: _table(connection, inspector, name) for name in tables}
    if connection.dialect.name == "postgresql":
        found["(enumerations)"] = {"types": sorted(connection.execute(sa.text(_ENUMS)).scalars())}
    return found


def _table(connection: sa.Connection, inspector: Inspector, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"columns": sorted(_column(item, connection) for item in inspector.get_columns(name))}
    if connection.dialect.name == "mysql":  # its own words have everything
        made = connection.exec_driver_sql(f"SHOW CREATE TABLE `{name}`").fetchall()[0][1]
        made = made.replace(" ON DELETE NO ACTION", "")  # what it does anyway
        found["words"] = sorted(re.sub(r" AUTO_INCREMENT=\d+", "", made).replace(",\n", "\n").split("\n"))
        return found
    if connection.dialect.name == "postgresql":
        bound = {"name": f'"{name}"'}
        found["constraints"] = sorted(connection.execute(sa.text(_CONSTRAINTS), bound).scalars())
        found["indexes"] = sorted(connection.execute(sa.text(_INDEXES), {"name": name}).scalars())
        found["comment"] = inspector.get_table_comment(name)["text"]
        return found
    words = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name AND sql IS NOT NULL"
    found["indexes"] = sorted(
        " ".join(sql.replace('"', "").split()) for sql in connection.execute(sa.text(words), {"name": name}).scalars()
    )
    found["key"] = (inspector.get_pk_constraint(name)["name"], inspector.get_pk_constraint(name)["constrained_columns"])
    found["keys"] = sorted(repr(sorted(item.items())) for item in map(dict, inspector.get_foreign_keys(name)))
    found["unique"] = sorted((str(u["name"]), u["column_names"]) for u in inspector.get_unique_constraints(name))
    found["checks"] = sorted((str(c["name"]), c["sqltext"]) for c in inspector.get_check_constraints(name))
    found["automatic"] = bool(
        connection.scalar(
            sa.text("SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE name = :name"), {"name": name}
        )
    )
    return found


def _column(item: Any, connection: sa.Connection) -> tuple[str, ...]:
    default = item["default"]
    if connection.dialect.name == "sqlite" and default is not None:
        default = re.sub(r"^\((.*)\)$", r"\1", default)
    words = [item["name"], item["type"].compile(connection.dialect), f"null {item['nullable']}", f"default {default}"]
    return (*words, f"computed {item.get('computed')}", f"comment {item.get('comment')}")


def differences(found: Snapshot, wanted: Snapshot) -> list[str]:
    """In what two snapshots differ, in lines for people."""
    lines: list[str] = []
    for table in sorted({*found, *wanted}):
        for what in sorted({*found.get(table, {}), *wanted.get(table, {})}):
            is_, should = found.get(table, {}).get(what), wanted.get(table, {}).get(what)
            if isinstance(is_, list) and isinstance(should, list):
                lines += [f"{table}: {item} is there" for item in is_ if item not in should]
                lines += [f"{table}: {item} is missing" for item in should if item not in is_]
            elif is_ != should:
                lines.append(f"{table}: {what} is {is_}, not {should}")
    return lines
