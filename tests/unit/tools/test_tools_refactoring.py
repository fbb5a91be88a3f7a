from collections.abc import AsyncIterator

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.code import find_references
from codeflow.tools.edits.transaction import Write, write_all
from codeflow.tools.refactoring import code_actions, rename_symbol
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace


async def rename(ws: Workspace, symbol: str, new_name: str, **where: str | int) -> ToolResult:
    return await rename_symbol.function(ws, symbol, new_name, **where)


@pytest.fixture
async def project(ws: Workspace) -> AsyncIterator[Workspace]:
    (ws.root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (ws.root / "a.py").write_bytes(b"\xef\xbb\xbfdef old():\r\n    return 1  # old\r\n")
    (ws.root / "b.py").write_text('from a import old\n\nx = "\U0001f642", old()')
    yield ws
    await ws.servers.close()


async def test_every_use_is_renamed_and_nothing_else_of_the_bytes(project: Workspace):
    result = await rename(project, "old", "new")
    assert not result.is_error, result.content
    assert (project.root / "a.py").read_bytes() == b"\xef\xbb\xbfdef new():\r\n    return 1  # old\r\n"
    assert (project.root / "b.py").read_text() == 'from a import new\n\nx = "\U0001f642", new()'
    assert sorted(result.changed) == ["a.py", "b.py"]
    assert result.content.startswith("Renamed old to new.\n")


@pytest.mark.parametrize("new_name", ["class", "2nd", "a b", ""])
async def test_what_cannot_be_a_name_is_refused(project: Workspace, new_name: str):
    before = (project.root / "a.py").read_bytes()
    assert (await rename(project, "old", new_name)).is_error
    assert (project.root / "a.py").read_bytes() == before


def test_all_or_nothing(project: Workspace):
    first, second = project.root / "a.py", project.root / "a.py/impossible.py"
    before = first.read_bytes()
    with pytest.raises(Mistake, match=r"a\.py"):
        write_all(project, [Write(first, before, b"new", None), Write(second, None, b"new", None)])
    assert first.read_bytes() == before


async def test_where_the_old_name_still_stands_is_said(project: Workspace):
    (project.root / "README.md").write_text("Call old.\n")
    content = (await rename(project, "old", "new")).content
    assert content.splitlines()[-3:] == [
        "The word old still stands here; change by edit_file what means the symbol:",
        "README.md:1: Call old.",
        "a.py:2: return 1  # old",
    ]


TAKEN = {
    "defined beside it": "def old(): ...\n\n\ndef new(): ...\n",
    "local where it is used": "def old(): ...\n\n\ndef f():\n    new = 1\n    return new, old()\n",
    "parameter where it is used": "def old(): ...\n\n\ndef f(new):\n    return old(new)\n",
    "imported": "from b import new\n\n\ndef old(): ...\n\n\nnew()\nold()\n",
}


@pytest.mark.parametrize("case", TAKEN)
async def test_a_name_that_is_taken_where_the_symbol_lives_is_refused(ws: Workspace, case: str):
    (ws.root / "b.py").write_text("def new(): ...\n")
    (ws.root / "a.py").write_text(TAKEN[case])
    result = await rename(ws, "old", "new", path="a.py")
    await ws.servers.close()
    assert result.is_error
    assert result.content.startswith("Nothing was renamed: new has another meaning already, here:\na.py:")
    assert (ws.root / "a.py").read_text() == TAKEN[case]


async def test_a_re_export_that_the_server_would_leave_is_told_as_that(ws: Workspace):
    (ws.root / "a.py").write_text("def old(): ...\n")
    (ws.root / "b.py").write_text("from a import old as old\n")
    (ws.root / "c.py").write_text("from b import old\n\nold()\n")
    result = await rename(ws, "old", "new", path="a.py")
    await ws.servers.close()
    assert result.is_error
    assert "would leave old as it is here" in result.content
    assert "b.py:1: from a import old as old" in result.content
    assert "meaning" not in result.content
    assert (ws.root / "a.py").read_text() == "def old(): ...\n"


async def test_a_name_that_is_taken_elsewhere_is_free(ws: Workspace):
    (ws.root / "a.py").write_text("def old(): ...\n\n\ndef f():\n    new = 1\n    return new\n")
    result = await rename(ws, "old", "new")
    await ws.servers.close()
    assert not result.is_error, result.content


async def test_exports_by_string_are_renamed_too(ws: Workspace):
    (ws.root / "a.py").write_text('__all__ = ["🙂", "old"]\n__all__ += (\'old\',)\n\n\ndef old(): ...\n')
    (ws.root / "b.py").write_text('__all__ = ["old"]\nold = "old"\n')
    result = await rename(ws, "old", "new", path="a.py")
    await ws.servers.close()
    assert (ws.root / "a.py").read_text() == (
        '__all__ = ["🙂", "new"]\n__all__ += (\'new\',)\n\n\ndef new(): ...\n'
    )
    assert (ws.root / "b.py").read_text() == '__all__ = ["old"]\nold = "old"\n'
    assert 'b.py:1: __all__ = ["old"]' in result.content


async def test_what_a_rename_breaks_is_told(ws: Workspace):
    (ws.root / "a.py").write_text("class A:\n    def old(self): ...\n\n\nprint(getattr(A(), 'old'))\n")
    (ws.root / "b.py").write_text("from a import A\n\n\nclass B(A):\n    def new(self, x: int) -> int: ...\n")
    result = await rename(ws, "A.old", "new")
    await ws.servers.close()
    assert "a.py:5: print(getattr(A(), 'old'))" in result.content


async def test_what_was_read_stays_known_and_what_was_not_stays_unknown(project: Workspace):
    real, data, text = project.read("a.py")
    project.saw(real, data, range(1, len(text.lines) + 1))
    await rename(project, "old", "new")
    assert project.unseen(real, real.read_bytes(), 2) is None
    other = project.root / "b.py"
    assert project.unseen(other, other.read_bytes(), 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"symbol": "old", "new_name": "not a name"}, "is not a name"),
        ({"symbol": "old", "new_name": "a.b"}, "is not a single name"),
        ({"symbol": "missing", "new_name": "b"}, "does not stand"),
    ],
)
async def test_what_cannot_be_renamed_is_explained(
    project: Workspace, arguments: dict[str, str], message: str
):
    result = await rename(project, **arguments)
    assert result.is_error
    assert message in result.content


