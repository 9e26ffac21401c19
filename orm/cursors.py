"""Pages by cursor: rows after, or before, the values of the row at a page's edge (keysets). Pure.

A cursor holds the values that the query is ordered by, of one row. The rows after it are found by a condition on
those values, so a page costs the same wherever it is, and rows that come or go elsewhere do not move it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Generic, Literal, NoReturn, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa

from orm import types
from orm.annotating import filtered, order_of_groups
from orm.conditions import Constant, Leaf, Lookup, kind_of, negate, simplify
from orm.exceptions import FieldError, InvalidCursor, ValidationError
from orm.expressions import Annotation, Clause, Condition, Expression, Ordering, Reference, Tree
from orm.functions.math import Random
from orm.hierarchy import without_steps
from orm.instances import schema_of
from orm.loader import Loader, row_loader
from orm.operators import OPERATORS
from orm.query import Node, Path, Query, Selection, walk
from orm.references import intern, parts_of
from orm.schema import Schema

T = TypeVar("T")
Nulls = Literal["first", "last"] | None
Secret = str | bytes | None

_MICROSECOND: Final = timedelta(microseconds=1)
_SIGNATURE_BYTES: Final = hashlib.sha256().digest_size
_FINGERPRINT_BYTES: Final = 12
_OTHER_PLACE: Final[Mapping[Nulls, Nulls]] = {"first": "last", "last": "first", None: None}


@dataclass(frozen=True)
class CursorPage(Generic[T]):
    """One page of `cursor_paginate()`: iterate over it, or take its `items`.

    Attributes:
        items: what is on the page.
        has_next: whether there is a page after this one.
        has_previous: whether there is a page before this one.
        next_cursor: what the next page is asked for with (`after=`), or `None` without one.
        previous_cursor: what the previous page is asked for with (`before=`), or `None` without one.
    """

    items: list[T]
    has_next: bool
    has_previous: bool
    next_cursor: str | None
    previous_cursor: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<CursorPage: {len(self.items)} items, next {self.has_next}, previous {self.has_previous}>"


# ---------------------------------------------------------------- the values in a cursor


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value of one kind is written in JSON."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _exactly(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{kind.__name__} expected")
        return value

    return check


def _plain_decimal(value: Any) -> Decimal:
    """A decimal from plain digits: `1E+999999` would be a number of a million digits."""
    if not value.removeprefix("-").replace(".", "", 1).isdecimal():
        raise ValueError("digits expected")
    return Decimal(value)


_CODECS: Final[Mapping[str, Codec]] = {
    "text": Codec(str, _exactly(str)),
    "integer": Codec(int, _exactly(int)),
    "float": Codec(float, _exactly(float)),
    "boolean": Codec(bool, _exactly(bool)),
    "decimal": Codec(lambda value: format(value, "f"), _plain_decimal),
    "date": Codec(date.isoformat, date.fromisoformat),
    "datetime": Codec(datetime.isoformat, datetime.fromisoformat),
    "naive_datetime": Codec(datetime.isoformat, datetime.fromisoformat),
    "time": Codec(time.isoformat, time.fromisoformat),
    "duration": Codec(lambda value: value // _MICROSECOND, lambda value: timedelta(microseconds=_exactly(int)(value))),
    "uuid": Codec(lambda value: value.hex, lambda value: UUID(hex=value)),
    "ip": Codec(str, lambda value: ipaddress.ip_address(_exactly(str)(value))),
    "binary": Codec(
        lambda value: base64.b64encode(value).decode(), lambda value: base64.b64decode(value, validate=True)
    ),
}


def _codec(by: Expression) -> Codec | None:
    """How the values of an expression are written; `None` for a kind that has no order."""
    kind = kind_of(by)
    if kind == "enum":
        members = cast("types.Enum", by.output.type).members
        return Codec(lambda member: member.value, members)
    found, made = _CODECS.get(kind), by.output.type
    if found is not None and isinstance(made, types.CustomType):
        return Codec(lambda value: found.encode(made.written(value)), lambda written: made.read(found.decode(written)))
    return found


# ---------------------------------------------------------------- the order


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One term of an order, in its direction.

    Attributes:
        by: a column, or an annotation.
        nulls: where its NULLs are; `None` where there are none.
        codec: how its values are written in a cursor.
    """

    by: Expression
    descending: bool
    nulls: Nulls
    codec: Codec

    def __repr__(self) -> str:
        node = self.by.parts[0] if isinstance(self.by, Annotation) else self.by
        return f"{node!r}:{kind_of(node)}:{self.descending}:{self.nulls}"

    def reversed(self) -> Term:
        """The same in the opposite direction."""
        return replace(self, descending=not self.descending, nulls=_OTHER_PLACE[self.nulls])

    def ordering(self, engine: str) -> Ordering:
        """The term of ORDER BY. Where NULLs go is only said where the engine would put them elsewhere, since an index
        serves only the engine's own order."""
        nulls = None if self.nulls == _own_place(engine, self.descending) else self.nulls
        return Ordering(self.by, descending=self.descending, nulls=nulls)

    def check(self, value: Any) -> Any:
        """A value from a cursor. Raises `ValidationError` when it is none of the column's."""
        return self._lookup("gt").check(value)

    def beyond(self, value: Any) -> Condition:
        """The rows that this term alone puts after a value."""
        if value is None:
            return negate(self._missing()) if self.nulls == "first" else Constant(False)
        further = Leaf(self._lookup("lt" if self.descending else "gt"), (value,))
        return simplify("or", [further, self._missing()]) if self.nulls == "last" else further

    def equal(self, value: Any) -> Condition:
        """The rows with this value."""
        return self._missing() if value is None else Leaf(self._lookup("exact"), (value,))

    def bound(self, value: Any) -> Condition | None:
        """The rows from this value on, where one comparison says it: what an index can start at."""
        if value is None or self.nulls == "last":
            return None
        return Leaf(self._lookup("lte" if self.descending else "gte"), (value,))

    def _missing(self) -> Condition:
        return Leaf(self._lookup("isnull"), ())

    def _lookup(self, operator: str) -> Lookup:
        # Not `checked_lookup`: every database orders booleans, bytes and members, too, though filters do not.
        return Lookup(self.by, OPERATORS[operator])


