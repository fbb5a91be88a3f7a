import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from codeflow.forges.wire import ForgeError, Wire


@contextmanager
def answering(*answers: tuple[int, dict[str, str], Any]) -> Iterator[tuple[Wire, list[float], list[str]]]:
    """A wire to a server with these answers, the pauses it made, and the requests that came."""
    left, asked, pauses = list(answers), list[str](), list[float]()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = left.pop(0)
            sent = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(sent)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _serve  # noqa: N815 - the names are http.server's

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield (
            Wire(
                f"http://127.0.0.1:{server.server_port}", {"Authorization": "Bearer x"}, pause=pauses.append
            ),
            pauses,
            asked,
        )
    finally:
        server.shutdown()
        server.server_close()


def test_a_limit_is_waited_out_as_long_as_it_says():
    limited: tuple[int, dict[str, str], Any] = (429, {"retry-after": "7"}, {})
    with answering(limited, (403, {}, {"message": "secondary rate limit"}), (200, {}, [1])) as (
        wire,
        pauses,
        _,
    ):
        assert wire.get("x") == [1]
    assert pauses == [7.0, 2.0]


def test_a_limit_that_lasts_too_long_is_told():
    with (
        answering((403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}, {})) as (
            wire,
            pauses,
            _,
        ),
        pytest.raises(ForgeError) as caught,
    ):
        wire.get("x")
    assert (caught.value.status_code, pauses) == (403, [])


def test_tries_are_bounded_and_what_may_have_been_done_is_not_repeated():
    with answering(*[(502, {}, b"")] * 9) as (wire, pauses, asked):
        with pytest.raises(ForgeError):
            wire.get("x")
        assert (len(asked), pauses) == (4, [1.0, 2.0, 4.0])
        with pytest.raises(ForgeError):
            wire.send("POST", "y", {})
        assert asked[4:] == ["POST /y"]


def test_a_refusal_is_no_limit():
    refusal: tuple[int, dict[str, str], Any] = (403, {}, {"message": "Resource not accessible"})
    match = "Resource not accessible"
    with answering(refusal) as (wire, pauses, asked), pytest.raises(ForgeError, match=match):
        wire.get("x")
    assert (len(asked), pauses) == (1, [])


def test_pages_end_with_the_one_that_is_not_full():
    with answering((200, {}, list(range(100))), (200, {}, [100])) as (wire, _, asked):
        assert list(wire.pages("x")) == list(range(101))
    assert asked == ["GET /x?per_page=100&page=1", "GET /x?per_page=100&page=2"]


def test_nothing_there_and_no_json():
    with answering((200, {}, b"<html>")) as (wire, _, _asked), pytest.raises(ForgeError, match="no JSON"):
        wire.get("x")
    with pytest.raises(ForgeError, match="cannot be reached"):
        Wire("http://127.0.0.1:9", {}, pause=lambda _: None).get("x")
