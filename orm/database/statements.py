"""From what people write (Core statements, DDL, text) to SQL and values in the form that a driver takes."""

from __future__ import annotations

import enum
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.util import find_tables
from sqlalchemy.types import TypeEngine

from orm.database.interfaces import Table
from orm.database.rows import Row, Shape, positions
from orm.database.texts import Template, Words, classify, read
from orm.exceptions import DataError, Error, InterfaceError, NotSupportedError, ProgrammingError

Query = ClauseElement | str
Values = Mapping[str, Any]
Processor = Callable[[Any], Any]

CACHE_SIZE = 500
"""How many statements of each kind are kept compiled."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is known about a statement before it is run; it also tells observers what it is.

    Attributes:
        operation: `select`, `insert`, …: the first word.
        tables: the tables it names, as far as they are known.
        summary: one line for people.
        write: only a connection that may write can run it.
        gives_rows: it answers with rows.
        touches: it may change the state of the session.
        inserts: it is an INSERT, so the last row's generated key is its own.
        hidden_key: its RETURNING is not the user's: the first column is the generated key.
        temporary: the name of the temporary object it makes, or `None`.
        columns: what the compiler knows of its result, or `None`.
        shapes: the shapes of its results, by the columns' names.
    """

    operation: str
    tables: tuple[str, ...]
    summary: str
    write: bool
    gives_rows: bool
    touches: bool
    inserts: bool
    hidden_key: bool = False
    temporary: str | None = None
    columns: Sequence[Any] | None = None
    dialect: Dialect | None = None
    shapes: dict[tuple[str, ...], Shape] = field(default_factory=dict[tuple[str, ...], Shape])

    def rows(self, table: Table) -> list[Row]:
        """The driver's rows as ours, their values as the columns' types say."""
        shape = self.shapes.get(table.names)
        if shape is None:
            shape = self.shapes[table.names] = self._shape(table.names)
        return [shape.row(row) for row in table.rows]

    def known_names(self) -> tuple[str, ...]:
        """The names of the columns that the compiler knows of."""
        return tuple([str(column.keyname) for column in self.columns or ()])

    def _shape(self, names: tuple[str, ...]) -> Shape:
        columns = self.columns
        if columns is None or self.dialect is None:
            return Shape.of(names)
        if len(columns) == len(names):
            names = self.known_names()
            ordered = list(columns)
        else:  # text among the columns: what has a type is found by its name
            by_name = {column.name: column for column in columns}
            ordered = [by_name.get(name) for name in names]
        found = positions(names)
        processors: list[tuple[int, Processor]] = []
        for position, column in enumerate(ordered):
            if column is None:
                continue
            for key in column.objects:
                found.setdefault(key, position)
            processor = result_processor(column.type, self.dialect)
            if processor is not None:
                processors.append((position, processor))
        return Shape(names, found, tuple(processors))


V = TypeVar("V")