Keyset = tuple[Term, ...]


def _own_place(engine: str, descending: bool) -> Nulls:
    """Where an engine puts NULLs unless it is told: they are the greatest values on PostgreSQL, the least elsewhere."""
    return "last" if (engine == "postgresql") is not descending else "first"


def keyset(query: Query, engine: str) -> Keyset:
    """What a query is ordered by, and what tells equal rows apart: the key, or all that groups have in common.

    Raises:
        FieldError: something in the order has values that have no order.
    """
    own = order_of_groups(query)
    terms: dict[Node, Term] = {}
    descending = False
    for number, node in enumerate(_plain(query.order or ())):
        term = _term(query, node, number, engine)
        descending = term.descending
        terms.setdefault(term.by, term)
        if query.groups is None and all(key.parts[0] in terms for key in own):
            break
    for number, ordering in enumerate(own, len(terms)):
        if ordering.parts[0] not in terms:
            term = _term(query, Ordering(ordering.parts[0], descending=descending), number, engine)
            terms[term.by] = term
    return tuple(terms.values())


def _plain(order: Sequence[Node]) -> list[Ordering]:
    """The terms of an order, those by a key of several fields one by one."""
    terms = [cast("Ordering", term) for term in order]
    return [
        Ordering(part, descending=term.descending, nulls=cast("Any", term.nulls))
        for term in terms
        for part in parts_of(term.parts[0])
    ]


def _term(query: Query, node: Ordering, number: int, engine: str) -> Term:
    schema, by = query.schema, node.parts[0]
    if isinstance(by, Clause) and isinstance(by.element, sa.Column) and by.element.table is schema.table:
        spec = schema.fields.get(by.element.key)
        by = by if spec is None else intern(schema, (), spec)
    if any(isinstance(part, Random) for part in walk(by)):
        _refuse(by, "it has another value each time")
    if not (isinstance(by, (Reference, Annotation)) or any(by is key for key in query.groups or ())):
        by = Annotation(f"_cursor_{number}", by)
    found: Expression = cast("Any", by)
    codec = _codec(found)
    if codec is None:
        _refuse(node.parts[0], f"values of the kind {kind_of(found)!r} have no order that is the same everywhere")
    nulls = (cast("Any", node.nulls) or _own_place(engine, node.descending)) if found.output.null else None
    return Term(found, node.descending, nulls, codec)


def _refuse(by: Node, why: str) -> NoReturn:
    raise FieldError(f"cursor_paginate() cannot order by {by!r}: {why}. Order by something else, or use paginate().")


def seek(terms: Keyset, values: Sequence[Any], *, inclusive: bool) -> Condition:
    """The rows after these values; with `inclusive` the row that has them, too."""
    last = len(terms) - 1
    found: Condition = terms[last].beyond(values[last])
    if inclusive:
        found = simplify("or", [found, terms[last].equal(values[last])])
    for term, value in zip(terms[-2::-1], values[-2::-1], strict=True):
        found = simplify("or", [term.beyond(value), simplify("and", [term.equal(value), found])])
    bound = terms[0].bound(values[0]) if last else None
    return found if bound is None else Tree("and", (bound, found))