async def test_files_outside_the_workspace_are_never_written(project: Workspace):
    (project.root / "c.py").write_text("import textwrap\n\ntextwrap.dedent('')\n")
    result = await rename(project, "dedent", "undent", path="c.py", line=3)
    assert result.is_error
    assert "undent" not in (project.root / "c.py").read_text()


async def test_a_fix_is_listed_and_applied(project: Workspace):
    (project.root / "c.py").write_text("print(textwrap.dedent(''))\n")
    listed = await code_actions.function(project, "c.py", 1)
    assert not listed.is_error, listed.content
    number = next(row.split(".")[0] for row in listed.content.splitlines() if "import textwrap" in row)
    applied = await code_actions.function(project, "c.py", 1, apply=int(number))
    assert applied.changed == ("c.py",)
    assert "+    1\timport textwrap" in applied.content
    assert (project.root / "c.py").read_text() == "import textwrap\nprint(textwrap.dedent(''))\n"


async def test_numbers_and_lines_that_do_not_exist_are_refused(project: Workspace):
    assert "there is no line 9" in (await code_actions.function(project, "a.py", 9)).content
    assert "actions; apply is a number" in (await code_actions.function(project, "a.py", 1, apply=99)).content


BASE = "class Base:\n    def run(self):\n        return 1\n\n\nclass Between(Base): ...\n"
KID = "import base\n\n\nclass Kid(base.Between):\n    def run(self):\n        return {}\n\n\nKid().run()\n"


@pytest.mark.parametrize("returned", ["2", "super().run() + 1"])
@pytest.mark.parametrize(
    ("symbol", "other"), [("Base.run", "kid.py:5: Kid.run"), ("Kid.run", "base.py:2: Base.run")]
)
async def test_an_overridden_method_is_not_renamed_alone(
    ws: Workspace, returned: str, symbol: str, other: str
):
    (ws.root / "base.py").write_text(BASE)
    (ws.root / "kid.py").write_text(KID.format(returned))
    (ws.root / "other.py").write_text("class Other:\n    def run(self): ...\n")
    result = await rename(ws, symbol, "go")
    await ws.servers.close()
    assert result.is_error
    assert result.content.splitlines()[1] == other
    assert "Other" not in result.content
    assert "def run" in (ws.root / "base.py").read_text()
    assert "def run" in (ws.root / "kid.py").read_text()


