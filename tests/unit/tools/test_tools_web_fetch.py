import gzip
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest
from tests.unit.tools.web_server import Answer, WebServer, running_web_server

from codeflow.core.values import ToolResult
from codeflow.tools.public_network import is_public
from codeflow.tools.research import Research
from codeflow.tools.web import fetch_page
from codeflow.tools.workspace import Workspace


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running_web_server() as server:
        yield server


@pytest.fixture
def near(ws: Workspace) -> Workspace:
    """A workspace whose user lets pages of this machine be read."""
    ws.research = Research(allow_private=True)
    return ws


async def fetch(ws: Workspace, url: str, start: int = 0) -> ToolResult:
    return await fetch_page.function(ws, url, start)


async def test_html_becomes_markdown_without_what_nobody_reads(near: Workspace, server: WebServer):
    url = server.says(
        "/page",
        "<html><head><title>Guide</title><script>evil()</script></head><body><nav>menu</nav>"
        "<main><h2>Use</h2><p>Call <code>run()</code>, <a href='/more'>more</a>.</p>"
        "<pre><code>a = 1\nb = 2</code></pre><img src='x.png'></main><footer>legal</footer></body></html>",
    )
    result = await fetch(near, url)
    assert result.content == ("Guide\n\n## Use\n\nCall `run()`, [more](/more).\n\n```\na = 1\nb = 2\n```")
    assert result.source == url
    assert result.display.endswith(f"characters from 127.0.0.1:{server.server_port}")


async def test_plain_text_comes_as_it_is_in_its_encoding(near: Workspace, server: WebServer):
    url = server.says("/a.txt", "café <b>".encode("latin-1"), "text/plain; charset=latin-1")
    assert "café <b>" in (await fetch(near, url)).content
    url = server.says("/b.json", b'{"a": 1}', "application/vnd.api+json; charset=nonsense")
    assert '{"a": 1}' in (await fetch(near, url)).content


async def test_a_long_page_is_paged(make_workspace: Callable[..., Workspace], server: WebServer):
    ws = make_workspace(limit=200)
    ws.research = Research(allow_private=True)
    url = server.says("/long", "a" * 200 + "b" * 50, "text/plain")
    first = (await fetch(ws, url)).content
    assert first.endswith("[characters 0-200 of 250; go on with start=200]")
    assert "b" * 50 in (await fetch(ws, url, 200)).content
    assert "beyond its end" in (await fetch(ws, url, 250)).content
    assert (await fetch(ws, url, -1)).is_error


async def test_a_page_without_end_is_cut(make_workspace: Callable[..., Workspace], server: WebServer):
    ws = make_workspace(limit=5_000_000)
    ws.research = Research(allow_private=True)
    bomb = gzip.compress(b"x" * 30_000_000)
    url = server.says("/bomb", bomb, "text/plain", **{"Content-Encoding": "gzip"})
    result = await fetch(ws, url)
    assert result.content.endswith("[the page goes on, but it is too large to read further]")
    assert len(result.content) < 4_001_000


async def test_deep_nesting_is_read_as_text(near: Workspace, server: WebServer):
    url = server.says("/deep", "<div>" * 3000 + "bottom" + "</div>" * 3000)
    assert "bottom" in (await fetch(near, url)).content


async def test_redirects_are_followed_and_the_last_address_is_named(near: Workspace, server: WebServer):
    last = server.says("/last", "here", "text/plain")
    server.answers["/first"] = Answer(status=302, headers={"Location": "/last"})
    assert (await fetch(near, f"{server.url}/first")).source == last


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", "answered 404"),
        ("/loop", "redirects"),
        ("/scheme", "cannot be reached"),
        ("/picture", "is image/png, not text"),
    ],
)
async def test_what_cannot_be_shown_is_explained(near: Workspace, server: WebServer, path: str, message: str):
    server.answers["/loop"] = Answer(status=302, headers={"Location": "/loop"})
    server.answers["/scheme"] = Answer(status=302, headers={"Location": "file:///etc/passwd"})
    server.says("/picture", b"\x89PNG", "image/png")
    result = await fetch(near, server.url + path)
    assert result.is_error
    assert message in result.content


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "a.txt", "", "javascript:1", "http://["])
async def test_only_web_addresses_are_fetched(ws: Workspace, url: str):
    assert (await fetch(ws, url)).is_error


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
async def test_this_machine_is_refused_under_every_name(ws: Workspace, server: WebServer, host: str):
    result = await fetch(ws, f"http://{host}:{server.server_port}/")
    assert result.content.startswith("Refused: ")
    assert server.asked == []


async def test_a_redirect_into_a_private_network_is_refused(
    ws: Workspace, server: WebServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("codeflow.tools.public_network.is_public", lambda a: str(a) == "127.0.0.1")
    server.says("/ok", "public", "text/plain")
    server.answers["/away"] = Answer(
        status=302, headers={"Location": f"http://127.0.0.2:{server.server_port}/ok"}
    )
    server.answers["/on"] = Answer(status=302, headers={"Location": "/ok"})
    assert "public" in (await fetch(ws, f"http://localhost:{server.server_port}/on")).content
    assert server.asked[-1].headers["host"] == f"localhost:{server.server_port}"
    assert "127.0.0.2, which is not on the public internet" in (await fetch(ws, f"{server.url}/away")).content


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "fe80::1",
        "fd00:ec2::254",
        "fec0::1",
        "::",
        "ff02::1",
        "::ffff:8.8.8.8",
        "64:ff9b::a00:1",
        "64:ff9b:1::7f00:1",
        "5f00::1",
        "2002:a00:1::",
    ],
)
def test_special_addresses_are_not_public(address: str):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111"])
def test_ordinary_addresses_are_public(address: str):
    assert is_public(ip_address(address))


async def test_offline_it_says_so(ws: Workspace):
    result = await fetch(ws, "http://nowhere.invalid/")
    assert result.is_error
    assert "offline, docs_search still answers" in result.content
    assert "\n" not in result.content


async def test_a_proxy_is_used_only_where_private_addresses_are_allowed(
    ws: Workspace, server: WebServer, monkeypatch: pytest.MonkeyPatch
):
    server.says("/page", "by the proxy", "text/plain")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, server.url)
    direct = await fetch_page.function(ws, "http://nowhere.invalid/page")
    assert "fetch_page does not use the proxy that is set here" in direct.content
    assert server.asked == []
    ws.research = Research(allow_private=True)
    assert "by the proxy" in (await fetch_page.function(ws, "http://nowhere.invalid/page")).content
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "nowhere.invalid")
    assert "cannot be reached" in (await fetch_page.function(ws, "http://nowhere.invalid/page")).content