class Cache(OrderedDict[Any, V]):
    """A mapping that forgets what was not used for the longest time."""

    def get(self, key: Any, default: Any = None) -> Any:
        """What is kept under a key, which so becomes the one used last."""
        value = super().get(key, default)
        if value is not default:
            self.move_to_end(key)
        return value

    def __setitem__(self, key: Any, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > CACHE_SIZE:
            self.popitem(last=False)


class Bound(NamedTuple):
    """A statement with its values, ready for a connection."""

    statement: Statement
    sql: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class DefaultContext:
    """What a column's default function is given, under SQLAlchemy's names.

    Attributes:
        current_parameters: the statement's values so far, by parameter.
        names: the parameters of one row, by column, where the statement inserts several rows.
    """

    current_parameters: MutableMapping[str, Any]
    names: Mapping[str, str] | None = None

    def get_current_parameters(self, isolate_multiinsert_groups: bool = True) -> Mapping[str, Any]:
        """The values of the row so far, by column."""
        if self.names is None or not isolate_multiinsert_groups:
            return self.current_parameters
        return {column: self.current_parameters[name] for column, name in self.names.items()}


class Statements:
    """Compiles for one dialect and keeps what was compiled, by SQLAlchemy's cache key or by the text."""

    def __init__(self, dialect: Dialect, *, pgbouncer: bool = False) -> None:
        self._dialect = dialect
        self._pgbouncer = pgbouncer
        self._compiled = Cache[_Compiled]()
        self._texts = Cache[_Text]()
        self._processors: dict[type, Processor | None] = {}
        self._temporary: re.Pattern[str] | None = None

    def remember_temporary(self, name: str) -> None:
        """From now on, what names this temporary object is for the connection that writes, which alone has it."""
        known = f"{self._temporary.pattern}|" if self._temporary is not None else ""
        self._temporary = re.compile(rf"{known}\b{re.escape(name)}\b", re.IGNORECASE)
        self._compiled.clear()
        self._texts.clear()

    def _writes(self, words: Words, sql: str) -> bool:
        return not words.reads or (self._temporary is not None and self._temporary.search(sql) is not None)

    def bind(self, query: Query, values: Values | None = None) -> Bound:
        """Compile a statement, or find it compiled, and put its values in place.

        Raises:
            InterfaceError: what is given cannot be run, or the values are not the ones it needs.
            ProgrammingError: SQLAlchemy cannot compile it for this database.
            DataError: a value does not fit its column.
        """
        values = values or {}
        if isinstance(query, str):
            text = self._text(query)
            return Bound(text.statement, text.template.sql, self._text_arguments(text.template, values))
        if isinstance(query, ExecutableDDLElement):
            if values:
                raise InterfaceError("DDL takes no values.")
            return self._ddl(query)
        try:
            compiled, binds = self._core(query, tuple(sorted(values)))
            sql, arguments = compiled.bind(values, binds)
        except SQLAlchemyError as error:
            raise ProgrammingError(f"SQLAlchemy cannot compile the statement: {error}") from error
        return Bound(compiled.statement, sql, arguments)

    def bind_many(self, query: Query, values: Iterable[Values]) -> Bound:
        """The same for many sets of values, which all have the same names."""
        sets = list(values)
        names = set(sets[0]) if sets else set[str]()
        for position, one in enumerate(sets):
            if set(one) != names:
                raise InterfaceError(f"The values at position {position} have other names than the first ones.")
        if isinstance(query, str):
            text = self._text(query)
            return Bound(text.statement, text.template.sql, [self._text_arguments(text.template, one) for one in sets])
        try:
            compiled, binds = self._core(query, tuple(sorted(names)), many=True)
            bound = [compiled.bind(one, binds) for one in sets]
        except SQLAlchemyError as error:
            raise ProgrammingError(f"SQLAlchemy cannot compile the statement: {error}") from error
        if len({sql for sql, _ in bound}) > 1:
            raise NotSupportedError("A statement whose text depends on its values (IN) cannot run with many sets.")
        return Bound(compiled.statement, bound[0][0] if bound else "", [arguments for _, arguments in bound])

    # Text

    def _text(self, sql: str) -> _Text:
        text: _Text | None = self._texts.get(sql)
        if text is None:
            words = classify(sql)
            if self._pgbouncer and words.outlives:
                raise NotSupportedError(
                    f"{words.operation.upper()} changes the session, which through PgBouncer is not ours. "
                    "Use SET LOCAL, or set_config(…, true), in a transaction."
                )
            template = read(sql, self._dialect.name, self._dialect.paramstyle)
            statement = Statement(
                operation=words.operation,
                tables=(),
                summary=words.operation,
                write=self._writes(words, sql),
                gives_rows=words.gives_rows,
                touches=words.touches,
                inserts=words.operation in ("insert", "replace"),
                temporary=words.temporary,
            )
            text = self._texts[sql] = _Text(statement, template)
        return text

    def _text_arguments(self, template: Template, values: Values) -> Sequence[Any]:
        unknown = values.keys() - set(template.names)
        missing = set(template.names) - values.keys()
        if unknown or missing:
            _refuse_values(unknown, missing, template.names)
        return [self._in_drivers_form(name, values[name]) for name in template.names]

    def _in_drivers_form(self, name: str, value: Any) -> Any:
        """A value of a text parameter, which has no column: its Python type says what it is."""
        if isinstance(value, enum.Enum):
            value = value.value
        if value is None or self._dialect.name == "postgresql":
            return value  # asyncpg asks the server for the types
        if isinstance(value, datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)  # how aware datetimes are kept there
        kind = cast("type", type(value))
        if kind not in self._processors:
            self._processors[kind] = sa.literal(value).type.dialect_impl(self._dialect).bind_processor(self._dialect)
        processor = self._processors[kind]
        return value if processor is None else _processed(name, processor, value)

    # Core

    def _ddl(self, query: ExecutableDDLElement) -> Bound:
        try:
            sql = str(query.compile(dialect=self._dialect)).strip()
        except SQLAlchemyError as error:
            raise ProgrammingError(f"SQLAlchemy cannot compile the statement: {error}") from error
        words = classify(sql)
        touches = isinstance(query, sa.DDL) or words.temporary is not None
        statement = Statement(
            operation=words.operation,
            tables=(),
            summary=sql.split("(")[0].strip(),
            write=True,
            gives_rows=False,
            touches=touches,
            inserts=False,
            temporary=words.temporary,
        )
        return Bound(statement, sql, ())

    def _core(self, query: Query, names: tuple[str, ...], *, many: bool = False) -> tuple[_Compiled, Sequence[Any]]:
        """The compiled statement, and the values that this one has where the one compiled first had others."""
        if not isinstance(query, ClauseElement) or not isinstance(query, Executable):
            raise InterfaceError(f"Cannot run {type(query).__name__!r}. Give a Core statement, DDL, or SQL as text.")
        key = query._generate_cache_key()  # pyright: ignore[reportPrivateUsage]
        if key is None:
            return self._compile(query, None, names, many), ()
        identity = (key.key, names, many)
        compiled = self._compiled.get(identity)
        if compiled is None:
            compiled = self._compiled[identity] = self._compile(query, key, names, many)
        return compiled, key.bindparams

    def _compile(self, query: ClauseElement, key: Any, names: tuple[str, ...], many: bool) -> _Compiled:
        sqlalchemy: Any = query.compile(
            dialect=self._dialect, cache_key=key, column_keys=list(names), for_executemany=many
        )
        words = classify(sqlalchemy.string)
        found: list[Any] = find_tables(query, include_crud=True, check_columns=True)  # a literal column has none: None
        tables = tuple(sorted({str(table.name) for table in found if table is not None}))
        hidden = bool(sqlalchemy.implicit_returning)
        statement = Statement(
            operation=words.operation,
            tables=tables,
            summary=" ".join([words.operation, ", ".join(tables)]).strip(),
            write=isinstance(query, UpdateBase) or self._writes(words, sqlalchemy.string),
            gives_rows=bool(sqlalchemy._result_columns or words.gives_rows) and not hidden,
            touches=words.touches,
            inserts=isinstance(query, sa.Insert),
            hidden_key=hidden,
            columns=sqlalchemy._result_columns or None,
            dialect=self._dialect,
        )
        return _Compiled(statement, sqlalchemy, self._dialect)


@dataclass(frozen=True, slots=True)
class _Text:
    statement: Statement
    template: Template


class _Compiled:
    """A Core statement, compiled; binds the values of every statement with the same cache key."""

    __slots__ = ("_compiled", "_defaults", "_expands", "_keys", "_processors", "statement")

    def __init__(self, statement: Statement, compiled: SQLCompiler, dialect: Dialect) -> None:
        self.statement = statement
        self._compiled = compiled
        self._expands = bool(compiled.post_compile_params or compiled.literal_execute_params)
        self._keys = {bind.key for bind in compiled.bind_names}
        self._processors: dict[str, Any] = {}
        for bind, name in compiled.bind_names.items():
            processor = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if processor is not None:
                self._processors[name] = processor
        self._defaults = _defaults(compiled)

    def bind(self, values: Values, binds: Sequence[Any]) -> tuple[str, Sequence[Any]]:
        """The SQL and the values in the driver's order."""
        unknown = values.keys() - self._keys
        if unknown:
            _refuse_values(unknown, set(), sorted(self._keys))
        compiled = self._compiled
        parameters = compiled.construct_params(values, extracted_parameters=binds or None, escape_names=False)
        for name, default in self._defaults:
            parameters[name] = default(parameters)
        sql, processors = compiled.string, self._processors
        order: Sequence[str] = compiled.positiontup or ()
        if self._expands:
            expanded = compiled.construct_expanded_state(parameters, escape_names=False)
            sql, parameters, order = expanded.statement, dict(expanded.parameters), expanded.positiontup or ()
            processors = {**processors, **expanded.processors}
        arguments: list[Any] = []
        for name in order:
            processor = processors.get(name)
            value = parameters[name]
            arguments.append(value if processor is None else _processed(name, processor, value))
        return sql, arguments


def _defaults(compiled: SQLCompiler) -> list[tuple[str, Callable[[MutableMapping[str, Any]], Any]]]:
    """The columns' Python-side defaults that the statement leaves to us, by parameter."""
    if not (compiled.insert_prefetch or compiled.update_prefetch):
        return []
    name_of: Any = compiled._within_exec_param_key_getter  # pyright: ignore[reportPrivateUsage]
    found = [(column, column.default) for column in compiled.insert_prefetch or ()]
    found += [(column, column.onupdate) for column in compiled.update_prefetch or ()]
    return [(name_of(column), _default(column, default, _row_names(compiled, column))) for column, default in found]


def _row_names(compiled: SQLCompiler, column: Any) -> Mapping[str, str] | None:
    """The parameters of the row that a default is for, where VALUES has several rows."""
    state: Any = compiled.compile_state
    if not getattr(state, "_has_multi_parameters", False):
        return None
    row = column.index + 1 if column._is_multiparam_column else 0  # the first row's columns are the table's own
    return {key: f"{key}_m{row}" for key in state._dict_parameters}


def _default(column: Any, default: Any, names: Mapping[str, str] | None) -> Callable[[MutableMapping[str, Any]], Any]:
    if default is not None and default.is_scalar:
        return lambda parameters: default.arg
    if default is not None and default.is_callable:
        return lambda parameters: default.arg(DefaultContext(parameters, names))
    raise NotSupportedError(f"The default of {column.key!r} must be a value, a function, or computed by the server.")


def result_processor(type_: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    """What makes a driver's value the one that a column's type promises, or `None` when it is that already."""
    return type_.dialect_impl(dialect).result_processor(dialect, None)


def _processed(name: str, processor: Processor, value: Any) -> Any:
    try:
        return processor(value)
    except Error:
        raise
    except Exception as error:
        raise DataError(f"The value of {name!r} does not fit its column: {error}") from error


def _refuse_values(unknown: set[str], missing: set[str], names: Sequence[str]) -> None:
    if missing:
        needed = ", ".join(f":{name}" for name in sorted(missing))
        raise InterfaceError(f"The statement needs a value for {needed}.")
    choices = f"Choose from: {', '.join(dict.fromkeys(names))}." if names else "It takes none."
    raise InterfaceError(f"The statement has no parameter {', '.join(map(repr, sorted(unknown)))}. {choices}")
