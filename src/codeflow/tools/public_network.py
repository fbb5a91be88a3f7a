"""An HTTP transport that reaches only public addresses, whatever a name resolves to; for pages that a model names."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx
from typing_extensions import override

_CARRIES_IPV4 = ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
_NOT_GLOBAL = ("fec0::/10", "5f00::/16")
"""Of old private networks, and of segment routing."""
_NOT_PUBLIC = tuple(map(IPv6Network, (*_CARRIES_IPV4, *_NOT_GLOBAL)))


class NotPublicError(Exception):
    """The host is this machine, or in a private, link-local or otherwise special network."""


class PublicTransport(httpx.AsyncBaseTransport):
    """Connects to the address that was checked, so that a name cannot change in between; redirects pass here too."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        addresses = await _public_addresses(host)
        for position, address in enumerate(addresses, 1):
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except httpx.ConnectError:
                if position == len(addresses):
                    raise
        raise httpx.ConnectError(f"{host} has no address")

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


async def _public_addresses(host: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise httpx.ConnectError(f"{host} cannot be resolved: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_public(ip_address(address)):
            raise NotPublicError(f"{host} is {address}, which is not on the public internet")
    return addresses


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of the public internet; IPv6 addresses that stand for an IPv4 one are not."""
    if isinstance(address, IPv6Address) and any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast
