"""Words become conditions: `author__name__icontains="x"` is looked up in the schema, and its value checked.

A wrong name, a lookup that the field does not have, or a value of the wrong type raises here, at the user's line.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import operators

from orm.exceptions import FieldError, ValidationError
from orm.expressions import (
    Clause,
    Compared,
    Condition,
    Constant,
    Expression,
    F,
    InQuery,
    Leaf,
    Lookup,
    Members,
    Ordering,
    Q,
    Reference,
    Tree,
)
from orm.operators import NOT_NULL, OPERATORS, TRANSFORMS, Operator, Transform
from orm.parameters import Param, ParameterLeaf, ParameterMembers, Slot
from orm.query import Node, Path, Query, QueryHolder
from orm.schema import FieldSpec, Instance, Relation, Schema
from orm.validation import Checker

_NEVER = Constant(False)


def conditions(schema: Schema, given: Iterable[Any], words: Mapping[str, Any]) -> Condition:
    """The conjunction of conditions and words, resolved against a schema."""
    parts = [condition(schema, name, value) for name, value in words.items()]
    if given:
        parts[:0] = [resolve_condition(schema, part) for part in given]
    return parts[0] if len(parts) == 1 else simplify("and", parts)


def simplify(operator: Any, parts: list[Condition]) -> Condition:
    """`and` or `or` of conditions, without those that decide nothing."""
    decides = operator == "or"
    kept: list[Condition] = []
    for part in parts:
        if isinstance(part, Constant):
            if part.truth is decides:
                return part
        else:
            kept.append(part)
    if not kept:
        return Constant(not decides)
    return kept[0] if len(kept) == 1 else Tree(operator, tuple(kept))


def negate(part: Condition) -> Condition:
    """`not` of a condition."""
    return Constant(not part.truth) if isinstance(part, Constant) else Tree("not", (part,))


def resolve_condition(schema: Schema, given: Any) -> Condition:
    """A condition as the user wrote it, resolved against a schema."""
    if isinstance(given, Q):
        return conditions(schema, given.parts, given.words)
    if isinstance(given, Tree):
        parts = [resolve_condition(schema, part) for part in given.parts]
        return negate(parts[0]) if given.operator == "not" else simplify(given.operator, parts)
    if isinstance(given, sa.ColumnElement):
        given = Clause(cast("Any", given))
    if isinstance(given, Clause):
        return _checked_clause(schema, given)
    if isinstance(given, Condition):
        _check_root(schema, given)
        return given
    raise FieldError(
        f"{given!r} is no condition. Give words (name=…), Q(…), columns of the model ({schema.name}.… == …) "
        "or an expression of SQLAlchemy Core."
    )


def _checked_clause(schema: Schema, clause: Clause) -> Clause:
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


def _check_root(schema: Schema, node: Node) -> None:
    """Raise `FieldError` when a typed column of another model is in it."""
    lookup = getattr(node, "lookup", None)
    root = node.schema if isinstance(node, Reference) else lookup.reference.schema if lookup is not None else schema
    if root is not schema:
        raise FieldError(
            f"{node!r} is about {root.name}, but the query is about {schema.name}. "
            f"Start from {schema.name}: {schema.name}.relation.field."
        )
    for part in node.parts:
        _check_root(schema, part)


def resolve(schema: Schema, node: Node) -> Node:
    """An expression with the words in it resolved against a schema."""
    if isinstance(node, F):
        return reference(schema, node.name)
    if isinstance(node, Param):
        raise node.misplaced()
    if isinstance(node, Condition):
        return resolve_condition(schema, node)
    if isinstance(node, Reference):
        column: Reference = cast("Any", node)
        _check_root(schema, column)
        return intern(column.schema, column.path, column.spec, column.transform, column.keys)
    if not node.parts:
        return node
    resolved = copy.copy(node)
    resolved.parts = tuple([resolve(schema, part) for part in node.parts])
    return resolved


# ---------------------------------------------------------------- words


def reference(schema: Schema, words: str) -> Reference:
    """The column that words name, as in `order_by`, `values` and `F`."""
    found = schema.cache.get((words,))
    if found is None:
        found = _parse(schema, words, operators=False).reference
        if not found.keys:
            schema.cache[words,] = found
    return found


def lookup_for(schema: Schema, words: str) -> Lookup:
    """The lookup that words name, as in `filter`."""
    found = schema.cache.get(words)
    if found is None:
        found = _parse(schema, words, operators=True)
        if not found.reference.keys:
            schema.cache[words] = found
    return found


def _parse(schema: Schema, words: str, *, operators: bool) -> Lookup:
    """Follow the words through relations to a column, its transform or JSON keys, and the operator."""
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
            return _finish(schema, path, spec, rest, words, operators)
        if last is not None and operators and word in OPERATORS:
            return _finish(schema, path, owner.key, [word, *rest], words, operators)
        raise owner.unknown(word)
    return _finish(schema, path, owner.key, [], words, operators)


def _finish(schema: Schema, path: Path, spec: FieldSpec, rest: list[str], words: str, operators: bool) -> Lookup:
    transform: Transform | None = None
    keys: tuple[str | int, ...] = ()
    if spec.kind == "json":
        end = len(rest) - 1 if rest and operators and rest[-1] in OPERATORS else len(rest)
        keys = tuple([int(word) if word.isdecimal() else word for word in rest[:end]])
        rest = rest[end:]
    elif rest and rest[0] in TRANSFORMS and spec.kind in TRANSFORMS[rest[0]].kinds:
        transform, rest = TRANSFORMS[rest[0]], rest[1:]
    target = intern(schema, path, spec, transform, keys)
    if not rest:
        return checked_lookup(target, OPERATORS["exact"])
    if len(rest) > 1 or rest[0] not in OPERATORS or not operators:
        raise _unknown_lookup(spec, target.kind, words, rest, operators)
    return checked_lookup(target, OPERATORS[rest[0]])


def _unknown_lookup(spec: FieldSpec, kind: str, words: str, rest: list[str], operators: bool) -> FieldError:
    choices = [name for name, transform in TRANSFORMS.items() if spec.kind in transform.kinds]
    if operators:
        choices += available(kind)
    what = f"Choose from: {', '.join(choices)}." if choices else "Nothing can follow it here."
    return FieldError(f"{words!r}: {spec.label} ({spec.kind}) has no {'__'.join(rest)!r}. {what}")


def available(kind: str) -> list[str]:
    """The names of the operators that a kind of field has."""
    return [name for name, entry in OPERATORS.items() if entry.kinds is None or kind in entry.kinds]


def checked_lookup(target: Reference, operator: Operator) -> Lookup:
    """A lookup. Raises `FieldError` when the field's kind does not have the operator."""
    if operator.kinds is not None and target.kind not in operator.kinds:
        raise FieldError(
            f"{target.owner.name}.{target.spec.label} ({target.kind}) has no lookup {operator.name!r}. "
            f"Choose from: {', '.join(available(target.kind))}."
        )
    if target.keys:
        return Lookup(target, operator)
    identity = (target, operator)
    found = target.schema.cache.get(identity)
    if found is None:
        found = target.schema.cache[identity] = Lookup(target, operator)
    return found


