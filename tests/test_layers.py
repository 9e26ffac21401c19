"""The house rules that a machine can check: layers, cycles and sizes. The table below is the authority."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = {
    "orm.exceptions": 0,
    "orm.version": 0,
    "orm.database": 1,
    "orm.types": 2,
    "orm.schema": 2,
    "orm.registry": 2,
    "orm.specs": 2,
    "orm.genericspecs": 2,
    "orm.ddl": 2,
    "orm.keys": 2,
    "orm.resolution": 2,
    "orm.states": 2,
    "orm.tables": 2,
    "orm.query": 2,
    "orm.plaintext": 2,
    "orm.operators": 2,
    "orm.jsonpath": 2,
    "orm.engines": 2,
    "orm.support": 2,
    "orm.violations": 2,
    "orm.comments": 2,
    "orm.enumerations": 2,
    "orm.identifiers": 2,
    "orm.clocks": 2,
    "orm.explain": 3,
    "orm.moments": 2,
    "orm.arithmetic": 2,
    "orm.parts": 2,
    "orm.periods": 2,
    "orm.zones": 2,
    "orm.lists": 2,
    "orm.validation": 3,
    "orm.instances": 3,
    "orm.generics": 3,
    "orm.kinds": 3,
    "orm.jsonforms": 3,
    "orm.expressions": 3,
    "orm.conditions": 3,
    "orm.parameters": 3,
    "orm.operands": 3,
    "orm.subqueries": 3,
    "orm.sources": 3,
    "orm.aggregates": 3,
    "orm.collecting": 3,
    "orm.windows": 3,
    "orm.functions": 3,
    "orm.transforms": 3,
    "orm.jsonlookups": 3,
    "orm.arrays": 3,
    "orm.hstores": 3,
    "orm.networks": 3,
    "orm.mutations": 5,
    "orm.ranges": 3,
    "orm.fulltext": 3,
    "orm.trigrams": 3,
    "orm.registration": 3,
    "orm.references": 3,
    "orm.comparing": 3,
    "orm.lookups": 3,
    "orm.signals": 3,
    "orm.ordering": 3,
    "orm.literals": 3,
    "orm.definitions": 4,
    "orm.constraints": 4,
    "orm.exclusion": 4,
    "orm.rowterms": 4,
    "orm.fields": 4,
    "orm.restrictions": 4,
    "orm.constructors": 4,
    "orm.generated": 4,
    "orm.custom": 4,
    "orm.numeric": 4,
    "orm.temporal": 4,
    "orm.textual": 4,
    "orm.postgresql": 4,
    "orm.columns": 4,
    "orm.scopes": 4,
    "orm.elements": 4,
    "orm.rowvalues": 4,
    "orm.filtering": 4,
    "orm.windowing": 4,
    "orm.implied": 4,
    "orm.compiler": 4,
    "orm.entities": 4,
    "orm.paths": 4,
    "orm.locks": 4,
    "orm.targets": 4,
    "orm.loader": 4,
    "orm.aggregation": 4,
    "orm.annotating": 5,
    "orm.combining": 5,
    "orm.plans": 5,
    "orm.returning": 5,
    "orm.writing": 5,
    "orm.joined": 5,
    "orm.conflicts": 5,
    "orm.persistence": 5,
    "orm.announcing": 5,
    "orm.cleaning": 5,
    "orm.prefetch": 5,
    "orm.reading": 5,
    "orm.chain": 6,
    "orm.compiled": 6,
    "orm.rows": 6,
    "orm.statements": 6,
    "orm.queryset": 6,
    "orm.pagination": 6,
    "orm.cursors": 6,
    "orm.related": 7,
    "orm.relations": 7,
    "orm.pydantic_models": 7,
    "orm.instance_models": 7,
    "orm.generickeys": 7,
    "orm.declaration": 8,
    "orm.attributes": 8,
    "orm.hierarchy": 2,
    "orm.bases": 8,
    "orm.inheritance": 8,
    "orm.metaclass": 8,
    "orm.models": 8,
    "orm": 9,
    "orm.migrations": 9,
    "orm.wording": 9,
    "orm.catalogs": 9,
    "orm.reflection": 9,
    "orm.operations": 9,
    "orm.sqlitewords": 9,
    "orm.connecting": 9,
    "orm.cli": 9,
    "orm.__main__": 9,
}
"""A module's layer; a package's counts for every module in it. Imports run to a lower layer, or within one."""

PACKAGES = ("orm.cli", "orm.database", "orm.functions", "orm.migrations")

OPTIONAL = {"aiomysql", "aiosqlite", "alembic", "asyncmy", "asyncpg", "databases", "pymysql"}
"""What may be imported inside a function, because it may not be installed."""

DRIVERS = {f"orm.database.{name}" for name in ("sqlite", "postgresql", "mysql", "encode")}
"""Our modules that import a driver at their top, and so may be imported inside a function, too."""

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_USUAL_FUNCTION_LINES = 25

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One imported name: `target` is the module it comes from."""

    target: str
    line: int
    inside_function: bool


