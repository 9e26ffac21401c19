"""README and docs tell the truth: their Python runs, prints what they say, and their links lead somewhere.

The ```python blocks of a page run one after the other, in one namespace and one event loop, in an empty directory. A
```text block right after one is what it prints. A block fenced as ```python no-run is only compiled.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import re
import sys
import types
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")))]
LINKED = [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md", "migrations_example/README.md"]

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#+\s+(?P<text>.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    info: str
    text: str
    line: int
    start: int
    end: int


def blocks(page: str) -> Iterator[Block]:
    for match in FENCE.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        yield Block(match["info"].strip(), match["text"], line, match.start(), match.end())


def compiled(block: Block, name: str, flags: int = 0) -> types.CodeType:
    """The block's code; its lines are those of the page, so that a traceback points there."""
    flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code: types.CodeType = compile("\n" * block.line + block.text, name, "exec", flags, dont_inherit=True)
    return code


async def run(page: str, name: str) -> None:
    """Run a page's blocks in order and compare what they print with what the page says."""
    found = list(blocks(page))
    module = types.ModuleType(f"page_{re.sub(r'[^a-zA-Z0-9]', '_', name)}")
    sys.modules[module.__name__] = module
    try:
        future = 0
        for block, following in zip_longest(found, found[1:]):
            if block.info != "python":
                continue
            code = compiled(block, name, future)
            future |= (
                code.co_flags & __future__.annotations.compiler_flag
            )  # stated once, it holds for the rest of the page
            with redirect_stdout(StringIO()) as printed:
                result: Any = eval(code, module.__dict__)
                if inspect.iscoroutine(result):
                    await result
            if following and following.info == "text" and not page[block.end : following.start].strip():
                assert printed.getvalue().rstrip() == following.text.rstrip(), f"{name}:{following.line}"
    finally:
        del sys.modules[module.__name__]


def anchors(page: str) -> set[str]:
    headings = (match["text"] for match in HEADING.finditer(FENCE.sub("", page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(path: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    missing: list[str] = []
    for match in LINK.finditer(FENCE.sub("", path.read_text(encoding="utf-8"))):
        file, _, fragment = match["target"].partition("#")
        if re.match(r"[a-z]+:", file):
            continue
        target = path.parent / file if file else path
        if not target.exists() or (fragment and fragment not in anchors(target.read_text(encoding="utf-8"))):
            missing.append(match["target"])
    return missing


@pytest.mark.usefixtures("registered_words")
@pytest.mark.parametrize("page", PAGES)
async def test_the_code_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await run((ROOT / page).read_text(encoding="utf-8"), page)


@pytest.mark.parametrize("page", PAGES)
def test_python_that_is_not_run_compiles(page: str) -> None:
    for block in blocks((ROOT / page).read_text(encoding="utf-8")):
        assert not block.info.startswith("python") or block.info in {"python", "python no-run"}, f"{page}:{block.line}"
        if block.info == "python no-run":
            compiled(block, page)


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(page: str) -> None:
    assert broken(ROOT / page) == []


async def test_what_a_page_says_is_compared() -> None:
    with pytest.raises(AssertionError, match=r"page\.md:4"):
        await run("```python\nprint(1)\n```\n```text\n2\n```\n", "page.md")
    await run("```python\nimport asyncio\nawait asyncio.sleep(0)\nprint(1)\n```\n\n```text\n1\n```\n", "page.md")
