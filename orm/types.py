"""The column types of our fields, for SQLAlchemy: what a value is on each database.

Plain SQLAlchemy types serve where they already mean the same everywhere (`BigInteger`, `Boolean`, `Date`, `Uuid`).
The others are decorators with one meaning: a value comes back equal to what went in, and sorts and compares in the
database as it does in Python.
"""

from __future__ import annotations

import enum
import ipaddress
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal as PythonDecimal
from typing import Any, Final, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from orm.engines import engine_name
from orm.exceptions import DataError, NotSupportedError

# SQLite keeps decimals as 8-byte floats, which hold 15 significant decimal digits exactly (IEEE 754 binary64).
_SQLITE_DECIMAL_DIGITS = 15
_MICROSECOND = timedelta(microseconds=1)
_LABEL_BYTES = 63


class Processor(Protocol):
    """Turns a value into another one."""

    def __call__(self, value: Any) -> Any: ...


def each(process: Processor) -> Processor:
    """Turns each item of a list into another one."""
    return lambda value: None if value is None else [process(item) for item in value]


dumps: Final[Callable[[Any], str]] = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode
"""A JSON value as text, the same for equal values: sorted, and without escapes, since SQLite and MariaDB compare keys
as they are written."""


def collation(dialect: Dialect) -> str:
    """Compares by code point, trailing spaces included; the servers' default ignores case, accents and those spaces."""
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


class String(TypeDecorator[str]):
    """Text of a limited length, compared by code point."""

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "mysql":
            return mysql.VARCHAR(self.length, collation=collation(dialect))
        return self.impl_instance


class Text(TypeDecorator[str]):
    """Text of any length, compared by code point."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "mysql":
            return mysql.LONGTEXT(collation=collation(dialect))
        return self.impl_instance


class Binary(TypeDecorator[bytes]):
    """Bytes of any length."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "mysql":
            return mysql.LONGBLOB()
        return self.impl_instance


class DateTime(TypeDecorator[datetime]):
    """A moment in time: aware values, given back in UTC; or, with `timezone=False`, naive ones as they are."""

    impl = sa.DateTime
    cache_ok = True

    def __init__(self, timezone: bool = True) -> None:
        super().__init__(timezone=timezone)
        self.timezone = timezone

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "mysql":
            return mysql.DATETIME(fsp=6)
        return sa.DateTime(timezone=self.timezone)

    def bind_processor(self, dialect: Dialect) -> Processor | None:
        return None if dialect.name == "postgresql" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if (value.tzinfo is None) is self.timezone:
            wanted = "an aware datetime" if self.timezone else "a naive datetime"
            raise DataError(f"The column takes {wanted}, not {value!r}.")
        if not self.timezone:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or not self.timezone:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value


class Time(TypeDecorator[Any]):
    """A time of day, to the microsecond."""

    impl = sa.Time
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "mysql":
            return mysql.TIME(fsp=6)
        return sa.Time()


class Duration(TypeDecorator[timedelta]):
    """A length of time: INTERVAL on PostgreSQL, a number of microseconds elsewhere."""

    impl = sa.Interval
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return postgresql.INTERVAL()
        return sa.BigInteger()

    def bind_processor(self, dialect: Dialect) -> Processor | None:
        if dialect.name == "postgresql":
            return None
        return lambda value: None if value is None else value // _MICROSECOND

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        if dialect.name == "postgresql":
            return None
        return lambda value: None if value is None else timedelta(microseconds=round(value))  # averages have fractions


class Decimal(TypeDecorator[PythonDecimal]):
    """An exact decimal number.

    Raises `NotSupportedError` on SQLite for more than 15 digits, which it could not keep exactly.
    """

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            if self.precision > _SQLITE_DECIMAL_DIGITS:
                raise NotSupportedError(
                    f"SQLite cannot hold a decimal of {self.precision} digits exactly. "
                    f"Declare at most {_SQLITE_DECIMAL_DIGITS} (max_digits), or use an integer of the smallest unit."
                )
            return sa.Numeric(self.precision, self.scale, asdecimal=False)
        return sa.Numeric(self.precision, self.scale)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        if dialect.name != "sqlite":
            return None  # the drivers give decimals
        form = f"%.{self.scale}f"
        return lambda value: None if value is None else PythonDecimal(form % value)


class WholeNumber(TypeDecorator[int]):
    """A whole number that is computed: drivers give some sums as decimals."""

    impl = sa.BigInteger
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        return lambda value: None if value is None else int(value)


class RealNumber(TypeDecorator[float]):
    """A number with a fraction that is computed: drivers give some as decimals."""

    impl = sa.Double
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        return lambda value: None if value is None else float(value)


class AnyDecimal(TypeDecorator[PythonDecimal]):
    """A decimal number that is computed, with `scale` decimal places if that many are exact.

    SQLite computes with 8-byte floats: a value with a known scale is rounded to it, another one is as exact as a float.
    """

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, scale: int | None = None) -> None:
        super().__init__()
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return sa.Numeric(asdecimal=False) if dialect.name == "sqlite" else sa.Numeric()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        scale = self.scale

        def process(value: Any) -> PythonDecimal | None:
            if value is None or isinstance(value, PythonDecimal):
                return value
            return PythonDecimal(f"{value:.{scale}f}" if scale is not None else repr(value))

        return process


class _NamedEnum(sa.Enum):
    """What SQLAlchemy makes PostgreSQL's type of, with the tables that have it; not again where it is there already."""

    def _on_table_create(self, target: Any, bind: Any, **options: Any) -> None:
        if isinstance(bind, sa.Connection):  # a revision that makes a table, and others made the type before it
            options["checkfirst"] = True
        super()._on_table_create(target, bind, **options)  # type: ignore[misc,unused-ignore]


