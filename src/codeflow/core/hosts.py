"""Hosts that commands may reach, as the settings name them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

_WEB_PORTS = (80, 443)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_FIRST_FREE_PORT = 1024
_LONGEST_NAME = 253
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True)
class HostRule:
    """`name` is a host name, an address, or `*.` with a domain, which stands for all names below that domain.

    This machine is always `localhost`.
    """

    name: str
    ports: tuple[int, ...]

    def allows(self, host: str, port: int) -> bool:
        """Whether a host in its normal form may be reached at the port."""
        if port not in self.ports:
            return False
        return host.endswith(self.name[1:]) if self.name.startswith("*.") else host == self.name


def parse_host(text: str) -> HostRule:
    """A rule such as `pypi.org`, `*.example.com`, `10.0.0.7:5432`, `[fd00::7]:443` or `localhost:8000`.

    Raises:
        ValueError: saying what is wrong with it.
    """
    try:
        parts = urlsplit(f"//{text}")
        host, port, is_more = parts.hostname or "", parts.port, "@" in text or parts.netloc != text
    except ValueError:
        host, port, is_more = "", None, True
    wildcard = "*." if host.startswith("*.") else ""
    name = normal_host(host.removeprefix(wildcard))
    if name is None or is_more or (wildcard and "." not in name) or port == 0:
        raise ValueError(
            f"{text!r} is not a host; write it like pypi.org, *.example.com or localhost:8000 (an international name as xn--…)"
        )
    if name == "localhost" and (port or 0) < _FIRST_FREE_PORT:
        raise ValueError(f"{text!r} needs a port from {_FIRST_FREE_PORT} up, such as {name}:8000")
    return HostRule(wildcard + name, (port,) if port else _WEB_PORTS)


def normal_host(host: str) -> str | None:
    """A host's name or address in the one form that rules know; None for what is neither."""
    host = host.lower().removesuffix(".")
    try:
        host = str(ip_address(host))
    except ValueError:
        if len(host) > _LONGEST_NAME or not _NAME.fullmatch(host):
            return None
    return "localhost" if host in _LOOPBACK else host


def loopback_ports(rules: Iterable[HostRule]) -> tuple[int, ...]:
    """The ports of this machine that the rules allow."""
    return tuple(sorted({port for rule in rules if rule.name == "localhost" for port in rule.ports}))