# ---------------------------------------------------------------- cursors


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order: just beyond the row with these values, or just on its near side if `inclusive`."""

    values: tuple[Any, ...]
    inclusive: bool = False


def fingerprint(schema: Schema, terms: Keyset) -> str:
    """What a model and an ordering are told by; the kinds of the values are part of it."""
    text = "\n".join([schema.name, schema.tablename, *map(repr, terms)])
    return _text(hashlib.sha256(text.encode()).digest()[:_FINGERPRINT_BYTES])


def written(schema: Schema, terms: Keyset, position: Position, secret: Secret) -> str:
    """The cursor of a position, signed if there is a secret."""
    values = [
        None if value is None else term.codec.encode(value) for term, value in zip(terms, position.values, strict=True)
    ]
    payload = json.dumps([fingerprint(schema, terms), position.inclusive, *values], separators=(",", ":")).encode()
    return _text(payload + _signature(payload, secret) if secret is not None else payload)


def read(schema: Schema, terms: Keyset, cursor: object, secret: Secret) -> Position:
    """The position that a cursor means.

    Raises:
        InvalidCursor: it is malformed, changed, unsigned although there is a secret, or of another model or ordering.
    """
    payload = _payload(cursor, secret)
    try:
        content = json.loads(payload)
        mark, inclusive, *written_values = content
    except (ValueError, TypeError, RecursionError):
        raise _malformed() from None
    if mark != fingerprint(schema, terms):
        raise InvalidCursor(
            "The cursor belongs to another model or ordering. A cursor continues the query that it came from; "
            "begin without one."
        )
    if type(inclusive) is not bool or len(written_values) != len(terms):
        raise _malformed()
    values = tuple([_value(term, value) for term, value in zip(terms, written_values, strict=True)])
    return Position(values, inclusive)


def _value(term: Term, value: Any) -> Any:
    if value is None:
        if term.nulls is None:
            raise _malformed()
        return None
    try:
        return term.check(term.codec.decode(value))
    except (ValueError, TypeError, AttributeError, ArithmeticError, ValidationError):
        raise _malformed() from None


def _payload(cursor: object, secret: Secret) -> bytes:
    """What a cursor says, if it is one and its signature is right."""
    if not isinstance(cursor, str):
        raise InvalidCursor(f"A cursor is the text that a page gave, not {type(cursor).__name__}.")
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise _malformed() from None
    if _text(content) != cursor:  # another spelling of the same bytes
        raise _malformed()
    if secret is None:
        return content
    payload, signature = content[:-_SIGNATURE_BYTES], content[-_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(payload, secret)):
        raise InvalidCursor(
            "The cursor is not signed with this secret: it was changed, or made without the secret. Begin without one."
        )
    return payload


def _malformed() -> InvalidCursor:
    return InvalidCursor(
        "The cursor is malformed. Give the next_cursor or previous_cursor of a page as it was, and the same secret."
    )


def _signature(payload: bytes, secret: str | bytes) -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.digest(key, b"orm cursor\n" + payload, "sha256")


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _checked_secret(secret: object) -> Secret:
    if secret is not None and not (isinstance(secret, (str, bytes)) and secret):
        raise ValidationError.single("secret", "secret is a text or bytes that are not empty.", None)
    return secret


# ---------------------------------------------------------------- the page


@dataclass(frozen=True)
class Window:
    """One page to be read: `query` reads its rows and one more, `page` makes the page of them.

    Attributes:
        asked: the query as the user gave it.
        position: where the page begins, or ends if it is read backwards; `None` for the first page.
    """

    asked: Query
    terms: Keyset
    query: Query
    per_page: int
    position: Position | None
    backwards: bool
    secret: Secret

    def page(self, rows: list[Any]) -> CursorPage[Any]:
        """The page of the rows that `query` gave."""
        more = len(rows) > self.per_page
        rows = rows[: self.per_page]
        if self.backwards:
            rows.reverse()
        has_next = more or self.backwards
        has_previous = more if self.backwards else self.position is not None
        next_cursor = self._cursor(rows[-1:]) if has_next else None
        previous_cursor = self._cursor(rows[:1]) if has_previous else None
        items = self._stripped(rows)
        return CursorPage(items, has_next, has_previous, next_cursor, previous_cursor)

    def _stripped(self, rows: list[Any]) -> list[Any]:
        """The rows without what was only read for the cursor."""
        if self.asked.columns is not None:
            return _stripped(self.asked, rows)
        for node in self.query.added[len(self.asked.added) :]:
            for row in rows:
                del row.__dict__[repr(node)]
        return rows

    def _cursor(self, edge: list[Any]) -> str:
        """The cursor of a row at the edge; an empty page begins and ends at its position, seen from the other side."""
        if edge:
            position = Position(self._values(edge[0]))
        else:
            begun = cast("Position", self.position)
            position = Position(begun.values, not begun.inclusive)
        return written(self.asked.schema, self.terms, position, self.secret)

    def _values(self, row: Any) -> tuple[Any, ...]:
        columns = self.query.columns
        if columns is None:
            return tuple([_attribute(row, term.by) for term in self.terms])
        return tuple([row[_index(columns, term.by)] for term in self.terms])


def window(
    asked: Query, engine: str, after: str | None, before: str | None, per_page: int, secret: str | bytes | None
) -> Window:
    """The page after or before a cursor, or the first one.

    Raises:
        FieldError: the query has no keyset.
        InvalidCursor: the cursor is none of this query's.
    """
    if after is not None and before is not None:
        raise ValidationError.single("before", "A page is after one cursor or before one. Give one of them.", before)
    key = _checked_secret(secret)
    terms = keyset(asked, engine)
    cursor = after if before is None else before
    position = None if cursor is None else read(asked.schema, terms, cursor, key)
    backwards = before is not None
    direction = tuple([term.reversed() for term in terms]) if backwards else terms
    query = _reading(asked, [term.by for term in terms])
    query.order = tuple([term.ordering(engine) for term in direction])
    query.limit = min(per_page + 1, 2**63 - 1)
    if position is not None:
        query = filtered(query, seek(direction, position.values, inclusive=position.inclusive))
    return Window(asked, terms, query, per_page, position, backwards, key)


def _reading(asked: Query, needed: Sequence[Expression]) -> Query:
    """A copy of the query that reads what is needed, too."""
    selection, columns = asked.selection, asked.columns
    if columns is None:
        extra = [node for node in needed if isinstance(node, Annotation) and not _is_among(node, asked.added)]
        references: list[Reference] = [node for node in needed if isinstance(node, Reference)]
        return asked.replace(
            selection=_reading_instances(selection, references),
            added=(*asked.added, *extra),
            annotations={**asked.annotations, **{node.name: node for node in extra}},
        )
    if selection.distinct:
        raise FieldError(
            "cursor_paginate() reads the key of each row, with which all rows are distinct. "
            "Leave out distinct(), or read instances, or use paginate()."
        )
    added = [node for node in needed if not _is_among(node, columns)]
    names = (*selection.names, *map(repr, added))
    return asked.replace(
        columns=(*columns, *added), selection=replace(selection, form="tuple", names=names, target=None)
    )


def _is_among(node: Node, nodes: Sequence[Node]) -> bool:
    return any(one is node for one in nodes)


def _reading_instances(selection: Selection, needed: Sequence[Reference]) -> Selection:
    related: dict[Path, None] = dict.fromkeys(selection.related)
    only, deferred = set(selection.only), set(selection.deferred)
    for reference in needed:
        whole = without_steps(reference.path)
        if whole and not any(path[: len(whole)] == whole for path in related):
            related[whole] = None
        word = repr(reference)
        prefix = word.removesuffix(reference.spec.name)
        deferred.discard(word)
        if any(name.startswith(prefix) and "__" not in name.removeprefix(prefix) for name in only):
            only.add(word)
    return replace(selection, related=tuple(related), only=frozenset(only), deferred=frozenset(deferred))


def _attribute(instance: Any, by: Expression) -> Any:
    """A column of an instance, or of one that it refers to, or an annotation; `None` where there is none."""
    if not isinstance(by, Reference):
        return instance.__dict__[repr(by)]
    reference: Reference = cast("Any", by)
    for hop in reference.path:
        instance = instance if hop.is_step else getattr(instance, hop.name)
        if instance is None:
            return None
    name = reference.spec.name
    return getattr(instance, name) if name in schema_of(instance).fields else None  # a field of other rows


def _index(columns: tuple[Node, ...], by: Node) -> int:
    return next(index for index, column in enumerate(columns) if column is by)


def _stripped(asked: Query, rows: list[Any]) -> list[Any]:
    """Rows of the form that was asked for, without the columns that were only read for the cursor."""
    load = _loader(asked.selection, asked.schema.name)
    count = len(asked.selection.names)
    return load([row[:count] for row in rows], None)


@lru_cache
def _loader(selection: Selection, model: str) -> Loader:
    """What makes rows of values that are converted already."""
    names = selection.names
    return row_loader(selection.form, names, [None] * len(names), model, selection.target)
