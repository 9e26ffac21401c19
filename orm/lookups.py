"""Words become conditions: `author__name__icontains="x"` is looked up in the schema, and its value checked.

A wrong name, a lookup that the field does not have, or a value of the wrong type raises here, at the user's line.
Words are resolved against a `Query`, which has names of its own beside those of its schema: its annotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import sqlalchemy as sa

from orm import transforms
from orm.aggregates import Aggregate
from orm.conditions import Compared, Constant, Leaf, Lookup, Members, Q, kind_of, negate, simplify
from orm.exceptions import FieldError, ValidationError
from orm.expressions import (
    Annotation,
    Clause,
    Comparison,
    Condition,
    Expression,
    F,
    Function,
    Handle,
    Reference,
    Tree,
)
from orm.jsonlookups import CONTAINS
from orm.jsonpath import word_key
from orm.kinds import comparable
from orm.operands import check_text, checked_items, items_of, key_of, key_target, listed, operand_check
from orm.operators import NOT_NULL, OPERATORS, Operator, names, needs_folding, own, reserved
from orm.parameters import Param, ParameterLeaf, ParameterMembers, Slot
from orm.query import Node, Path, Query, QueryHolder, origin_of, walk
from orm.schema import Relation, Schema
from orm.sources import CTEColumn
from orm.specs import FieldSpec
from orm.subqueries import Subselect, embedded
from orm.transforms import Transform

_NEVER = Constant(False)


def conditions(query: Query, given: Sequence[Any], words: Mapping[str, Any]) -> Condition:
    """The conjunction of conditions and words, resolved against a query."""
    parts = [condition(query, name, value) for name, value in words.items()]
    if given:
        parts[:0] = [resolve_condition(query, part) for part in given]
    return parts[0] if len(parts) == 1 else simplify("and", parts)


def resolve_condition(query: Query, given: Any) -> Condition:
    """A condition as the user wrote it, resolved against a query."""
    if type(given) is Leaf and type(left := given.lookup.left) is Reference and left.schema is query.schema:
        return given if not query.closed else cast("Condition", _resolve_parts(query, given))
    if isinstance(given, Q):
        return conditions(query, given.parts, given.words)
    if isinstance(given, Tree):
        parts = [resolve_condition(query, part) for part in given.parts]
        return negate(parts[0]) if given.operator == "not" else simplify(given.operator, parts)
    if isinstance(given, Comparison):
        return _comparison(query, given)
    if isinstance(given, sa.ColumnElement):
        given = Clause(cast("Any", given))
    if isinstance(given, Clause):
        return checked_clause(query.schema, given)
    if isinstance(given, Condition):
        return cast("Condition", _resolve_parts(query, given))
    found: Any = resolve(query, cast("Any", given)) if isinstance(given, Expression) else None
    if found is not None and found.output.kind == "boolean":
        return compare(checked_lookup(query.schema, found, OPERATORS["exact"]), True)
    raise FieldError(
        f"{given!r} is no condition. Give words (name=…), Q(…), columns of the model ({query.schema.name}.… == …) "
        "or an expression of SQLAlchemy Core."
    )


def _comparison(query: Query, given: Comparison) -> Condition:
    left = cast("Expression", resolve(query, given.parts[0]))
    lookup = named_lookup(query.schema, left, given.lookup)
    return compare(lookup, resolved_operand(query, given.operand))


def checked_clause(schema: Schema, clause: Clause) -> Clause:
    """Refuse an expression of Core that would put another table beside the query's: a cartesian product."""
    for source in clause.element._from_objects:  # pyright: ignore[reportPrivateUsage]  # it has no public name
        if source is not schema.table:
            raise FieldError(
                f"<{clause.element}> is about {source}, but the query is about {schema.tablename}. "
                "Put the other table into a subquery: column.in_(select(…)), or exists()."
            )
    for bind in clause.bound:
        if isinstance(bind.value, Param):
            raise bind.value.misplaced()
    return clause


def _check_root(query: Query, node: Node) -> None:
    """Raise `FieldError` when a typed column of another model is in it, or one that the query's rows do not have."""
    schema = query.schema
    for part in walk(node):
        if query.closed and isinstance(part, (Reference, Handle)):
            raise not_read(query, repr(cast("Any", part)))
        if isinstance(part, (Reference, Handle)) and part.schema is not schema:
            raise FieldError(
                f"{node!r} is about {part.schema.name}, but the query is about {schema.name}. "
                f"Start from {schema.name}: {schema.name}.relation.field."
            )