@dataclass(frozen=True)
class Module:
    """One file of the library, parsed."""

    name: str
    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @cached_property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))

    def imports(self, modules: frozenset[str]) -> Iterator[Import]:
        """Every import, those inside functions and under TYPE_CHECKING too."""
        inside = {id(node) for function in self.functions() for node in ast.walk(function)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for target in self._targets(node, modules):
                    yield Import(target, node.lineno, id(node) in inside)

    def _targets(self, node: ast.Import | ast.ImportFrom, modules: frozenset[str]) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            return
        base = node.module or ""
        if node.level:
            parts = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
            base = ".".join([*parts[: len(parts) - node.level + 1], *base.split(".")]).rstrip(".")
        for alias in node.names:
            name = f"{base}.{alias.name}"
            yield name if name in modules else base

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def code_lines(self) -> int:
        """How many lines have code: neither blank, nor comment, nor docstring."""
        silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in silent:
                lines.update(range(token.start[0], token.end[0] + 1))
        return len(lines - {line for node in _documentation(self.tree) for line in _lines(node)})


def _lines(node: ast.AST) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)  # type: ignore[attr-defined]


def _documentation(tree: ast.Module) -> Iterator[ast.Expr]:
    """Docstrings, and the strings that document an attribute below it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node


def _function_lines(function: Function) -> int:
    """How long a function's body is, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def _is_overload(function: Function) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in function.decorator_list)


@lru_cache
def library() -> dict[str, Module]:
    """Every module under orm/, by name."""
    found: dict[str, Module] = {}
    for path in sorted((ROOT / "orm").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, path.read_text(encoding="utf-8"))
    return found


def layer(name: str) -> int | None:
    """The layer of a module, or `None` when the table does not have it."""
    package = next((package for package in PACKAGES if name.startswith(package + ".")), name)
    return LAYERS.get(package)


def edges(modules: dict[str, Module]) -> dict[str, dict[str, int]]:
    """Which module imports which of the others, and on what line first."""
    names = frozenset(modules)
    graph: dict[str, dict[str, int]] = {name: {} for name in modules}
    for module in modules.values():
        for item in module.imports(names):
            if item.target in names and item.target != module.name:
                graph[module.name].setdefault(item.target, item.line)
    return graph


