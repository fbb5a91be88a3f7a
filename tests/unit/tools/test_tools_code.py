"""The code tools on real language servers: ty, which answers when asked, and basedpyright, which tells by itself."""

import shutil
import sysconfig
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.code import new_diagnostics
from codeflow.tools.registry import TOOLS
from codeflow.tools.symbols import defines
from codeflow.tools.workspace import Workspace

SHOP = '''\
"""A shop: total is mentioned here only."""


class Order:
    def __init__(self, prices: list[int]) -> None:
        self.prices = prices

    def total(self) -> int:
        return sum(self.prices)


class Basket:
    def total(self) -> str:
        return "🛒"


def discount(order: Order) -> int:
    return order.total() // 10
'''
MAIN = """\
from shop import Order, discount

order = Order([1, 2])
label = "🙂🛒"; price = order.total() - discount(order)
"""
PYRIGHT = """\
[python]
extensions = { ".py" = "python" }
roots = ["pyproject.toml"]
install = "pip install basedpyright"
servers = [{ command = ["basedpyright-langserver", "--stdio"] }]
"""


async def run(ws: Workspace, name: str, **arguments: str | int) -> ToolResult:
    return await TOOLS[name].function(ws, **arguments)


@pytest.fixture
def use_pyright(tmp_path: Path, env: dict[str, str]) -> None:
    env["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    (tmp_path / "config/codeflow").mkdir(parents=True)
    (tmp_path / "config/codeflow/languages.toml").write_text(PYRIGHT)


@pytest.fixture
async def shop(make_workspace: Callable[..., Workspace]) -> AsyncIterator[Workspace]:
    ws = make_workspace()
    (ws.root / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (ws.root / "shop.py").write_text(SHOP)
    (ws.root / "main.py").write_text(MAIN)
    (ws.root / "notes.md").write_text("discount: how much?\n")
    yield ws
    await ws.servers.close()


@pytest.fixture
async def bare(make_workspace: Callable[..., Workspace], env: dict[str, str]) -> Workspace:
    """A workspace whose language has no server here."""
    tools = Path(env["HOME"]) / "bin"
    tools.mkdir()
    for program in ("sh", "rg"):
        found = shutil.which(program) or shutil.which(program, path=sysconfig.get_path("scripts"))
        (tools / program).symlink_to(str(found))
    env["PATH"] = str(tools)
    ws = make_workspace()
    (ws.root / "main.go").write_text("package main\n\nfunc total() int { return 1 }\n\nvar x = total()\n")
    return ws


async def check_reading(ws: Workspace) -> None:
    found = await run(ws, "find_references", symbol="Order.total")
    assert "shop.py\n    8\t" in found.content
    assert "   18\t    return order.total() // 10" in found.content
    assert "main.py\n    4\t" in found.content
    assert "Basket" not in found.content
    assert found.display == "3 references"
    definition = await run(ws, "go_to_definition", symbol="discount", path="main.py", line=4)
    assert definition.content.startswith("shop.py:17\n   17\tdef discount(order: Order) -> int:")
    assert "int" in (await run(ws, "get_type_info", symbol="price", path="main.py")).content
    outline = (await run(ws, "document_symbols", path="shop.py")).content.splitlines()
    assert outline[0] == "4-9 class Order"
    assert "  8-9 method total" in outline
    everywhere = (await run(ws, "workspace_symbols", query="discount")).content
    assert "shop.py:17 function discount" in everywhere


async def test_ty_reads(shop: Workspace):
    await check_reading(shop)


@pytest.mark.slow
async def test_basedpyright_reads(use_pyright: None, shop: Workspace):
    await check_reading(shop)


async def test_an_ambiguous_name_lists_its_places(shop: Workspace):
    result = await run(shop, "find_references", symbol="total")
    assert result.is_error
    assert result.content.endswith("shop.py:8 method Order.total\nshop.py:13 method Basket.total")


async def test_a_qualified_name_is_never_taken_for_another(shop: Workspace):
    for number in range(30):
        (shop.root / f"a{number}.py").write_text(
            "class Other:\n    def total(self) -> int:\n        return 0\n"
        )
    definition = await run(shop, "go_to_definition", symbol="Order.total")
    assert definition.content.startswith("shop.py:8\n")
    missing = await run(shop, "find_references", symbol="Basket.discount")
    assert (
        missing.content == "No definition of Basket.discount was found; say path and line of one of its uses."
    )
    many = await run(shop, "find_references", symbol="total")
    assert many.content.startswith("total is defined in 31 files, such as a0.py, a1.py, ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    async def total(self):", True),
        ("func (o *Order) total() int {", True),
        ("  total(): number { return 1; }", True),
        ("export const total = 1", True),
        ("static int *total(void)", True),
        ("total: int = 3", True),
        ("    return total", False),
        ("  total(1);", False),
        ("x = order.total()", False),
        ("if total == 3:", False),
        ("subtotal = 3", False),
    ],
)
def test_what_looks_like_a_definition(text: str, expected: bool):
    assert defines("total", text) is expected


