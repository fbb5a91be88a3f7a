"""The proxy of commands, without a sandbox around it: whom it reaches, and what it makes of a request."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from tests.unit.tools.web_server import running_web_server

from codeflow.core.hosts import parse_host
from codeflow.tools.sandbox.proxy import Proxy, Resolve


@asynccontextmanager
async def proxied(hosts: Sequence[str], resolve: Resolve | None = None) -> AsyncIterator[tuple[Proxy, int]]:
    """A proxy that serves, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy([parse_host(host) for host in hosts], resolve)
        async with proxy.serving():
            with socket.socket(fileno=os.dup(proxy.channel)) as channel:
                socket.send_fds(channel, [b"+"], [listener.fileno()])
            yield proxy, listener.getsockname()[1]


async def said(port: int, request: bytes) -> bytes:
    """All that the proxy answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def never(host: str):
    raise AssertionError(f"{host} was looked up")


def always(*addresses: str) -> Resolve:
    async def resolve(_: str) -> Sequence[str]:
        return addresses

    return resolve


async def test_a_host_that_is_not_named_is_refused_and_not_even_looked_up():
    async with proxied(["pypi.org", "*.example.com"], never) as (proxy, port):
        tunnel = await said(port, b"CONNECT secret.loot.example:443 HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
        plain = await said(port, b"GET http://example.com/?secret HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
        ssh = await said(port, b"CONNECT pypi.org:22 HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
    assert b"403 codeflow: secret.loot.example:443 is not in sandbox.hosts" in tunnel
    assert plain.startswith(b"HTTP/1.1 403 ")
    assert ssh.startswith(b"HTTP/1.1 403 ")
    assert "secret.loot.example:443, example.com:80, pypi.org:22" in proxy.told()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1", "0.0.0.0", "fd00::1"],
)
async def test_an_allowed_name_leads_to_no_private_address(address: str):
    async with proxied(["pypi.org"], always("93.184.216.34", address)) as (proxy, port):
        answer = await said(port, b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
    assert b"not public" in answer
    assert address in proxy.told()


async def test_the_address_that_was_looked_at_is_connected_to():
    with running_web_server() as server:
        server.says("/x", "hello")
        answers = iter([["127.0.0.1"], ["10.0.0.1"]])

        async def rebinding(_: str) -> Sequence[str]:
            return next(answers)

        hosts = [f"changing.example:{server.server_port}", f"127.0.0.1:{server.server_port}"]
        async with proxied(hosts, rebinding) as (_, port):
            request = (
                f"GET http://changing.example:{server.server_port}/x HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
            first, second = await said(port, request), await said(port, request)
    assert first.endswith(b"hello")
    assert b"10.0.0.1: not public" in second


async def test_a_request_is_passed_on_as_its_server_expects_it():
    with running_web_server() as server:
        server.says("/x", "hello")
        here = f"localhost:{server.server_port}"
        async with proxied([here]) as (_, port):
            request = (
                f"POST http://u:p@{here}/x?a=1 HTTP/1.1\r\nHost: other.example\r\nProxy-Authorization: x\r\n"
                "Connection: x-hop, keep-alive\r\nX-Hop: 1\r\nX-Kept: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            ).encode()
            await said(
                port, request + b"2\r\nab\r\n0\r\n\r\nGET http://evil.example/ HTTP/1.1\r\nHost: e\r\n\r\n"
            )
        (asked,) = server.asked
    assert (asked.method, asked.path, asked.parameters) == ("POST", "/x", {"a": ["1"]})
    assert asked.headers["host"] == here
    assert asked.headers["connection"] == "close"
    assert asked.headers["x-kept"] == "1"
    assert not {"x-hop", "proxy-authorization"} & asked.headers.keys()


async def test_a_body_keeps_its_length_whatever_the_client_says_of_the_connection():
    with running_web_server() as server:
        server.says("/x", "hello")
        here = f"localhost:{server.server_port}"
        head = f"POST http://{here}/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: content-length\r\n\r\nab"
        async with proxied([here]) as (_, port):
            answer = await said(port, head.encode())
        (asked,) = server.asked
    assert answer.endswith(b"hello")
    assert asked.headers["content-length"] == "2"


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
        b"GET ftp://pypi.org/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
        b"CONNECT pypi.org HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
        b"CONNECT pypi.org:443/x HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
        b"CONNECT a_b!c:443 HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
        b"GET http://pypi.org/ HTTP/1.1\r\nHost: pypi.org\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST http://pypi.org/ HTTP/1.1\r\nHost: pypi.org\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"CONNECT pypi.org:0 HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
        b"GET http://pypi.org:0/ HTTP/1.1\r\nHost: pypi.org\r\n\r\n",
    ],
)
async def test_what_is_no_request_to_a_proxy_is_answered_with_400(request_: bytes):
    async with proxied(["pypi.org"], never) as (_, port):
        assert (await said(port, request_)).startswith(b"HTTP/1.1 400 ")


async def test_a_name_without_an_address_is_answered_with_502():
    async with proxied(["pypi.org"], always()) as (_, port):
        answer = await said(port, b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 codeflow: not reached: pypi.org has no address")


async def test_nothing_is_left_when_the_command_has_ended():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        here = f"localhost:{silent.getsockname()[1]}"
        async with proxied([here]) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"CONNECT {here} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        with suppress(ConnectionResetError):
            await reader.read()  # comes to an end
        writer.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
