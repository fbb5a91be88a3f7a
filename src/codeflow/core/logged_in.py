"""Credentials that stand where a program's own file or header has its place for them."""

import base64
import re
from collections.abc import Iterator

from codeflow.core.placeholders import is_placeholder

_BEFORE_CHARS = 200
_NETRC_BEFORE = re.compile(r"(?:\blogin|\bmachine|\baccount)[ \t]+\S{1,100}\s+\Z")
_NETRC = re.compile(r"password[ \t]+(\S{4,256})")
_DOCKER = re.compile(r"\"auth\"[ \t]{0,8}:[ \t]{0,8}\"([A-Za-z0-9+/]{8,4096}+={0,2})\"")
_SCHEME = re.compile(
    r"uthorization[\"'`]?[ \t]{0,4}(?:[:=,]|=>)[ \t]{0,4}[fb]?[\"'`]?"
    r"(?:token|api[_-]?key|key|bot|splunk|ghost|genie-?key|ssws|privatetoken)[ \t]{1,4}(?:token=)?[\"']?([A-Za-z0-9+/._~:-]{8,}+=*)",
    re.IGNORECASE,
)


def by_place(text: str) -> Iterator[tuple[int, int, str]]:
    """The passwords of a .netrc and of Docker's settings, and tokens in an Authorization header."""
    for at in places(text, "password"):
        match = _NETRC.match(text, at)
        if (
            match
            and _NETRC_BEFORE.search(text, max(0, at - _BEFORE_CHARS), at)
            and not is_placeholder(match[1])
        ):
            yield (*match.span(1), "password")
    for at in places(text, '"auth"'):
        if (match := _DOCKER.match(text, at)) and is_basic_login(match[1]):
            yield (*match.span(1), "authorization")
    for word in ("uthorization", "UTHORIZATION"):
        for at in places(text, word):
            match = _SCHEME.match(text, at)
            if match and any(map(str.isdigit, match[1])) and not is_placeholder(match[1]):
                yield (*match.span(1), "authorization")


def is_basic_login(encoded: str) -> bool:
    """Whether it is a user with a password, as for HTTP's basic authentication."""
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, UnicodeDecodeError):
        return False
    return bool(colon and password) and user.isprintable() and password.isprintable()


def places(text: str, literal: str) -> Iterator[int]:
    """Where a literal stands."""
    at = text.find(literal)
    while at >= 0:
        yield at
        at = text.find(literal, at + 1)