def resolve(query: Query, node: Node) -> Node:
    """An expression with the words in it resolved against a query."""
    if isinstance(node, F):
        return named(query, node.name)
    if isinstance(node, Param):
        raise node.misplaced()
    if isinstance(node, Handle):
        handle: Handle = cast("Any", node)
        if query.closed:
            return named(query, repr(handle))
        _check_root(query, handle)
        return handle.node
    if isinstance(node, Clause):
        return checked_clause(query.schema, node)
    if isinstance(node, (Q, Tree, Comparison)):
        return resolve_condition(query, node)
    return _resolve_parts(query, node)


def _resolve_parts(query: Query, node: Node) -> Node:
    if isinstance(node, Subselect):
        return embedded(node, lambda words: _outer(query, words))
    if type(node) is Annotation:
        return node
    if isinstance(node, CTEColumn) and not any(origin_of(join.children[0]) is node.cte for join in query.joins):
        raise FieldError(f"{node!r} is no column of this query set. Join it first: .with_cte({node.cte.name}, …=…).")
    if isinstance(node, Function) or (node.parts and not isinstance(node, (Leaf, Members))):
        resolved: Any = node.with_children(tuple([resolve(query, part) for part in node.parts]))
        if isinstance(resolved, Expression):
            cast("Any", resolved).check()
        return cast("Node", resolved)
    _check_root(query, node)
    return node


def _outer(query: Query, words: str) -> Node:
    """The column of a query that words name, as its subqueries see it."""
    found = named(query, words)
    refuse_many(found, "refer to")
    return found


def resolved_operand(query: Query, value: Any) -> Any:
    """What is compared with: an expression resolved, also in a list, and a value as it is."""
    if isinstance(value, sa.ColumnElement):
        return checked_clause(query.schema, Clause(cast("Any", value)))
    if isinstance(value, Node):
        return value if isinstance(value, Param) else resolve(query, value)
    if isinstance(value, (list, tuple)):
        items = cast("list[Any]", value)
        if any(isinstance(item, (Node, sa.ColumnElement)) for item in items):
            return [resolved_operand(query, item) for item in items]
    return cast("Any", value)


# ---------------------------------------------------------------- words


def named(query: Query, words: str) -> Expression:
    """The column or annotation that words name, perhaps transformed, as in `order_by`, `values` and `F`."""
    if query.annotations:
        found = _annotated(query, words, operators=False)
        if found is not None:
            return found.left
    if query.closed:
        raise not_read(query, words)
    return reference(query.schema, words)


def not_read(query: Query, words: str) -> FieldError:
    """The error for a column that the members of a set operation do not read."""
    return FieldError(f"{words!r} is no column of the {query.source!r}. Choose from: {', '.join(query.annotations)}.")


def reference(schema: Schema, words: str) -> Expression:
    """The column that words name, perhaps transformed."""
    found = schema.cache.get((words,))
    if found is None:
        lookup = _parse(schema, words, operators=False)
        found = lookup.left
        if lookup.key is not None:
            schema.cache[words,] = found
    return cast("Expression", found)


def lookup_for(query: Query, words: str) -> Lookup:
    """The lookup that words name, as in `filter`."""
    if query.annotations:
        annotated = _annotated(query, words, operators=True)
        if annotated is not None:
            return annotated
    if query.closed:
        raise not_read(query, words)
    schema = query.schema
    found = schema.cache.get(words)
    if found is None:
        found = _parse(schema, words, operators=True)
        if found.key is not None:
            schema.cache[words] = found
    return cast("Lookup", found)


def _annotated(query: Query, words: str, *, operators: bool) -> Lookup | None:
    """The lookup of an annotation; `None` when the words begin with no annotation's name."""
    found, rest = query.annotations.get(words), list[str]()
    if found is None:
        first, *rest = words.split("__")
        found = query.annotations.get(first)
    if found is None:
        return None
    return _finish(query.schema, cast("Expression", found), rest, words, operators)


