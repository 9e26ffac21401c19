"""Full text search of PostgreSQL: `SearchVector`, `SearchQuery`, `SearchRank` and `SearchHeadline`.

https://www.postgresql.org/docs/current/textsearch.html
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final, Literal, cast

import sqlalchemy as sa
from pydantic_core import core_schema
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from orm import kinds, types
from orm.exceptions import FieldError, NotSupportedError
from orm.expressions import Annotation, Expression, Function, Reference, Value, expression, operand, output_of
from orm.operators import TEXT, Element, Operator, add, only_on_postgresql
from orm.plaintext import check_text
from orm.query import Node
from orm.specs import FieldSpec

Weight = Literal["A", "B", "C", "D"]
SearchType = Literal["plain", "phrase", "raw", "websearch"]

_WEIGHTS: Final = ("A", "B", "C", "D")
_PARSERS: Final = {
    "plain": "plainto_tsquery",
    "phrase": "phraseto_tsquery",
    "raw": "to_tsquery",
    "websearch": "websearch_to_tsquery",
}
_NORMALIZATIONS: Final = 63
KIND: Final = "search_vector"
"""The kind of a vector."""
_REALS: Final[Any] = postgresql.ARRAY(cast("Any", sa.REAL()))
_CURE: Final = "The lookup 'search' is there on MySQL, too; icontains is everywhere."


class TSVectorType(TypeDecorator[str]):
    """The words of a document, in PostgreSQL's spelling; on PostgreSQL only."""

    impl = postgresql.TSVECTOR
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        only_on_postgresql(dialect, "tsvector", _CURE)
        return postgresql.TSVECTOR()


def _spec(kind: str, type: sa.types.TypeEngine[Any], null: bool) -> FieldSpec:
    core = core_schema.no_info_plain_validator_function(lambda value: check_text("search", value))
    return FieldSpec("", "", type, kind, core, core, null=null)


def _config(given: str | Node | None) -> tuple[Node, ...]:
    """The operand that names a text search configuration, if there is one; a text is the name itself."""
    if given is None:
        return ()
    return (Value(check_text("config", given)),) if isinstance(given, str) else (expression(given),)


def _named(config: Element) -> Element:
    """The configuration of a name. A parameter is one at once, or indexes of expressions would not be found."""
    if isinstance(config, sa.BindParameter):
        config.type = postgresql.REGCONFIG()
        return config
    return sa.cast(config, postgresql.REGCONFIG())


class SearchFunction(Function[Any]):
    """A function whose first operand may be a text search configuration; the base of all here but `SearchRank`."""

    __slots__ = ("configured",)

    def __init__(self, config: str | Node | None, *operands: Any) -> None:
        named = _config(config)
        super().__init__(*named, *operands)
        self.configured = bool(named)

    @property
    def options(self) -> Hashable:
        return self.configured

    @property
    def config(self) -> Node | None:
        """The configuration that its words are read with, if it has one."""
        if self.configured:
            return self.parts[0]
        inner = [part.config for part in self.parts if isinstance(part, SearchFunction)]
        return next((config for config in inner if config is not None), None)

    def split(self, operands: tuple[Element, ...]) -> tuple[list[Element], tuple[Element, ...]]:
        """The configuration in SQL, if there is one, and the other operands."""
        return ([_named(operands[0])], operands[1:]) if self.configured else ([], operands)


class Vector(SearchFunction):
    """A list of the words of a document; vectors are combined with `+`."""

    __slots__ = ()

    @property
    def output(self) -> FieldSpec:
        return _spec(KIND, postgresql.TSVECTOR(), null=False)

    def __add__(self, other: Any) -> Expression:
        if not isinstance(other, Vector):
            raise FieldError(f"A search vector is combined with another one, not with {other!r}.")
        return CombinedVector(None, self, other)


class CombinedVector(Vector):
    """The words of two vectors."""

    __slots__ = ()

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return operands[0].op("||")(operands[1])


class SearchVector(Vector):
    """The words of some expressions, as full text search looks for them.

    Args:
        expressions: fields in words, columns, or expressions; NULL is an empty text.
        config: the name of a text search configuration, such as `"english"`, or a column that has one; the session's
            `default_text_search_config` if not given.
        weight: how much its words count in a rank, `"A"` most.

    Raises `FieldError` without an expression, and for another weight.
    """

    __slots__ = ("weight",)

    def __init__(self, *expressions: Any, config: str | Node | None = None, weight: Weight | None = None) -> None:
        if not expressions:
            raise FieldError('SearchVector needs a field at least, as in SearchVector("title").')
        if weight is not None and weight not in _WEIGHTS:
            raise FieldError(f"weight={weight!r} is not possible. Choose from: {', '.join(_WEIGHTS)}.")
        super().__init__(config, *expressions)
        self.weight = weight

    @property
    def options(self) -> Hashable:
        return (self.configured, self.weight)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, "SearchVector", _CURE)
        config, texts = self.split(operands)
        specs = [output_of(part) for part in self.parts[len(config) :]]
        if len(specs) == 1 and specs[0].kind == KIND:
            return self._weighted(sa.type_coerce(texts[0], postgresql.TSVECTOR()))  # it is a vector already
        made = [_as_text(text, spec) for text, spec in zip(texts, specs, strict=True)]
        whole = made[0]
        for text in made[1:]:
            whole = whole.concat(sa.literal_column("' '")).concat(text)
        return self._weighted(sa.func.to_tsvector(*config, whole))

    def _weighted(self, vector: Element) -> Element:
        if self.weight is None:
            return vector
        return sa.func.setweight(vector, sa.literal_column(f"'{self.weight}'"))  # one of four letters