class TextEnum(TypeDecorator[str]):
    """One of some texts: a type with a name on PostgreSQL, ENUM on MySQL and MariaDB, VARCHAR on SQLite.

    Raises `NotSupportedError` on PostgreSQL for a text of more than 63 bytes, which its types do not hold, and on MySQL
    for one that ends in a space, which would be cut off.
    """

    impl = _NamedEnum
    cache_ok = True

    def __init__(self, values: Sequence[str], name: str) -> None:
        super().__init__(*values, name=name)
        self.values = tuple(values)
        self.name = name

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            self._refuse(dialect, [value for value in self.values if len(value.encode()) > _LABEL_BYTES])
            return self.impl_instance
        if dialect.name == "mysql":
            self._refuse(dialect, [value for value in self.values if value.endswith(" ")])
            return mysql.ENUM(*self.values, collation=collation(dialect))
        return sa.String(max(map(len, self.values)))

    def _refuse(self, dialect: Dialect, values: list[str]) -> None:
        if values:
            raise NotSupportedError(
                f"{engine_name(dialect)} cannot have {values[0]!r} in the enumeration {self.name!r}. With native=False "
                "its values are kept as VARCHAR."
            )


class Enum(TypeDecorator[enum.Enum]):
    """A member of an enumeration, kept as its value: a text or a whole number.

    Attributes:
        kept: the column type of the value.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, members: type[enum.Enum], name: str | None = None) -> None:
        super().__init__()
        values = [member.value for member in members]
        self.members = members
        self.name = name
        self.numbers = all(isinstance(value, int) for value in values)
        self.kept: TypeEngine[Any]
        if self.numbers:
            self.kept = sa.BigInteger()
        elif name is not None:
            self.kept = TextEnum(values, name)
        else:
            self.kept = String(max((len(str(value)) for value in values), default=1))
        self.impl = cast("Any", self.kept)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return self.kept.dialect_impl(dialect)

    def process_bind_param(self, value: enum.Enum | None, dialect: Dialect) -> Any:
        return value.value if isinstance(value, enum.Enum) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> enum.Enum | None:
        return None if value is None else self.members(value)


class CustomType(TypeDecorator[Any]):
    """Values of any Python type, in a column of another type.

    Attributes:
        column: the column type.
        to_database: gives what the column holds; `None` where that is the value itself.
        from_database: makes a value of what the column holds.
    """

    impl = sa.types.NullType
    cache_ok = True

    def __init__(
        self,
        column: TypeEngine[Any],
        to_database: Callable[[Any], Any] | None,
        from_database: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__()
        self.column = column
        self.to_database = to_database
        self.from_database = from_database
        self.impl = cast("Any", column)

    def written(self, value: Any) -> Any:
        """What the column holds of a value."""
        return value if self.to_database is None else self.to_database(value)

    def read(self, value: Any) -> Any:
        """The value that the column holds as this."""
        return value if self.from_database is None else self.from_database(value)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return self.column

    def bind_processor(self, dialect: Dialect) -> Processor | None:
        return _both(self.to_database, self.column.dialect_impl(dialect).bind_processor(dialect))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        return _both(self.column.dialect_impl(dialect).result_processor(dialect, coltype), self.from_database)


def _both(first: Callable[[Any], Any] | None, second: Callable[[Any], Any] | None) -> Processor | None:
    """One after the other, but not for NULL."""
    if first is None and second is None:
        return None

    def process(value: Any) -> Any:
        if value is None:
            return None
        kept = value if first is None else first(value)
        return kept if second is None else second(kept)

    return process


class IPAddress(TypeDecorator[Any]):
    """An IPv4 or IPv6 address: INET on PostgreSQL, its usual spelling elsewhere."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return postgresql.INET() if dialect.name == "postgresql" else sa.String(39)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return ipaddress.ip_address(value) if isinstance(value, str) else value


class JSON(TypeDecorator[Any]):
    """Any JSON value: JSONB on PostgreSQL, JSON elsewhere. `None` is SQL's NULL where the column may be null."""

    impl = sa.JSON
    cache_ok = True

    def __init__(self, none_as_null: bool = True) -> None:
        super().__init__(none_as_null=none_as_null)
        self.none_as_null = none_as_null

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kept = postgresql.JSONB if dialect.name == "postgresql" else sa.JSON
        return kept(none_as_null=self.none_as_null)

    def bind_processor(self, dialect: Dialect) -> Processor | None:
        null = None if self.none_as_null else "null"
        return lambda value: null if value is None else dumps(value)


def operand_type(kind: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    """The type of a parameter that is compared with a column: a cast to the column's own would round it first."""
    return sa.Numeric() if isinstance(kind, (Decimal, AnyDecimal)) and dialect.name == "postgresql" else kind


def big_auto() -> TypeEngine[Any]:
    """The type of a 64-bit generated key; SQLite generates keys for INTEGER alone, which has 64 bits there."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def bind_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    """The function that turns a value into what the driver takes, or `None` where it takes it as it is."""
    return kind.dialect_impl(dialect).bind_processor(dialect)


def result_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    """The function that turns what the driver gives into a value, or `None` where it gives it already."""
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def sql_name(kind: TypeEngine[Any], dialect: Dialect) -> str:
    """The type's name in SQL, as in CREATE TABLE."""
    return kind.compile(dialect=dialect)