def _parse(schema: Schema, words: str, *, operators: bool) -> Lookup:
    """Follow the words through relations to a column, its transforms or JSON keys, and the operator."""
    parts = words.split("__")
    path: Path = ()
    owner = schema
    last: Relation | None = None
    for index, word in enumerate(parts):
        rest = parts[index + 1 :]
        relation = owner.relation(word)
        if relation is not None:
            path += relation.hops
            owner, last = relation.target, relation
            continue
        spec = owner.field(word)
        if spec is not None:
            return _finish_column(schema, path, spec, rest, words, operators)
        if last is not None and operators and word in OPERATORS:
            return _finish_column(schema, path, owner.key, [word, *rest], words, operators)
        raise owner.unknown(word)
    return _finish_column(schema, path, owner.key, [], words, operators)


def _finish_column(schema: Schema, path: Path, spec: FieldSpec, rest: list[str], words: str, operators: bool) -> Lookup:
    if spec.kind != "json":
        return _finish(schema, intern(schema, path, spec), rest, words, operators)
    end = len(rest) - 1 if rest and operators and reserved(rest[-1]) else len(rest)
    keys = tuple([word_key(word) for word in rest[:end]])
    return _finish(schema, intern(schema, path, spec, keys), rest[end:], words, operators)


def _finish(schema: Schema, left: Expression, rest: list[str], words: str, operators: bool) -> Lookup:
    """The lookup of an expression with the transforms and the operator that the rest of the words name."""
    while rest and (transform := transforms.find(rest[0], kind_of(left))) is not None:
        left, rest = transformed(schema, left, transform), rest[1:]
    if not rest:
        return checked_lookup(schema, left, OPERATORS["exact"])
    if len(rest) > 1 or rest[0] not in OPERATORS or not operators:
        raise _unknown_lookup(left, words, rest, operators)
    return checked_lookup(schema, left, OPERATORS[rest[0]])


def transformed(schema: Schema, left: Expression, transform: Transform) -> Expression:
    """A transform of an expression; of a column always the same object."""
    if not isinstance(left, Reference) or left.keys:
        return transform.function(left)
    identity = (left, transform)
    found = schema.cache.get(identity)
    if found is None:
        found = schema.cache[identity] = transform.function(left)
    return cast("Expression", found)


def _unknown_lookup(left: Expression, words: str, rest: list[str], operators: bool) -> FieldError:
    kind = kind_of(left)
    choices = transforms.names(kind) + (names(kind) if operators else [])
    what = f"Choose from: {', '.join(choices)}." if choices else "Nothing can follow it here."
    label = left.spec.label if isinstance(left, Reference) else repr(left)
    return FieldError(f"{words!r}: {label} ({kind}) has no {'__'.join(rest)!r}. {what}")


def named_lookup(schema: Schema, left: Expression, name: str) -> Lookup:
    """The lookup of an expression under a name. Raises `FieldError`."""
    if name not in OPERATORS:
        kind = kind_of(left)
        raise FieldError(f"{left!r} ({kind}) has no lookup {name!r}. Choose from: {', '.join(names(kind))}.")
    return checked_lookup(schema, left, OPERATORS[name])


def checked_lookup(schema: Schema, left: Expression, operator: Operator) -> Lookup:
    """A lookup. Raises `FieldError` when values of that kind do not have the operator."""
    kind = kind_of(left)
    operator = own(operator, kind)
    if operator.kinds is not None and kind not in operator.kinds and kind != "any":
        what = f"{left.owner.name}.{left.spec.label}" if isinstance(left, Reference) else repr(left)
        raise FieldError(f"{what} ({kind}) has no lookup {operator.name!r}. Choose from: {', '.join(names(kind))}.")
    if not isinstance(left, Reference) or left.keys:
        return Lookup(left, operator)
    identity = (left, operator)
    found = schema.cache.get(identity)
    if found is None:
        found = schema.cache[identity] = Lookup(left, operator)
    return cast("Lookup", found)


def intern(schema: Schema, path: Path, spec: FieldSpec, keys: tuple[str | int, ...] = ()) -> Reference:
    """The one reference to a column; a key at the end of a to-one relation is the foreign key before it: no join."""
    if path and path[-1].holds_key and path[-1].far is spec:
        path, spec = path[:-1], path[-1].near
    if keys:
        return Reference(schema, path, spec, keys)
    identity = (path, spec)
    found = schema.cache.get(identity)
    if found is None:
        found = schema.cache[identity] = Reference(schema, path, spec)
    return cast("Reference", found)


# ---------------------------------------------------------------- values