def _as_text(value: Element, spec: FieldSpec) -> Element:
    text = value if spec.kind == "text" else sa.cast(value, sa.Text())
    return sa.func.coalesce(text, sa.literal_column("''")) if spec.null else text


class Query(SearchFunction):
    """What is looked for in a vector; queries are combined with `&`, `|` and `~`."""

    __slots__ = ()

    @property
    def output(self) -> FieldSpec:
        return _spec("search_query", postgresql.TSQUERY(), null=False)

    def __and__(self, other: Query) -> CombinedQuery:
        return CombinedQuery("tsquery_and", self, other)

    def __or__(self, other: Query) -> CombinedQuery:
        return CombinedQuery("tsquery_or", self, other)

    def __invert__(self) -> InvertedQuery:
        return InvertedQuery(None, self)


class CombinedQuery(Query):
    """Both of two queries, or one of them."""

    __slots__ = ("operator",)

    def __init__(self, operator: str, left: Query, right: Query) -> None:
        if not isinstance(cast("Any", right), Query):
            raise FieldError(f"A search query is combined with another one, not with {right!r}.")
        super().__init__(None, left, right)
        self.operator = operator

    @property
    def options(self) -> Hashable:
        return self.operator

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        made: Element = getattr(sa.func, self.operator)(*operands)
        return made


class InvertedQuery(Query):
    """What a query does not find."""

    __slots__ = ()

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.tsquery_not(operands[0])


class SearchQuery(Query):
    """The words that are looked for.

    Args:
        text: what somebody typed, or an expression.
        config: the name of a text search configuration, or a column that has one.
        search_type: how the text is read: all of its words (`plain`), in this order (`phrase`), with the operators of
            PostgreSQL (`raw`, where a mistake is an error), or as in a search engine (`websearch`).

    Raises `FieldError` for another search type, `ValidationError` for a text that no database takes.
    """

    __slots__ = ("search_type",)

    def __init__(
        self,
        text: str | Expression[Any],
        *,
        config: str | Node | None = None,
        search_type: SearchType = "plain",
    ) -> None:
        if search_type not in _PARSERS:
            raise FieldError(f"search_type={search_type!r} is not possible. Choose from: {', '.join(_PARSERS)}.")
        given = Value(check_text("SearchQuery", text)) if isinstance(text, str) else expression(text)
        super().__init__(config, given)
        self.search_type = search_type

    @property
    def options(self) -> Hashable:
        return (self.configured, self.search_type)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, "SearchQuery", _CURE)
        config, texts = self.split(operands)
        made: Element = getattr(sa.func, _PARSERS[self.search_type])(*config, *texts)
        return made


def _vector(given: Any) -> Node:
    return SearchVector(given) if isinstance(given, str) else expression(given)


def _query(given: Any) -> Node:
    return SearchQuery(given) if isinstance(given, str) else expression(given)


class SearchRank(Function[float]):
    """How well a document fits what is looked for: greater is better.

    Args:
        vector: a `SearchVector`, or a field in words.
        query: a `SearchQuery`, or the text of one.
        weights: what words of the weights D, C, B and A count, each from 0 to 1; 0.1, 0.2, 0.4 and 1 if not given.
        normalization: how the length of the document counts, PostgreSQL's flags added up.
        cover_density: how near to each other the words are counts, too.

    Raises `FieldError` for weights or a normalization that PostgreSQL does not have.
    """

    __slots__ = ("cover_density", "normalization", "weights")

    def __init__(
        self,
        vector: Any,
        query: Any,
        *,
        weights: Sequence[float] | None = None,
        normalization: int = 0,
        cover_density: bool = False,
    ) -> None:
        super().__init__(_vector(vector), _query(query))
        self.weights = None if weights is None else _checked_weights(weights)
        if isinstance(normalization, bool) or normalization not in range(_NORMALIZATIONS + 1):
            raise FieldError(
                f"normalization={normalization!r} is not possible. It is the sum of 0, 1, 2, 4, 8, 16, 32."
            )
        self.normalization = normalization
        self.cover_density = bool(cover_density)

    @property
    def options(self) -> Hashable:
        return (self.weights, self.normalization, self.cover_density)

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("float", null=False)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, "SearchRank", _CURE)
        arguments = list(operands)
        if self.weights is not None:
            arguments.insert(0, sa.literal(list(self.weights), _REALS))
        if self.normalization:
            arguments.append(sa.literal(self.normalization, sa.Integer()))
        made: Element = (sa.func.ts_rank_cd if self.cover_density else sa.func.ts_rank)(*arguments)
        return made