def intern(
    schema: Schema, path: Path, spec: FieldSpec, transform: Transform | None = None, keys: tuple[str | int, ...] = ()
) -> Reference:
    """The one reference to a column; a key at the end of a to-one relation is the foreign key before it: no join."""
    if path and path[-1].holds_key and path[-1].far is spec:
        path, spec = path[:-1], path[-1].near
    if keys:
        return Reference(schema, path, spec, transform, keys)
    identity = (path, spec, transform)
    found = schema.cache.get(identity)
    if found is None:
        found = schema.cache[identity] = Reference(schema, path, spec, transform)
    return found


# ---------------------------------------------------------------- values


def condition(schema: Schema, words: str, value: Any) -> Condition:
    """The condition that a word and its value make. Raises `FieldError` and `ValidationError`."""
    found = schema.cache.get(words)
    return compare(found if found is not None else lookup_for(schema, words), value)


def compare(lookup: Lookup, value: Any) -> Condition:
    """The condition that a lookup and its operand make."""
    operand = lookup.operator.operand
    if isinstance(value, (Node, QueryHolder, sa.ColumnElement)):
        return _compare_expression(lookup, value)
    if operand == "value":
        if value is None:
            return _is_null(lookup)
        return _leaf(lookup, (lookup.check(_key_of(lookup, value)),))
    if operand == "text":
        return _leaf(lookup, (check_text(lookup, value),))
    if operand == "values":
        return _members(lookup, value)
    if operand == "flag":
        return _flag(lookup, value)
    return _pair(lookup, value)


def _wrong(lookup: Lookup, value: Any, message: str) -> ValidationError:
    return ValidationError.single(lookup.name, message, value)


def _leaf(lookup: Lookup, values: tuple[Any, ...]) -> Leaf:
    reference, operator = lookup.reference, lookup.operator
    if reference.keys:
        variant = json_variant(values[0]) if operator.operand == "value" else None
        key = ("json", reference.schema, reference.path, reference.spec, operator, variant, len(values))
        return Leaf(lookup, (reference.keys, *values), key)
    if operator.variant is not None:
        return Leaf(lookup, values, (lookup.key, operator.variant(values[0])))
    return Leaf(lookup, values, lookup.key)