def condition(query: Query, words: str, value: Any) -> Condition:
    """The condition that a word and its value make. Raises `FieldError` and `ValidationError`."""
    found = None if query.annotations else query.schema.cache.get(words)
    lookup: Lookup = found if found is not None else lookup_for(query, words)
    if isinstance(value, (Node, sa.ColumnElement, list, tuple)):
        value = resolved_operand(query, value)
    made = compare(lookup, value)
    return cast("Condition", _resolve_parts(query, made)) if isinstance(value, QueryHolder) else made


def compare(lookup: Lookup, value: Any) -> Condition:
    """The condition that a lookup and its operand make; an operand that is an expression is resolved already."""
    operand = lookup.operator.operand
    if isinstance(value, (Node, QueryHolder)):
        return _compare_expression(lookup, value)
    if operand == "value":
        if value is None:
            return _is_null(lookup)
        return _leaf(lookup, (lookup.check(key_of(lookup, value)),))
    if operand == "text":
        if lookup.kind == "json_value" and isinstance(value, (dict, list)):
            return _document(lookup, value)
        return _leaf(lookup, (check_text(lookup, value),))
    if operand == "values":
        return _members(lookup, value)
    if operand == "expression":
        return _compare_expression(lookup, value)
    if operand == "flag":
        return _flag(lookup, value)
    return _pair(lookup, value)


def _wrong(lookup: Lookup, value: Any, message: str) -> ValidationError:
    return ValidationError.single(lookup.name, message, value)


def _keys(lookup: Lookup) -> bool:
    """Whether it is about a value inside JSON."""
    return isinstance(lookup.left, Reference) and bool(lookup.left.keys)


def _leaf(lookup: Lookup, values: tuple[Any, ...]) -> Leaf:
    operator = lookup.operator
    if _keys(lookup) and not operator.whole:
        return Leaf(lookup, values, json_variant(values[0]) if operator.operand == "value" else None)
    return Leaf(lookup, values, None if operator.variant is None else operator.variant(values[0]))