OVERRIDES = """\
import threading as th
from argparse import ArgumentParser
import base


class Thread(th.Thread):
    def run(self): ...


class Other(base.Thread):
    def join(self): ...
    def __eq__(self, other): ...


class Outer:
    class Inner(th.Thread):
        @property
        def name(self): ...


class Parser(ArgumentParser):
    prog: str = "x"
"""


@pytest.mark.parametrize(
    ("symbol", "base"),
    [
        ("Thread.run", "Thread derives from th.Thread"),
        ("Other.join", "Other derives from base.Thread"),
        ("Inner.name", "Inner derives from th.Thread"),
        ("Parser.prog", "Parser derives from ArgumentParser"),
        ("Other.__eq__", "Other derives from base.Thread"),
    ],
)
async def test_what_overrides_a_librarys_member_keeps_its_name(ws: Workspace, symbol: str, base: str):
    (ws.root / "base.py").write_text(
        "import threading\n\nclass Plain: ...\n\nclass Thread(Plain, threading.Thread): ...\n"
    )
    (ws.root / "a.py").write_text(OVERRIDES)
    result = await rename(ws, symbol, "renamed")
    await ws.servers.close()
    assert result.is_error
    assert f"Nothing was renamed: {base}, which has {symbol.partition('.')[2]} too" in result.content
    assert (ws.root / "a.py").read_text() == OVERRIDES


@pytest.mark.parametrize("folder", ["generated", "site-packages"])
async def test_nothing_is_renamed_in_files_that_are_not_the_projects_own(ws: Workspace, folder: str):
    (ws.root / ".gitignore").write_text("generated\n")
    (ws.root / folder).mkdir()
    (ws.root / folder / "b.py").write_text("from a import old\n\nold()\n")
    (ws.root / "a.py").write_text("def old(): ...\n")
    result = await rename(ws, "old", "new", path="a.py")
    await ws.servers.close()
    if folder == "site-packages":  # the server leaves out what git ignores, and so sees nothing there
        assert result.is_error
        assert f"a library's, or that git ignores:\n{folder}/b.py\n" in result.content
        assert (ws.root / "a.py").read_text() == "def old(): ...\n"
    assert (ws.root / folder / "b.py").read_text() == "from a import old\n\nold()\n"


async def test_bases_that_nobody_knows_are_told(ws: Workspace):
    (ws.root / "a.py").write_text(
        "from threading import Thread\nfrom nowhere import Thing\n\n\nclass Between(Thread, Thing): ...\n\n\n"
        "class Own(Between):\n    def go(self): ...\n"
    )
    result = await rename(ws, "Own.go", "went")
    await ws.servers.close()
    assert not result.is_error, result.content
    lines = result.content.splitlines()
    told = next(number for number, line in enumerate(lines) if "does not know these bases" in line)
    assert lines[told + 1 :] == ["a.py:5: Between(Thing)"]


async def test_the_same_method_of_a_stranger_does_not_matter(ws: Workspace):
    (ws.root / "a.py").write_text("class A:\n    def run(self): ...\n\n\nclass B:\n    def run(self): ...\n")
    (ws.root / "other.py").write_text("class A:\n    def run(self): ...\n")
    result = await rename(ws, "A.run", "go", path="a.py", line=2)
    await ws.servers.close()
    assert not result.is_error, result.content


async def test_patterns_that_name_a_field_are_told(ws: Workspace):
    (ws.root / "a.py").write_text(
        "from dataclasses import dataclass\n\n\n@dataclass\nclass Order:\n    price: int\n\n\n"
        "O2 = Order\n\n\ndef f(o: Order):\n    match o:\n        case O2(price=p):\n            return p\n"
    )
    references = await find_references.function(ws, "Order.price")
    result = await rename(ws, "Order.price", "cost")
    await ws.servers.close()
    assert "which the language server does not know:\na.py:14: case O2(price=p):" in references.content
    assert not result.is_error, result.content
    lines = result.content.splitlines()
    told = next(number for number, line in enumerate(lines) if line.startswith("NOT renamed"))
    assert lines[told + 1] == "a.py:14: case O2(price=p):"