def _checked_weights(weights: Sequence[float]) -> tuple[float, ...]:
    given = tuple(weights)
    if len(given) != len(_WEIGHTS) or not all(isinstance(w, (int, float)) and 0 <= w <= 1 for w in cast("Any", given)):
        raise FieldError(f"weights={weights!r} is not possible. Give four numbers from 0 to 1, for D, C, B and A.")
    return tuple(map(float, given))


class SearchHeadline(SearchFunction):
    """A piece of a document with the words that were found marked; it may contain HTML that is in the document.

    Args:
        expression: a field in words, a column, or an expression.
        query: a `SearchQuery`, or the text of one.
        config: the name of a text search configuration, or a column that has one.
        start_sel: what stands before a found word, `<b>` if not given.
        stop_sel: what stands after one, `</b>` if not given.
        max_words: the greatest number of words.
        min_words: the least number of words.
        short_word: words up to this length are left out at the ends.
        highlight_all: the whole document is given.
        max_fragments: how many pieces there may be.
        fragment_delimiter: what stands between them.
    """

    __slots__ = ("chosen",)

    def __init__(
        self,
        expression: Any,
        query: Any,
        *,
        config: str | Node | None = None,
        start_sel: str | None = None,
        stop_sel: str | None = None,
        max_words: int | None = None,
        min_words: int | None = None,
        short_word: int | None = None,
        highlight_all: bool | None = None,
        max_fragments: int | None = None,
        fragment_delimiter: str | None = None,
    ) -> None:
        given = {
            "StartSel": start_sel,
            "StopSel": stop_sel,
            "MaxWords": max_words,
            "MinWords": min_words,
            "ShortWord": short_word,
            "HighlightAll": highlight_all,
            "MaxFragments": max_fragments,
            "FragmentDelimiter": fragment_delimiter,
        }
        chosen = ", ".join([f"{name}={_quoted(name, value)}" for name, value in given.items() if value is not None])
        super().__init__(config, operand(expression), _query(query), *([Value(chosen)] if chosen else []))
        self.chosen = bool(chosen)

    @property
    def options(self) -> Hashable:
        return (self.configured, self.chosen)

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("text", types.Text(), null=output_of(self.parts[int(self.configured)]).null)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, "SearchHeadline", _CURE)
        config, rest = self.split(operands)
        return sa.func.ts_headline(*config, *rest)


def _quoted(name: str, value: Any) -> str:
    """An option's value as PostgreSQL reads it within its text of options, which is a parameter itself."""
    if isinstance(value, str):
        return '"' + check_text(name, value).replace('"', '""') + '"'
    return str(value).lower()


def _search(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    if dialect.name == "postgresql":
        vector = left if isinstance(left.type, (postgresql.TSVECTOR, TSVectorType)) else sa.func.to_tsvector(left)
        (query,) = operands
        if not isinstance(query.type, postgresql.TSQUERY):
            query = sa.func.plainto_tsquery(query)
        return vector.bool_op("@@")(query)
    if dialect.name == "mysql":
        return mysql.match(left, against=operands[0], in_natural_language_mode=True)
    raise NotSupportedError(
        "SQLite has full text search only in tables made for it (FTS5), so a column has no lookup 'search'. "
        "Use icontains, or the query set's search(…), or ask an FTS5 table with from_statement(…)."
    )


def _text_and_query(left: Expression, query: Any) -> tuple[Expression, Any]:
    """A text's words are read with the configuration of the query."""
    return (SearchVector(left, config=query.config), query) if isinstance(query, Query) else (left, query)


def _vector_and_query(left: Expression, query: Any) -> tuple[Expression, Any]:
    """A text is a query that is read with the configuration of the vector."""
    if isinstance(query, Node):
        return left, query
    vector: Any = left.parts[0] if isinstance(left, Annotation) else left
    if isinstance(vector, Reference) and vector.spec.computed is not None:
        vector = vector.spec.computed.expression
    config: Any = vector.config if isinstance(vector, SearchFunction) else None
    return left, SearchQuery(check_text(f"{left!r}__search", query), config=config)


add(Operator("search", _search, "text", TEXT, expressions=True, adapt=_text_and_query))
for _name in ("search", "exact"):
    add(Operator(_name, _search, "expression", frozenset({KIND}), expressions=True, adapt=_vector_and_query))