async def test_a_language_without_a_server_does_not_hide_the_others(shop: Workspace):
    (shop.root / "a.rs").write_text("fn discount() {}\n")  # its server runs only in trusted folders
    assert (await run(shop, "go_to_definition", symbol="discount")).content.startswith("shop.py:17\n")


async def test_a_line_that_is_a_little_off_still_finds_the_name(shop: Workspace):
    result = await run(shop, "go_to_definition", symbol="total", path="main.py", line=3)
    assert result.content.startswith("shop.py:8\n")
    far = await run(shop, "go_to_definition", symbol="discount", path="shop.py", line=3)
    assert far.content == "discount does not stand at line 3 of shop.py, but at: 17."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"symbol": "nowhere_to_be_found"}, "does not stand in any source file"),
        ({"symbol": "two words"}, "is not a name"),
        ({"symbol": "total", "path": "../x.py"}, "outside the workspace"),
        ({"symbol": "total", "path": "missing.py"}, "does not exist"),
    ],
)
async def test_what_cannot_be_found_is_explained(shop: Workspace, arguments: dict[str, str], message: str):
    result = await run(shop, "find_references", **arguments)
    assert result.is_error
    assert message in result.content


async def test_text_that_the_server_does_not_count_is_pointed_out(shop: Workspace):
    (shop.root / "other.py").write_text("# discount is great\n")
    result = await run(shop, "find_references", symbol="discount")
    assert "the word also stands in other.py" in result.content


async def test_edits_on_disk_are_seen_by_the_next_question(shop: Workspace):
    assert (await run(shop, "diagnostics", path="main.py")).content == "No problems reported in main.py."
    (shop.root / "shop.py").write_text(SHOP.replace("def discount", "def rebate"))
    assert "discount" in (await run(shop, "diagnostics", path="main.py")).content
    (shop.root / "new.py").write_text("from shop import rebate\n\nrebate\n")
    assert "new.py" in (await run(shop, "find_references", symbol="rebate")).content
    (shop.root / "new.py").unlink()
    assert "new.py" not in (await run(shop, "find_references", symbol="rebate")).content


async def edit(ws: Workspace) -> tuple[Path, str]:
    """Breaks a file that had a problem before; its text of before comes back."""
    file, before = ws.root / "main.py", MAIN + "undefined_before\n"
    file.write_text(before)
    assert "undefined_before" in (await run(ws, "diagnostics", path="main.py")).content
    file.write_text(f"\n{before}order.totall()\n")
    return file, before


async def test_ty_tells_what_an_edit_broke(shop: Workspace):
    (problem,) = await new_diagnostics(shop, *await edit(shop))
    assert problem.startswith("7: error: ")
    assert "totall" in problem


@pytest.mark.slow
async def test_basedpyright_tells_what_an_edit_broke(use_pyright: None, shop: Workspace):
    problems = await shop.servers.introduced(*await edit(shop), timeout_s=30)
    assert any(problem.line == 6 and "totall" in problem.message for problem in problems)
    assert not any("undefined_before" in problem.message for problem in problems)


async def test_an_edit_starts_no_server(shop: Workspace):
    (shop.root / "main.py").write_text("undefined\n")
    assert await new_diagnostics(shop, shop.root / "main.py", "") == []
    assert await new_diagnostics(shop, shop.root / "notes.md", "") == []


async def test_without_a_server_text_search_answers_and_says_so(bare: Workspace):
    uses = await run(bare, "find_references", symbol="total")
    assert uses.content.startswith("No language server for go is installed; get one with: go install ")
    assert "By text search, these lines hold the word:\n\nmain.go\n    3\tfunc total()" in uses.content
    assert "    5\tvar x = total()" in uses.content
    definition = await run(bare, "go_to_definition", symbol="total")
    assert "these lines look like definitions:\n\nmain.go\n    3\t" in definition.content
    assert "    5\t" not in definition.content
    outlined = (await run(bare, "document_symbols", path="main.go")).content
    assert "By syntax alone, the file defines:\n\n3 function: func total() int" in outlined
    assert "run_tests" in (await run(bare, "diagnostics", path="main.go")).content


async def test_agents_of_one_run_share_the_servers(shop: Workspace):
    assert shop.for_agent("coder").servers is shop.servers


async def test_without_a_server_symbols_are_found_by_syntax(bare: Workspace):
    content = (await run(bare, "workspace_symbols", query="Tot")).content
    assert content.endswith("By syntax alone:\nmain.go:3 function total")
    assert content.startswith("No language server for go")
    nothing = (await run(bare, "workspace_symbols", query="zzz")).content
    assert nothing.startswith("No symbol has 'zzz' in its name")
    assert "Its syntax shows none either." in nothing