def cycle(graph: dict[str, Iterable[str]]) -> list[str] | None:
    """A cycle of the graph, or `None`."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for target in graph.get(name, ()):
            found = visit(target, [*path, name])
            if found:
                return found
        done.add(name)
        return None

    return next((found for name in graph if (found := visit(name, []))), None)


def upward(modules: dict[str, Module]) -> list[str]:
    """Every import that runs to a higher layer."""
    return [
        f"{modules[name].where}:{line}: {name} ({layer(name)}) imports {target} ({layer(target)})"
        for name, targets in edges(modules).items()
        for target, line in targets.items()
        if layer(name) is not None and (layer(name) or 0) < (layer(target) or 0)
    ]


def hidden(modules: dict[str, Module]) -> list[str]:
    """Every import inside a function that is not of an optional driver."""
    names = frozenset(modules)
    return [
        f"{module.where}:{item.line}: imports {item.target} inside a function"
        for module in modules.values()
        for item in module.imports(names)
        if item.inside_function and item.target.split(".")[0] not in OPTIONAL and item.target not in DRIVERS
    ]


def sample(name: str, text: str) -> dict[str, Module]:
    """A library of one module, or of two with `orm.models`, to check the checks with."""
    path = ROOT / (name.replace(".", "/") + ".py")
    models = Module("orm.models", ROOT / "orm/models.py", "import orm.schema\n")
    return {"orm.models": models, name: Module(name, path, text)}


def test_every_module_has_a_layer() -> None:
    missing = [name for name in library() if layer(name) is None]
    assert not missing, f"Give these a layer in the table of this file: {', '.join(missing)}"
    assert set(LAYERS) <= set(library()), "the table names modules that are gone"


def mapped(text: str) -> list[tuple[str, int]]:
    """The modules of the map in CONTRIBUTING.md with their layers, as often as they stand there."""
    found: list[tuple[str, int]] = []
    number = -1
    for row in re.finditer(r"^\| (?P<layer>\d?) ?\| (?P<modules>(?:`[\w/]+` )+)\|", text, re.MULTILINE):
        number = int(row["layer"] or number)
        for name in re.findall(r"`(\w+)/?`", row["modules"]):
            found.append(("orm" if name == "__init__" else f"orm.{name}", number))
    return found


def test_the_map_has_every_module_once() -> None:
    found = mapped((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert sorted(found) == sorted(LAYERS.items()), "mend the map in CONTRIBUTING.md"


def test_rows_of_the_map_go_on_with_their_layer() -> None:
    assert mapped(
        "| Layer | Modules |\n| --- | --- |\n| 9 | `__init__` | a |\n| | `cli/` | b |\n| 1 | `a` `b` | `c` |\n"
    ) == [
        ("orm", 9),
        ("orm.cli", 9),
        ("orm.a", 1),
        ("orm.b", 1),
    ]


def test_imports_run_downwards() -> None:
    assert upward(library()) == []


def test_there_is_no_cycle() -> None:
    found = cycle({name: list(targets) for name, targets in edges(library()).items()})
    assert found is None, " -> ".join(found or [])


def test_imports_stand_at_the_top() -> None:
    assert hidden(library()) == []


def test_files_are_short() -> None:
    long = {module.where: lines for module in library().values() if (lines := module.code_lines()) > MAX_FILE_LINES}
    assert not long, f"Split by responsibility: {long}"


def test_functions_are_short() -> None:
    lengths = {
        f"{module.where}:{function.lineno} {function.name}": _function_lines(function)
        for module in library().values()
        for function in module.functions()
        if not _is_overload(function)
    }
    long = {where: lines for where, lines in lengths.items() if lines > MAX_FUNCTION_LINES}
    assert not long
    ordered = sorted(lengths.values())
    assert ordered[len(ordered) * 9 // 10] <= MAX_USUAL_FUNCTION_LINES


@pytest.mark.parametrize(
    "text",
    [
        "import orm.models",
        "from orm.models import Model",
        "from orm import models",
        "from . import models",
        "from .models import Model",
        "def late():\n    from orm.models import Model",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from orm.models import Model",
    ],
)
def test_an_import_that_runs_upwards_is_found(text: str) -> None:
    assert len(upward(sample("orm.schema", text))) == 1


def test_a_cycle_is_found() -> None:
    assert cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert cycle({"a": ["b", "c"], "b": ["c"], "c": []}) is None


def test_an_import_inside_a_function_is_found() -> None:
    text = "def late():\n    import json\n    import asyncpg\n    from orm.database.mysql import Source\n"
    found = hidden(sample("orm.schema", text) | sample("orm.database.mysql", ""))
    assert [line.split(": ")[1] for line in found] == ["imports json inside a function"]


def test_lines_are_counted_without_what_is_for_people() -> None:
    text = '"""Doc.\n\nMore.\n"""\n\n# why\nx = """a\nb\n"""\n"""What x is."""\n\n\ndef f() -> None:\n    """Doc."""\n'
    assert sample("orm.schema", text)["orm.schema"].code_lines() == 4
    lengths = [
        _function_lines(f)
        for f in ast.walk(ast.parse("def f():\n    '''Doc.'''\n    a\n\n    b\n"))
        if isinstance(f, Function)
    ]
    assert lengths == [3]
