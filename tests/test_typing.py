"""What type checkers see: exactly the marked lines of an application are wrong, and what they accept runs."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
import pytest_asyncio

import orm
from orm import Page
from orm.columns import Step
from orm.database import Database
from tests.databases import created
from tests.typing.app import (
    accepts,
    accepts_constraints,
    accepts_expressions,
    accepts_fields,
    accepts_inheritance,
    accepts_models,
    accepts_signals,
)
from tests.typing.app.base import models
from tests.typing.app.notes import Note, Tag
from tests.typing.app.samples import Nullable, Sample
from tests.typing.app.users import User

ROOT = Path(__file__).parent.parent
APP = ROOT / "tests/typing/app"
MARK = re.compile(r"  # type: ignore$")
Line = tuple[str, int]

WRONG = "assert_type(Note.text, orm.Column[int])\n"
"""Is written below each file of what must be accepted, to see that it is read to the end."""

UNSEEN = {
    "ty": {
        # An annotation that does not fit the descriptor on its right-hand side.
        "a: orm.Field[int] = orm.String(max_length=100)",
        "b: orm.Field[str] = orm.String(max_length=100, null=True)",
        "c: orm.Field[decimal.Decimal] = orm.Float()",
        "d: orm.Field[Colour] = orm.Enum(Size)",
        "e: orm.Related[User] = orm.ForeignKey(Note)",
        "f: orm.Related[User] = orm.ForeignKey(User, null=True)",
        "g: orm.Related[User] = orm.OneToOne(Note)",
        "h: orm.RelatedSet[User] = orm.ManyToMany(Note)",
        "i: orm.Field[datetime.datetime] = orm.Date()",
        "a: orm.GenericRelated[User] = orm.GenericForeignKey(Note)",
        "b: orm.GenericRelated[User] = orm.GenericForeignKey(User, null=True)",
        # A keyword that `**options: Unpack[…]` does not have.
        "c: orm.Field[str] = orm.String(max_length=100, nul=True)",
        "f: orm.Field[str] = orm.Text(max_length=100)",
        "i: orm.Field[int] = orm.Integer(max_length=3)",
        "n: orm.Field[int] = orm.BigAutoField(default=1)",
        'orm.DateTime(auto_now="server")',
        "orm.DateTime(auto_now=True, default=datetime.datetime.now)",
        "orm.UUID(version=1)",
        "p: orm.Field[datetime.datetime] = orm.DateTime(auto_nao=True)",
        "c: orm.GenericRelated[User] = orm.GenericForeignKey(User, default=3)",
        'orm.Database("sqlite:///x.db", nonsense=1)',
    },
}
"""What a checker cannot see, as measured; it fails here when it has learnt to."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The application without its marks, as a project of its own beside the library."""
    shutil.copytree(APP, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path / "app").glob("accepts*.py"):
        with path.open("a") as accepted:
            accepted.write(WRONG)
    for rejects in (tmp_path / "app").glob("rejects*.py"):
        rejects.write_text("".join(f"{MARK.sub('', line)}\n" for line in rejects.read_text().splitlines()))
    (tmp_path / "orm").symlink_to(ROOT / "orm")
    shutil.copy(ROOT / "tests/typing/pyproject.toml", tmp_path)
    return tmp_path


def run(project: Path, *command: str) -> str:
    """What a checker prints; it must say itself that it ran to the end and found errors."""
    environment = {**os.environ, "MYPYPATH": "", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def lines(output: str, pattern: str) -> set[Line]:
    """Where a checker's lines of text say that there are errors in the application."""
    found = re.findall(pattern, output, re.MULTILINE)
    return {(Path(path).name, int(line)) for path, line in found}


def mypy(project: Path) -> set[Line]:
    output = run(project, "mypy", "--cache-dir", str(project / ".mypy_cache"))
    return lines(output, r"^(app/[^:]+):(\d+): error:")


def pyright(project: Path) -> set[Line]:
    report = json.loads(run(project, "pyright", "--pythonpath", sys.executable, "--outputjson"))
    return {
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1)
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    }


