"""A lookup and its operand become a condition: the operand is checked, at the user's line."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from orm.conditions import Compared, Constant, Leaf, Lookup, Members, kind_of, simplify
from orm.exceptions import FieldError, ValidationError
from orm.expressions import Condition, Expression, Reference, Value
from orm.generics import relation_to
from orm.jsonlookups import CONTAINS
from orm.keys import KIND
from orm.kinds import comparable
from orm.operands import check_text, checked_items, generic_of, items_of, key_field, key_of, listed, operand_check
from orm.operators import NOT_NULL, OPERATORS, Operator, needs_folding
from orm.parameters import Param, ParameterLeaf, ParameterMembers, Slot
from orm.query import Node, Query, QueryHolder
from orm.references import checked_lookup, intern, width
from orm.schema import Schema
from orm.subqueries import Subselect

_NEVER = Constant(False)


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
    if lookup.kind in ("json_value", "json", "array", "hstore") or any(isinstance(item, Node) for item in items):
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
    kind = kind_of(value)
    if not comparable(lookup.kind, kind) or (kind == KIND and width(lookup.left) != width(value)):
        raise FieldError(f"{lookup.name} ({lookup.kind}) cannot be compared with {value!r} ({kind}). Cast one of them.")


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


def _keys_of_rows(lookup: Lookup, schema: Schema) -> tuple[Expression, ...]:
    """What of rows that are no columns is compared: their keys, with their model's name for a generic foreign key."""
    generic = generic_of(lookup.left)
    if generic is not None:
        name, relation = relation_to(cast("Reference", lookup.left).owner, generic, schema.model)
        return (Value(name), intern(schema, (), relation.far))
    field = key_field(lookup.left, schema)
    if field is None:
        raise FieldError(
            f"{lookup.name} cannot be compared with rows of {schema.name}. Name one column: .values_list('…')."
        )
    return (intern(schema, (), field),)


def _in_query(lookup: Lookup, query: Query) -> Condition:
    if lookup.operator.name != "in":
        raise FieldError(f"{lookup.name} takes a value, not a query set. Use {lookup.field}__in=…, or await it first.")
    if query.empty:
        return _NEVER
    columns = query.columns
    if columns is None:
        columns = _keys_of_rows(lookup, query.schema)
    elif (given := sum(map(width, columns))) != (wanted := width(lookup.left)):
        number = "one column" if wanted == 1 else f"{wanted} columns"
        raise FieldError(f"{lookup.name} takes a query set of {number}, not of {given}.")
    return Compared(lookup, Subselect(query.replace(columns=columns)))
