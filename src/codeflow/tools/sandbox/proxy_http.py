"""What the proxy understands of HTTP: whom a request is for, and how to pass it on. h11 does the parsing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from codeflow.core.hosts import normal_host

_CHUNK_BYTES = 65_536
_HTTP_PORT = 80
_OF_ONE_CONNECTION = frozenset(
    {b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive", b"te", b"trailer", b"upgrade"}
)
_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})

_Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class BadRequestError(Exception):
    """This is no request to a proxy."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The head of a request, and the connection that goes on with its body. `host` is in its normal form."""

    host: str
    port: int
    request: h11.Request
    connection: h11.Connection

    @property
    def is_tunnel(self) -> bool:
        return self.request.method == b"CONNECT"


async def read_request(reader: asyncio.StreamReader) -> Ask | None:
    """The next request; None when there is none any more.

    Raises:
        BadRequestError: when it is none, or not one for a proxy.
    """
    connection = h11.Connection(h11.SERVER)
    request = await _next(connection, reader)
    if not isinstance(request, h11.Request):
        return None
    target = request.target.decode("ascii")
    is_tunnel = request.method == b"CONNECT"
    try:
        parts = urlsplit(f"//{target}" if is_tunnel else target)
        host, port = normal_host(parts.hostname or ""), parts.port
    except ValueError as error:
        raise BadRequestError(str(error)) from error
    if host is None or (is_tunnel and (port is None or parts.path)):
        raise BadRequestError("this is a proxy: name a host and a port, or an address with http://")
    if not is_tunnel and parts.scheme != "http":
        raise BadRequestError("only http:// is asked for directly; CONNECT is for all else")
    if port == 0:
        raise BadRequestError("there is no port 0")
    if len({field for field, _ in request.headers} & _LENGTHS) > 1:
        raise BadRequestError("a body is as long as Content-Length or Transfer-Encoding says, not both")
    return Ask(host, port or _HTTP_PORT, request, connection)


async def refuse(writer: asyncio.StreamWriter, status: int, why: str) -> None:
    """Answers with one line, as the reason too, which is all that many clients show."""
    body = f"codeflow: {why}\n".encode("ascii", "replace")
    fields = f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(f"HTTP/1.1 {status} codeflow: {why}\r\n{fields}".encode("ascii", "replace") + body)
    await writer.drain()


async def pass_on(ask: Ask, client: Streams, server: Streams) -> None:
    """Serves one request to its end."""
    if ask.is_tunnel:
        client[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        server[1].write(ask.connection.trailing_data[0])
        await relay(client, server)
        return
    sending = asyncio.create_task(_send(ask, client[0], server[1]))
    try:
        await _copy(server[0], client[1])
    finally:
        sending.cancel()
        await asyncio.wait({sending})


async def relay(one: Streams, other: Streams) -> None:
    """Passes bytes both ways until both sides have said all."""
    copies = [asyncio.create_task(_copy(*pair)) for pair in ((one[0], other[1]), (other[0], one[1]))]
    try:
        await asyncio.gather(*copies)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.wait(copies)


@asynccontextmanager
async def closing(streams: Streams) -> AsyncIterator[Streams]:
    """Closes a connection at the end: at once after an error, else when what was written has gone out."""
    try:
        yield streams
    except BaseException:
        streams[1].transport.abort()
        raise
    finally:
        streams[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _send(ask: Ask, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
    """The request with its body. What comes after it on the same connection may be for another host: it ends here."""
    sent = h11.Connection(h11.CLIENT)
    server.write(sent.send(_for_server(ask.request)) or b"")
    try:
        while isinstance(event := await _next(ask.connection, client), h11.Data):
            server.write(sent.send(event) or b"")
            await server.drain()
        if isinstance(event, h11.EndOfMessage):
            server.write(sent.send(event) or b"")
            if not await client.read(1):
                return
    except (BadRequestError, h11.LocalProtocolError, OSError):
        pass
    server.transport.abort()


def _for_server(request: h11.Request) -> h11.Request:
    """The request as the server itself is asked: a path instead of an address, and no connection to keep."""
    parts = urlsplit(request.target.decode("ascii"))
    named = {
        name.strip().lower()
        for field, value in request.headers
        if field == b"connection"
        for name in value.split(b",")
    }
    dropped = (_OF_ONE_CONNECTION | named | {b"host"}) - _LENGTHS  # without one the body would have no end
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    return h11.Request(
        method=request.method,
        target=path,
        headers=[
            (b"Host", host.encode("ascii")),
            *((field, value) for field, value in request.headers if field not in dropped),
            (b"Connection", b"close"),
        ],
    )


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> _Event:
    try:
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK_BYTES))
    except h11.RemoteProtocolError as error:
        raise BadRequestError(str(error)) from error
    return event
