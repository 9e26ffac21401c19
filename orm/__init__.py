"""The async ORM with Django's vocabulary and SQLAlchemy Core underneath."""

from orm import postgresql, signals
from orm.aggregates import Avg, Count, Max, Min, StdDev, Sum, Variance
from orm.collecting import ArrayAgg, JSONAgg, StringAgg
from orm.columns import Column
from orm.compiled import CompiledQuery
from orm.conditions import Q
from orm.constraints import CheckConstraint, Index, UniqueConstraint
from orm.constructors import JSON, UUID, Binary, Boolean, Enum, IPAddress
from orm.cursors import CursorPage
from orm.custom import custom_field
from orm.database import Database
from orm.exceptions import (
    CheckViolation,
    CommitUnknown,
    ConnectionLost,
    DatabaseError,
    DataError,
    DeadlockDetected,
    DoesNotExist,
    Error,
    ExclusionViolation,
    FieldError,
    ForeignKeyViolation,
    IntegrityError,
    InterfaceError,
    InvalidCursor,
    LockTimeout,
    MultipleObjectsReturned,
    NotLoaded,
    NotNullViolation,
    NotSupportedError,
    OperationalError,
    PoolTimeout,
    ProgrammingError,
    QueryTimeout,
    SerializationFailure,
    StaleInstance,
    TransactionError,
    UniqueViolation,
    ValidationError,
)
from orm.expressions import Condition, Expression, F, Function, Ordering, Value
from orm.fields import Field
from orm.functions import Case, Cast, Coalesce, Func, When
from orm.generated import Generated
from orm.generickeys import GenericForeignKey, GenericRelated
from orm.keys import CompositePrimaryKey
from orm.models import Model
from orm.numeric import (
    AutoField,
    BigAutoField,
    BigInteger,
    Decimal,
    Float,
    Integer,
    SmallInteger,
    Version,
)
from orm.pagination import Page
from orm.parameters import Param
from orm.postgresql import Array
from orm.prefetch import Prefetch
from orm.pydantic_models import pydantic_model
from orm.queryset import Manager, Objects, QuerySet
from orm.registration import lookup, transform
from orm.registry import Registry
from orm.related import RelatedQuerySet
from orm.relations import (
    CASCADE,
    NO_ACTION,
    RESTRICT,
    SET_DEFAULT,
    SET_NULL,
    ForeignKey,
    ManyToMany,
    OneToOne,
    Related,
    RelatedSet,
    Reverse,
)
from orm.returning import Returning
from orm.rows import Rows
from orm.sources import CTE
from orm.subqueries import Exists, OuterRef, Subquery
from orm.temporal import Date, DateTime, Duration, Time
from orm.textual import URL, Email, Slug, String, Text
from orm.version import VERSION as __version__
from orm.windows import RowRange, ValueRange, Window

__all__ = [
    "CASCADE",
    "CTE",
    "JSON",
    "NO_ACTION",
    "RESTRICT",
    "SET_DEFAULT",
    "SET_NULL",
    "URL",
    "UUID",
    "Array",
    "ArrayAgg",
    "AutoField",
    "Avg",
    "BigAutoField",
    "BigInteger",
    "Binary",
    "Boolean",
    "Case",
    "Cast",
    "CheckConstraint",
    "CheckViolation",
    "Coalesce",
    "Column",
    "CommitUnknown",
    "CompiledQuery",
    "CompositePrimaryKey",
    "Condition",
    "ConnectionLost",
    "Count",
    "CursorPage",
    "DataError",
    "Database",
    "DatabaseError",
    "Date",
    "DateTime",
    "DeadlockDetected",
    "Decimal",
    "DoesNotExist",
    "Duration",
    "Email",
    "Enum",
    "Error",
    "ExclusionViolation",
    "Exists",
    "Expression",
    "F",
    "Field",
    "FieldError",
    "Float",
    "ForeignKey",
    "ForeignKeyViolation",
    "Func",
    "Function",
    "Generated",
    "GenericForeignKey",
    "GenericRelated",
    "IPAddress",
    "Index",
    "Integer",
    "IntegrityError",
    "InterfaceError",
    "InvalidCursor",
    "JSONAgg",
    "LockTimeout",
    "Manager",
    "ManyToMany",
    "Max",
    "Min",
    "Model",
    "MultipleObjectsReturned",
    "NotLoaded",
    "NotNullViolation",
    "NotSupportedError",
    "Objects",
    "OneToOne",
    "OperationalError",
    "Ordering",
    "OuterRef",
    "Page",
    "Param",
    "PoolTimeout",
    "Prefetch",
    "ProgrammingError",
    "Q",
    "QuerySet",
    "QueryTimeout",
    "Registry",
    "Related",
    "RelatedQuerySet",
    "RelatedSet",
    "Returning",
    "Reverse",
    "RowRange",
    "Rows",
    "SerializationFailure",
    "Slug",
    "SmallInteger",
    "StaleInstance",
    "StdDev",
    "String",
    "StringAgg",
    "Subquery",
    "Sum",
    "Text",
    "Time",
    "TransactionError",
    "UniqueConstraint",
    "UniqueViolation",
    "ValidationError",
    "Value",
    "ValueRange",
    "Variance",
    "Version",
    "When",
    "Window",
    "__version__",
    "custom_field",
    "lookup",
    "postgresql",
    "pydantic_model",
    "signals",
    "transform",
]
