"""The code tools on TypeScript's servers, installed from npm: its own, which answers when asked, and the older one."""

import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.lsp.servers import Servers
from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SHOP = """\
export class Order {
  constructor(readonly prices: number[]) {}
  total(): number { return this.prices.reduce((a, b) => a + b, 0); }
}
"""
MAIN = """\
import { Order } from "./shop";
export const label = "🙂"; export const price: number = new Order([1]).total();
"""
PACKAGES = {
    "tsc": ["typescript@7.0.2"],
    "typescript-language-server": ["typescript@5.9.3", "typescript-language-server@5.3.0"],
}


async def run(ws: Workspace, name: str, **arguments: str | int) -> ToolResult:
    result = await TOOLS[name].function(ws, **arguments)
    assert not result.is_error, result.content
    return result


@pytest.fixture(scope="module", params=PACKAGES)
def modules(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text("{}")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES[request.param]]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "node_modules"


@pytest.fixture
async def shop(make_workspace: Callable[..., Workspace], modules: Path) -> AsyncIterator[Workspace]:
    ws = make_workspace()
    (ws.root / "node_modules").symlink_to(modules)
    (ws.root / ".gitignore").write_text("node_modules\n")
    (ws.root / "tsconfig.json").write_text('{"compilerOptions": {"strict": true, "types": []}}')
    (ws.root / "shop.ts").write_text(SHOP)
    (ws.root / "main.ts").write_text(MAIN)
    ws.servers = Servers(ws.root, ws.env, trusted=True)
    yield ws
    await ws.servers.close()


async def test_analyse_edit_check(shop: Workspace):
    assert (await run(shop, "find_references", symbol="Order.total")).display == "2 references"
    assert "shop.ts:3" in (await run(shop, "go_to_definition", symbol="total", path="main.ts")).content
    assert "number" in (await run(shop, "get_type_info", symbol="price", path="main.ts")).content
    (shop.root / "order.ts").write_text("export const z = 1;\nexport class A {}\nexport const b = 2;\n")
    symbols = (await run(shop, "document_symbols", path="order.ts")).content
    assert [row.split()[2] for row in symbols.split("\n")] == ["z", "A", "b"]
    assert "shop.ts:1 class Order" in (await run(shop, "workspace_symbols", query="Order")).content
    renamed = await run(shop, "rename_symbol", symbol="Order.total", new_name="sum")
    assert sorted(renamed.changed) == ["main.ts", "shop.ts"]
    assert (shop.root / "main.ts").read_text() == MAIN.replace("total", "sum")
    assert (await run(shop, "diagnostics", path="main.ts")).content == "No problems reported in main.ts."
    (shop.root / "shop.ts").write_text(SHOP)
    assert "'sum' does not exist" in (await run(shop, "diagnostics", path="main.ts")).content


async def test_a_name_that_a_library_goes_by_stays(shop: Workspace):
    source = SHOP + "export class Sum extends Order { toString() { return `${this.total()}`; } }\n"
    (shop.root / "shop.ts").write_text(source)
    result = await TOOLS["rename_symbol"].function(shop, symbol="Sum.toString", new_name="text")
    assert result.is_error
    assert "lib.es5.d.ts" in result.content
    assert (shop.root / "shop.ts").read_text() == source
