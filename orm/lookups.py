"""Words become conditions: `author__name__icontains="x"` is looked up in the schema, and its value checked.

A wrong name, a lookup that the field does not have, or a value of the wrong type raises here, at the user's line.
Words are resolved against a `Query`, which has names of its own beside those of its schema: its annotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa

from orm import transforms
from orm.aggregates import Count
from orm.comparing import compare
from orm.conditions import Leaf, Lookup, Members, Q, kind_of, negate, simplify
from orm.exceptions import FieldError
from orm.expressions import Annotation, Clause, Comparison, Condition, Expression, F, Function, Handle, Reference, Tree
from orm.hierarchy import heir, way_to
from orm.jsonpath import word_key
from orm.operands import generic_of
from orm.operators import OPERATORS, names, reserved
from orm.parameters import Param
from orm.query import Node, Path, Query, QueryHolder, origin_of, walk
from orm.references import checked_lookup, intern, moved, named_lookup, refuse_key, refuse_many, transformed
from orm.schema import Relation, Schema
from orm.sources import CTEColumn
from orm.specs import FieldSpec
from orm.subqueries import Subselect, embedded


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
        return _rooted(query, handle.node)
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
            computed = type(cast("object", resolved)).__name__
            if not isinstance(resolved, (Condition, Count)):
                for part in cast("tuple[Any, ...]", resolved.parts):
                    refuse_key(part, f"compute {computed} of")
            cast("Any", resolved).check()
        return cast("Node", resolved)
    return _rooted(query, node)


def _rooted(query: Query, node: Node) -> Node:
    """A resolved node of the query's model; one of a model in its line of inheritance as the query sees it."""
    found = moved(query.schema, node)
    _check_root(query, found)
    return found


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
            path += owner.hops(relation)
            owner, last = relation.target, relation
            continue
        spec = owner.field(word)
        if spec is not None:
            return _finish_column(schema, path, spec, rest, words, operators)
        child = heir(owner, word) if owner.children else None
        if child is not None and rest:
            path, owner = path + way_to(owner, child), child
            continue
        if last is not None and operators and word in OPERATORS:
            return _finish_column(schema, path, _key_at(last), [word, *rest], words, operators)
        raise owner.unknown(word)
    return _finish_column(schema, path, owner.key if last is None else _key_at(last), [], words, operators)


def _key_at(relation: Relation) -> FieldSpec:
    """What a relation's name stands for: what a foreign key refers to; for others, the key of the target."""
    return relation.far if relation.holds_key else relation.target.key


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


def _unknown_lookup(left: Expression, words: str, rest: list[str], operators: bool) -> FieldError:
    generic = generic_of(left)
    if generic is not None:
        model, beyond = next(iter(generic.targets.values())), "__".join(rest)
        where = f"{cast('Reference', left).owner.name}.{generic.name}"
        return FieldError(
            f"{where} refers to rows of several models, so {words!r} cannot name a column of one. Use "
            f"{words.removesuffix(beyond)}in={model}.objects.filter({beyond}=…), or filter {model} over a "
            f"Reverse({where!r})."
        )
    kind = kind_of(left)
    choices = transforms.names(kind) + (names(kind) if operators else [])
    what = f"Choose from: {', '.join(choices)}." if choices else "Nothing can follow it here."
    label = left.spec.label if isinstance(left, Reference) else repr(left)
    return FieldError(f"{words!r}: {label} ({kind}) has no {'__'.join(rest)!r}. {what}")


def condition(query: Query, words: str, value: Any) -> Condition:
    """The condition that a word and its value make. Raises `FieldError` and `ValidationError`."""
    found = None if query.annotations else query.schema.cache.get(words)
    lookup: Lookup = found if found is not None else lookup_for(query, words)
    if isinstance(value, (Node, sa.ColumnElement, list, tuple)):
        value = resolved_operand(query, value)
    made = compare(lookup, value)
    return cast("Condition", _resolve_parts(query, made)) if isinstance(value, QueryHolder) else made