def ty(project: Path) -> set[Line]:
    output = run(project, "ty", "check", "--output-format", "concise", "--python", sys.executable)
    return lines(output, r"^(app/[^:]+):(\d+):\d+: error")


def pyrefly(project: Path) -> set[Line]:
    command = ["pyrefly", "check", "--output-format", "min-text", "--python-interpreter-path", sys.executable]
    return lines(run(project, *command), r"^\s*ERROR (app/[^:]+):(\d+):")


def marked(unseen: set[str]) -> set[Line]:
    """The lines that a checker must report."""
    texts = {
        (path.name, number): MARK.sub("", line).strip()
        for path in APP.glob("rejects*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if MARK.search(line)
    }
    assert unseen <= set(texts.values())
    added = {(path.name, len(path.read_text().splitlines()) + 1) for path in APP.glob("accepts*.py")}
    return added | {line for line, text in texts.items() if text not in unseen}


@pytest.mark.parametrize("checker", [mypy, pyright, ty, pyrefly])
def test_a_checker_reports_exactly_the_marked_lines(checker: Any, project: Path) -> None:
    reported = checker(project)
    expected = marked(UNSEEN.get(checker.__name__, set()))
    assert (sorted(expected - reported), sorted(reported - expected)) == ([], [])


@pytest.mark.parametrize("constructor", [orm.AutoField, orm.BigAutoField, orm.Version])
def test_nobody_gives_what_is_made(constructor: Any) -> None:
    constructor(init=False)
    with pytest.raises(orm.FieldError, match="init is for type checkers"):
        constructor(init=True)


@pytest_asyncio.fixture
async def application(database: Database) -> AsyncIterator[dict[str, Any]]:
    """What the functions of `accepts` take, by the names of their parameters."""
    async with created(models, database):
        user = await User.objects.create(name="Tom")
        note = await Note.objects.create(text="first", author=user, editor=user)
        yield {
            "database": database,
            "user": await User.objects.select_related("profile").get(id=user.id),
            "note": await Note.objects.select_related("author", "editor").get(id=note.id),
            "tag": await Tag.objects.create(name="x"),
            "sample": await Sample.objects.get(pk=(await accepts.full_sample().save()).key),
            "nullable": await Nullable.objects.create(),
        }


ACCEPTED = (
    accepts,
    accepts_constraints,
    accepts_expressions,
    accepts_fields,
    accepts_inheritance,
    accepts_models,
)
PARAMETERS = {"database", "user", "note", "tag", "sample", "nullable"}
FUNCTIONS = {
    f"{module.__name__.rpartition('.')[2]}-{name}": function
    for module in (
        accepts,
        accepts_constraints,
        accepts_expressions,
        accepts_fields,
        accepts_inheritance,
        accepts_models,
        accepts_signals,
    )
    for name, function in vars(module).items()
    if inspect.iscoroutinefunction(function)
    and function.__module__ == module.__name__
    and set(inspect.signature(function).parameters) <= PARAMETERS
}


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of the type that the checkers see."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is type:  # what is a model's class for the checkers is a step over a relation
        return isinstance(value, Step) or (isinstance(value, type) and issubclass(value, arguments[0]))
    if kind is None:
        return value is None
    expected: Any = origin or kind
    if not isinstance(value, expected):
        return False
    if origin is list:
        return all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return all(fits(name, arguments[0]) and fits(item, arguments[1]) for name, item in value.items())
    if origin is tuple:
        return all(fits(item, argument) for item, argument in zip(value, arguments, strict=True))
    return origin is not Page or all(fits(item, arguments[0]) for item in value)


def assert_fits(value: Any, kind: Any) -> Any:
    """Take the place of `assert_type`, which does nothing at run time."""
    assert fits(value, kind), f"{value!r} is no {kind}"
    return value


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_what_is_accepted_runs(name: str, application: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    function = FUNCTIONS[name]
    monkeypatch.setitem(function.__globals__, "assert_type", assert_fits)
    await function(**{name: application[name] for name in inspect.signature(function).parameters})
