"""An HTTP proxy for one command in the sandbox: it reaches the hosts that the settings name, and no others.

It decides by name, resolves names itself and connects to the address that it has looked at, so that a name cannot
change in between. What is encrypted stays so: it sees the host of an HTTPS connection, and nothing else of it.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from ipaddress import ip_address

from codeflow.core.hosts import HostRule, loopback_ports, normal_host
from codeflow.core.text import listed
from codeflow.tools.sandbox import loopback
from codeflow.tools.sandbox.proxy_http import (
    BadRequestError,
    Streams,
    closing,
    pass_on,
    read_request,
    refuse,
    relay,
)

_CONNECTIONS = 64
"""At a time; more have to wait, so that a command cannot use up codeflow's own file descriptors."""
_CONNECT_S = 30.0
_MOST_TOLD = 10

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a name; an OSError or UnicodeError when it has none."""
_Handle = Callable[[Streams], Awaitable[None]]


class RefusedError(Exception):
    """The settings do not allow a host; its text says so, and what would."""


class Proxy:
    """For one command. The listening sockets come from the sandbox's own loopback, through `channel`."""

    def __init__(self, rules: Sequence[HostRule], resolve: Resolve | None = None) -> None:
        self._rules = rules
        self._resolve = resolve or _resolved
        self._ports = loopback_ports(rules)
        self._ours, self._theirs = socket.socketpair()
        self._room = asyncio.Semaphore(_CONNECTIONS)
        self.refused: dict[str, None] = {}
        """Hosts with their ports, in the order in which they were asked for."""

    @property
    def channel(self) -> int:
        """A file descriptor for the command to inherit."""
        return self._theirs.fileno()

    def opening(self, command: Sequence[str]) -> Sequence[str]:
        """The command line that hands over the sockets and becomes the command."""
        ports = ",".join(map(str, self._ports))
        return [sys.executable, "-IS", loopback.__file__, str(self.channel), ports, *command]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serves as long as the context lasts, and leaves no connection behind."""
        task = asyncio.create_task(self._serve())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            self._ours.close()
            self._theirs.close()
        if not task.cancelled():
            task.result()

    def told(self) -> str:
        """What to tell about hosts that were refused; empty when none was."""
        hosts = listed([*self.refused], _MOST_TOLD)
        return f"refused by the user's sandbox.hosts: {hosts}; only the user can allow more" if hosts else ""

    async def _serve(self) -> None:
        listeners = await self._handed_over()
        try:
            async with asyncio.TaskGroup() as group:
                handlers: list[_Handle] = [
                    self._answer,
                    *(partial(self._forward, port=port) for port in self._ports),
                ]
                for listener, handler in zip(listeners, handlers, strict=False):
                    group.create_task(self._accept(listener, handler))
        finally:
            for listener in listeners:
                listener.close()

    async def _handed_over(self) -> list[socket.socket]:
        """The listening sockets, as soon as the sandbox has them; none when its first program did not start."""
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._ours, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._ours)
        _, descriptors, _, _ = socket.recv_fds(self._ours, 1, 1 + len(self._ports))
        return [socket.socket(fileno=descriptor) for descriptor in descriptors]

    async def _accept(self, listener: socket.socket, handle: _Handle) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        async with asyncio.TaskGroup() as group:
            while True:
                await self._room.acquire()
                connection, _ = await loop.sock_accept(listener)
                group.create_task(self._serve_one(connection, handle))

    async def _serve_one(self, connection: socket.socket, handle: _Handle) -> None:
        try:
            with suppress(OSError):  # either side may go at any time
                async with closing(await asyncio.open_connection(sock=connection)) as client:
                    await handle(client)
        finally:
            self._room.release()

    async def _forward(self, client: Streams, *, port: int) -> None:
        """For a port of the sandbox's loopback that stands for the same one of this machine."""
        async with closing(await self._connect("localhost", port)) as server:
            await relay(client, server)

    async def _answer(self, client: Streams) -> None:
        try:
            ask = await read_request(client[0])
            if ask is None:
                return
            reached = await self._connect(ask.host, ask.port)
        except BadRequestError as error:
            await refuse(client[1], 400, str(error))
        except RefusedError as error:
            await refuse(client[1], 403, str(error))
        except (OSError, UnicodeError) as error:
            await refuse(client[1], 502, f"not reached: {error}")
        else:
            async with closing(reached) as server:
                await pass_on(ask, client, server)

    async def _connect(self, host: str, port: int) -> Streams:
        """A connection to the first address of an allowed host that answers."""
        if not self._allows(host, port):
            self.refused[f"{host}:{port}"] = None
            raise RefusedError(f"{host}:{port} is not in sandbox.hosts")
        problem: OSError = OSError(f"{host} has no address")
        for address in await self._checked_addresses(host, port):
            try:
                async with asyncio.timeout(_CONNECT_S):
                    return await asyncio.open_connection(address, port)
            except OSError as error:  # a TimeoutError too
                problem = error
        raise problem

    async def _checked_addresses(self, host: str, port: int) -> Sequence[str]:
        """Of an allowed host; what is not on the public internet has to be allowed by its address."""
        from codeflow.tools.public_network import is_public

        if host == "localhost":
            return ["127.0.0.1", "::1"]
        addresses = await self._resolve(host)
        for address in addresses:
            if not is_public(ip_address(address)) and not self._allows(normal_host(address) or "", port):
                self.refused[f"{host}:{port} at {address}"] = None
                raise RefusedError(f"{host} is {address}: not public, and not in sandbox.hosts itself")
        return addresses

    def _allows(self, host: str, port: int) -> bool:
        return any(rule.allows(host, port) for rule in self._rules)


async def _resolved(host: str) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
