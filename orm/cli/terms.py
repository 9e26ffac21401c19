"""What databases tell of constraints and indexes, taken apart: terms, options, and what models have no word for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orm.wording import Told, column_name, listed, tokens

_KNOWN: Final = ("include", "nulls", "where", "deferrable")
_NO_CLASSES: Final = ("desc", "asc", "nulls", "collate", "with")
"""Words behind a column that are no operator classes."""


@dataclass(frozen=True)
class Term:
    """A term of an index or a constraint.

    Attributes:
        sql: all of it, as the database tells it, without the operator.
        column: the column that it is; `None` for an expression.
        descending: its order.
        nulls: where NULLs are, if it is said.
        operator_class: of an index on PostgreSQL, if it is said.
        operator: by which an exclusion constraint compares it.
    """

    sql: str
    column: str | None = None
    descending: bool = False
    nulls: str | None = None
    operator_class: str | None = None
    operator: str | None = None


@dataclass(frozen=True)
class Rule:
    """A constraint or an index.

    Attributes:
        name: its name, if it has one.
        told: what the database tells.
        terms: what it is over.
        method: its access method, but for the usual one.
        options: what else it has, in SQL.
    """

    name: str | None
    told: Told
    terms: tuple[Term, ...]
    method: str | None
    options: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns, if all its terms are columns in the usual order."""
        names = [term.column for term in self.terms if term.column and term == Term(term.sql, term.column)]
        return tuple(names) if len(names) == len(self.terms) else ()

    @property
    def unknown(self) -> dict[str, str]:
        """What models have no word for."""
        return {name: sql for name, sql in self.options.items() if name not in _KNOWN}

    @property
    def is_plain(self) -> bool:
        """Whether it has columns alone."""
        return bool(self.columns) and self.method is None and not self.options and not self.told.nulls_equal


def rule_of(name: str, told: Told, columns: Sequence[str]) -> Rule:
    """A constraint or an index as its parts."""
    parts = told.parts()
    method = parts.method if told.kind == "exclude" or parts.method != "btree" else None
    options = {key: sql for key, sql in parts.options.items() if key != "using"}
    if told.prefix:
        method = told.prefix.lower()
    by_name = {**{column.lower(): column for column in columns}, **{column: column for column in columns}}
    terms = [_term(sql, told, by_name) for sql in listed(parts.terms)]
    return Rule(name, told, tuple(terms), method, options)


def _term(sql: str, told: Told, columns: Mapping[str, str]) -> Term:
    operator: str | None = None
    if told.kind == "exclude":
        sql, _, operator = sql.rpartition(" WITH ")
    words = [word for _, word, _ in tokens(sql, escapes=told.escapes)]
    column, rest = columns.get(column_name(sql)), words[1:]
    operator_class = rest.pop(0) if rest and _is_class(rest[0], told) else None
    descending = rest[:1] == ["desc"]
    rest = rest[1:] if rest[:1] in (["desc"], ["asc"]) else rest
    nulls = rest[1] if len(rest) == 2 and rest[0] == "nulls" else None
    if column is None or (rest and nulls is None):
        return Term(sql, operator=operator)
    return Term(sql, column, descending, nulls, operator_class, operator)


def _is_class(word: str, told: Told) -> bool:
    """Whether a word behind a column names an operator class."""
    return word not in _NO_CLASSES and word.isidentifier() and not told.escapes
