"""Columns and lookups of a schema, each the same object each time, so that shapes hash fast."""

from __future__ import annotations

from typing import Any, cast

from orm.aggregates import Aggregate
from orm.conditions import Leaf, Lookup, kind_of
from orm.exceptions import FieldError
from orm.expressions import Condition, Expression, Reference, output_of
from orm.hierarchy import seen_from
from orm.keys import KIND
from orm.operators import OPERATORS, Operator, names, own
from orm.query import Node, Path
from orm.schema import Relation, Schema
from orm.specs import FieldSpec
from orm.transforms import Transform


def leads_between(hop: Relation) -> bool:
    """Whether a hop leads to the rows between of a many-to-many relation, from which the next one leads on."""
    return hop.many and hop.spec.kind in ("foreign_key", "one_to_one")


def _may_be_hidden(path: Path) -> bool:
    """Whether a row between, at the end of a many-to-many relation, may lead to a row that is hidden."""
    return path[-1].target.implied is not None and len(path) > 1 and leads_between(path[-2])


def intern(schema: Schema, path: Path, spec: FieldSpec, keys: tuple[str | int, ...] = ()) -> Reference:
    """The one reference to a column; a key at the end of a to-one relation is the foreign key before it: no join.

    A column that is inherited from a model with another table is a step further. The key in a row between of a
    many-to-many relation does not stand for a row of the target that may be hidden.
    """
    while path and path[-1].holds_key and not _may_be_hidden(path):
        before = _key_before(path[-1], spec)
        if before is None:
            break
        path, spec = path[:-1], before
    steps = (path[-1].target if path else schema).steps
    if steps:
        path = (*path, *steps.get(spec.fields[0].name, ()))
    if keys:
        return Reference(schema, path, spec, keys)
    identity = (path, spec)
    found = schema.cache.get(identity)
    if found is None:
        found = schema.cache[identity] = Reference(schema, path, spec)
    return cast("Reference", found)


def moved(schema: Schema, node: Node) -> Node:
    """A node about a model in the line of inheritance of another one, as a query of the other sees it.

    Columns of models that have nothing to do with it stay what they are.
    """
    if isinstance(node, Reference):
        path = None
        if node.schema is not schema and node.schema.root is schema.root:
            path = seen_from(schema, node.schema, node.path, node.spec)
        if path is None:
            return cast("Node", node)
        own = schema.fields.get(node.spec.name) if all(hop.is_step for hop in path) else None
        return intern(schema, path, own or node.spec, node.keys)
    children = tuple([moved(schema, child) for child in node.children])
    changed = any(new is not old for new, old in zip(children, node.children, strict=True))
    return node.with_children(children) if changed else node


def _key_before(last: Relation, spec: FieldSpec) -> FieldSpec | None:
    """The field of a foreign key that has the value of a field of the row that it refers to."""
    if last.far is spec:
        return last.near
    if spec not in last.far.parts or last.near.null:  # where another part is NULL there is no row, whatever this one is
        return None
    return next(near for near, far in last.pairs if far is spec)


def parts_of(node: Node) -> tuple[Node, ...]:
    """The columns of a key of several fields; any other expression alone."""
    if not isinstance(node, Reference):
        return (node,)
    reference: Reference[Any] = cast("Any", node)
    parts = reference.spec.parts
    return tuple([intern(reference.schema, reference.path, part) for part in parts]) if parts else (reference,)


def width(node: Node) -> int:
    """How many columns a value has."""
    return len(output_of(node).fields)


def refuse_key(node: Node, what: str) -> None:
    """Raise `FieldError` for a key of several fields, which is no value of one column."""
    if isinstance(node, Expression) and kind_of(cast("Any", node)) == KIND:
        names = ", ".join(map(repr, parts_of(cast("Any", node))))
        raise FieldError(f"Cannot {what} {names}, a key of several fields. Name one of them.")


def transformed(schema: Schema, left: Expression, transform: Transform) -> Expression:
    """A transform of an expression; of a column always the same object."""
    if not isinstance(left, Reference) or left.keys:
        return transform.function(left)
    identity = (left, transform)
    found = schema.cache.get(identity)
    if found is None:
        found = schema.cache[identity] = transform.function(left)
    return cast("Expression", found)


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


def fixed(relation: Relation) -> tuple[Leaf, ...]:
    """The condition that the rows of a relation's target meet, whichever row they are related to."""
    if relation.fixed is None:
        return ()
    spec, value = relation.fixed
    return (Leaf(checked_lookup(relation.target, intern(relation.target, (), spec), OPERATORS["exact"]), (value,)),)