def json_variant(value: Any) -> str:
    """What kind of JSON value it is: SQL depends on it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "document"


def _document(lookup: Lookup, value: Any) -> Condition:
    """A text lookup of a value inside JSON that is given an object or a list: what its name means for JSON."""
    if lookup.operator.name != "contains":
        raise _wrong(lookup, value, f"{lookup.name} takes a text, not {value!r}.")
    whole = Lookup(lookup.left, CONTAINS)
    return _leaf(whole, (whole.check(value),))


def _is_null(lookup: Lookup) -> Condition:
    if lookup.operator.name != "exact":
        raise ValidationError.single(
            lookup.name,
            f"{lookup.name} cannot be compared with None: the result is unknown. Use {lookup.field}__isnull=True.",
            None,
        )
    left = lookup.left
    if _keys(lookup) or (isinstance(left, Reference) and lookup.kind == "json" and not left.spec.null):
        return _leaf(lookup, (None,))  # JSON's null, which is a value
    return _flag(_with_operator(lookup, OPERATORS["isnull"]), True)


def _with_operator(lookup: Lookup, operator: Operator) -> Lookup:
    """The same left side under another operator."""
    left = lookup.left
    return checked_lookup(left.schema, left, operator) if isinstance(left, Reference) else Lookup(left, operator)


def _flag(lookup: Lookup, value: Any) -> Condition:
    if not isinstance(value, bool):
        raise _wrong(lookup, value, f"{lookup.name} takes True or False, not {value!r}.")
    return Leaf(lookup if value else _with_operator(lookup, lookup.operator.opposite or NOT_NULL), ())


def _members(lookup: Lookup, value: Any) -> Condition:
    if lookup.operator.name != "in":
        checked = listed(lookup, value)
        return Leaf(lookup, tuple(checked), len(checked))
    items = items_of(lookup, value)
    if lookup.kind in ("json_value", "json", "array") or any(isinstance(item, Node) for item in items):
        exact = _with_operator(lookup, OPERATORS["exact"])
        return simplify("or", [compare(exact, item) for item in items])
    checked = checked_items(lookup, items)
    return Members(lookup, checked) if checked else _NEVER


def _pair(lookup: Lookup, value: Any) -> Condition:
    if not isinstance(value, (tuple, list)) or len(value) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise _wrong(lookup, value, f"{lookup.name} takes a pair (from, to), not {value!r}.")
    low, high = value  # pyright: ignore[reportUnknownVariableType]
    if any(isinstance(bound, Node) and not isinstance(bound, Param) for bound in cast("Any", (low, high))):
        bounds = cast("Any", (("gte", low), ("lte", high)))
        return simplify("and", [compare(_with_operator(lookup, OPERATORS[name]), bound) for name, bound in bounds])
    if isinstance(low, Param) or isinstance(high, Param):
        return ParameterLeaf(lookup, (_end(lookup, low), _end(lookup, high)))
    return _leaf(lookup, (lookup.check(low), lookup.check(high)))


def _end(lookup: Lookup, value: Any) -> Any:
    return Slot(value, lookup.name, lookup.check) if isinstance(value, Param) else lookup.check(value)


def _compare_expression(lookup: Lookup, value: Any) -> Condition:
    if isinstance(value, Param):
        return _compare_parameter(lookup, value)
    if isinstance(value, QueryHolder):
        return _in_query(lookup, value.query)
    if not lookup.operator.expressions or _keys(lookup):
        raise FieldError(f"{lookup.name} takes a value, not the expression {value!r}.")
    if lookup.operator.adapt is not None:
        left, value = lookup.operator.adapt(lookup.left, value)
        lookup = Lookup(left, lookup.operator)
    elif lookup.operator.core is None:  # it is compared with values of its own kind
        _check_kinds(lookup, value)
    return Compared(lookup, value)


def _check_kinds(lookup: Lookup, value: Node) -> None:
    """Raise `FieldError` for an expression that is never equal to what it is compared with, or by chance."""
    if not comparable(lookup.kind, kind_of(value)):
        raise FieldError(
            f"{lookup.name} ({lookup.kind}) cannot be compared with {value!r} ({kind_of(value)}). Cast one of them."
        )


def _compare_parameter(lookup: Lookup, param: Param) -> Condition:
    operand = lookup.operator.operand
    is_json = lookup.kind in ("json_value", "json")
    operator = lookup.operator
    by_value = operator.variant not in (None, needs_folding) or operand == "expression"
    is_listed = operand == "values" and (is_json or operator.name != "in")
    if is_listed or by_value or (_keys(lookup) and operand == "value" and not operator.whole):
        what = "JSON" if is_json else "it"
        raise FieldError(
            f"{lookup.name} cannot be compared with {param!r}: how {what} is compared depends on the value's type. "
            "Compile a query for each value, or do not compile it."
        )
    if operand == "flag":
        raise FieldError(f"{lookup.name} takes True or False, not {param!r}: compile a query for each of the two.")
    if operand == "pair":
        raise FieldError(f"{lookup.name} takes a pair (from, to), not {param!r}. Each of the two may be a Param.")
    if operand == "values":
        return ParameterMembers(lookup, Slot(param, lookup.name, partial(checked_items, lookup)))
    made = _leaf(lookup, (Slot(param, lookup.name, operand_check(lookup)),))
    return ParameterLeaf(lookup, made.values, made.variant)


def _in_query(lookup: Lookup, query: Query) -> Condition:
    if lookup.operator.name != "in":
        raise FieldError(f"{lookup.name} takes a value, not a query set. Use {lookup.field}__in=…, or await it first.")
    if query.empty:
        return _NEVER
    columns = query.columns
    if columns is None:
        expected = key_target(lookup.left)
        if expected is not query.schema:
            raise FieldError(
                f"{lookup.name} cannot be compared with rows of {query.schema.name}. "
                f"Name one column: .values_list('…')."
            )
        columns = (intern(query.schema, (), query.schema.key),)
    elif len(columns) != 1:
        raise FieldError(f"{lookup.name} takes a query set of one column, not of {len(columns)}.")
    return Compared(lookup, Subselect(query.replace(columns=columns)))


def refuse_many(node: Node, what: str) -> None:
    """Raise `FieldError` for a column of which there may be several for one row."""
    if isinstance(node, Reference):
        for hop in node.path:
            if hop.many:
                raise FieldError(
                    f"Cannot {what} {node!r}: {hop.source.name} has many {hop.target.name} rows. "
                    "It would give rows several times."
                )
    if not isinstance(node, (Condition, Aggregate)):  # which ask for related rows in a subquery of their own
        for part in node.parts:
            refuse_many(part, what)