def json_variant(value: Any) -> str:
    """What kind of JSON value it is: SQL depends on it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "document"


def _is_null(lookup: Lookup) -> Condition:
    if lookup.operator.name != "exact":
        raise ValidationError.single(
            lookup.name,
            f"{lookup.name} cannot be compared with None: the result is unknown. Use {lookup.field}__isnull=True.",
            None,
        )
    if lookup.reference.keys or (lookup.reference.kind == "json" and not lookup.reference.spec.null):
        return _leaf(lookup, (None,))  # JSON's null, which is a value
    return _flag(checked_lookup(lookup.reference, OPERATORS["isnull"]), True)


def _flag(lookup: Lookup, value: Any) -> Condition:
    if not isinstance(value, bool):
        raise _wrong(lookup, value, f"{lookup.name} takes True or False, not {value!r}.")
    asked = lookup if value else checked_lookup(lookup.reference, NOT_NULL)
    return Leaf(asked, (asked.reference.keys,) if asked.reference.keys else (), _null_key(asked))


def _null_key(lookup: Lookup) -> Any:
    reference = lookup.reference
    if reference.keys:
        return ("json", reference.schema, reference.path, reference.spec, lookup.operator)
    return lookup.key


def _members(lookup: Lookup, value: Any) -> Condition:
    if lookup.reference.keys or lookup.reference.kind == "json":
        exact = checked_lookup(lookup.reference, OPERATORS["exact"])
        return simplify("or", [compare(exact, item) for item in _items(lookup, value)])
    checked = _listed(lookup, value)
    return Members(lookup, checked) if checked else _NEVER


def _listed(lookup: Lookup, value: Any) -> list[Any]:
    """The checked items of a list."""
    return [lookup.check(item) for item in _items(lookup, value)]


def _items(lookup: Lookup, value: Any) -> list[Any]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ValidationError.single(
            lookup.name, f"{lookup.name} takes a list, a set or another iterable, not {value!r}.", value
        )
    return [_key_of(lookup, item) for item in value if item is not None]  # pyright: ignore[reportUnknownVariableType]


def _pair(lookup: Lookup, value: Any) -> Condition:
    if not isinstance(value, (tuple, list)) or len(value) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise _wrong(lookup, value, f"{lookup.name} takes a pair (from, to), not {value!r}.")
    low, high = value  # pyright: ignore[reportUnknownVariableType]
    if isinstance(low, Param) or isinstance(high, Param):
        return ParameterLeaf(lookup, (_end(lookup, low), _end(lookup, high)), lookup.key)
    return _leaf(lookup, (lookup.check(low), lookup.check(high)))


def _end(lookup: Lookup, value: Any) -> Any:
    return Slot(value, lookup.name, lookup.check) if isinstance(value, Param) else lookup.check(value)


def check_text(lookup: Lookup, value: Any) -> str:
    """The operand of a text lookup. Raises `ValidationError` when it is no text that a database takes."""
    if not isinstance(value, str):
        raise _wrong(lookup, value, f"{lookup.name} takes a text, not {value!r}.")
    if "\0" in value:
        raise ValidationError.single(
            lookup.name, f"{lookup.name}: a text with a NUL character cannot be in a database.", value
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValidationError.single(
                lookup.name, f"{lookup.name}: {value!r} has surrogates and is no valid text.", value
            ) from None
    return value


def _key_of(lookup: Lookup, value: Any) -> Any:
    """The key of an instance; any other value as it is."""
    if not isinstance(value, Instance):
        return value
    reference = lookup.reference
    expected = _key_target(reference)
    schema = type(value).__schema__
    if expected is None or expected is not schema:
        wanted = f"an instance of {expected.name}" if expected else f"a value ({reference.kind})"
        raise FieldError(f"{lookup.name} takes {wanted}, not one of {schema.name}.")
    key = getattr(value, schema.key.name)
    if key is None:
        raise ValidationError.single(
            lookup.name, f"{value!r} has no key yet. Save it before you use it in a filter.", value
        )
    return key


def _key_target(reference: Reference) -> Schema | None:
    spec = reference.spec
    if spec.relation is not None:
        relation = reference.owner.relation(spec.relation)
        return relation.target if relation else None
    return reference.owner if spec is reference.owner.key else None


def _compare_expression(lookup: Lookup, value: Any) -> Condition:
    schema = lookup.reference.schema
    if isinstance(value, Param):
        return _compare_parameter(lookup, value)
    if isinstance(value, QueryHolder):
        return _in_query(lookup, value.query)
    if not lookup.operator.expressions or lookup.reference.keys:
        raise FieldError(f"{lookup.name} takes a value, not the expression {value!r}.")
    if isinstance(value, sa.ColumnElement):
        value = Clause(cast("Any", value))
    node = resolve(schema, value)
    return Compared(lookup, node)


def _compare_parameter(lookup: Lookup, param: Param) -> Condition:
    reference, operand = lookup.reference, lookup.operator.operand
    is_json = bool(reference.keys) or reference.kind == "json"
    if (is_json and operand == "values") or (reference.keys and operand == "value"):
        raise FieldError(
            f"{lookup.name} cannot be compared with {param!r}: how JSON is compared depends on the value's type. "
            "Compile a query for each value, or do not compile it."
        )
    if operand == "flag":
        raise FieldError(f"{lookup.name} takes True or False, not {param!r}: compile a query for each of the two.")
    if operand == "pair":
        raise FieldError(f"{lookup.name} takes a pair (from, to), not {param!r}. Each of the two may be a Param.")
    if operand == "values":
        return ParameterMembers(lookup, Slot(param, lookup.name, partial(_listed, lookup)))
    made = _leaf(lookup, (Slot(param, lookup.name, _checker(lookup)),))
    return ParameterLeaf(lookup, made.values, made.key)


def _checker(lookup: Lookup) -> Checker:
    """What checks one operand, as `compare` does."""
    if lookup.operator.operand == "text":
        return partial(check_text, lookup)
    if _key_target(lookup.reference) is None:
        return lookup.check
    return lambda value: lookup.check(_key_of(lookup, value))


def _in_query(lookup: Lookup, query: Query) -> Condition:
    if lookup.operator.name != "in":
        raise FieldError(f"{lookup.name} takes a value, not a query set. Use {lookup.field}__in=…, or await it first.")
    if query.empty:
        return _NEVER
    columns = query.columns
    if columns is None:
        expected = _key_target(lookup.reference)
        if expected is not query.schema:
            raise FieldError(
                f"{lookup.name} cannot be compared with rows of {query.schema.name}. "
                f"Name one column: .values_list('…')."
            )
        columns = (intern(query.schema, (), query.schema.key),)
    elif len(columns) != 1:
        raise FieldError(f"{lookup.name} takes a query set of one column, not of {len(columns)}.")
    return InQuery(lookup, query.replace(columns=columns))


# ---------------------------------------------------------------- order


def ordering(schema: Schema, term: Any) -> Ordering:
    """A term of ORDER BY: `"name"`, `"-name"`, a column, an expression or an `Ordering`."""
    if isinstance(term, str):
        descending = term.startswith("-")
        return _checked(Ordering(reference(schema, term[1:] if descending else term), descending=descending))
    if isinstance(term, Ordering):
        return _checked(cast("Ordering", resolve(schema, term)))
    if isinstance(term, Expression):
        return _checked(Ordering(resolve(schema, cast("Any", term))))
    if isinstance(term, sa.ColumnElement):
        return _core_ordering(schema, cast("Any", term))
    raise FieldError(f"{term!r} cannot be ordered by. Give a name, '-name', a column, or an expression.")


def _core_ordering(schema: Schema, term: sa.ColumnElement[Any]) -> Ordering:
    """An expression of Core, with its `desc()`, `nulls_last()` and the like as ours."""
    descending, nulls = False, None
    while isinstance(term, sa.UnaryExpression) and term.modifier in _CORE_ORDERS:
        made = _CORE_ORDERS[term.modifier]
        descending = made == "desc" or descending
        nulls = made if made in ("first", "last") else nulls
        term = term.element
    return Ordering(_checked_clause(schema, Clause(term)), descending=descending, nulls=cast("Any", nulls))


_CORE_ORDERS: Mapping[Any, str] = {
    operators.asc_op: "asc",
    operators.desc_op: "desc",
    operators.nulls_first_op: "first",
    operators.nulls_last_op: "last",
}


def _checked(term: Ordering) -> Ordering:
    refuse_many(term, "order by")
    return term


def refuse_many(node: Node, what: str) -> None:
    """Raise `FieldError` for a column of which there may be several for one row."""
    if isinstance(node, Reference):
        for hop in node.path:
            if hop.many:
                raise FieldError(
                    f"Cannot {what} {node!r}: {hop.source.name} has many {hop.target.name} rows. "
                    "It would give rows several times."
                )
    for part in node.parts:
        refuse_many(part, what)
