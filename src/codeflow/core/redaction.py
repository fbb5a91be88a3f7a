"""Credentials in a text, found by the formats that vendors document and by the values of this process's own."""

import base64
import json
import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, quote_plus

from codeflow.core.assigned import EXPRESSION, assigned, is_guarded
from codeflow.core.disguise import in_base64, undisguised
from codeflow.core.logged_in import by_place, is_basic_login, places
from codeflow.core.placeholders import is_placeholder
from codeflow.core.places import resource

PLACEHOLDER = re.compile(r"\[REDACTED:[a-z-]{1,30}\]")
_MOST_PASSES = 8
_LEAST_SECRET_CHARS = 8

_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|WEBHOOK|CONNECTION_?STRING"
    r"|(^|_)(KEYS?|APIKEY|AUTH|PAT|PASS|SK|DSN)(_|$)|.PWD$",
    re.IGNORECASE,
)
_NO_SECRET_NAME = re.compile(
    r"_(SOCK|FILE|PATH|DIR|HOME|URI|LIMIT|TYPE|LIFETIME|TTL|EXPIR\w*)$|^SSH_AUTH_SOCK$|APPLICATION_CREDENTIALS$|^OLDPWD$",
    re.IGNORECASE,
)
_NO_SECRET_VALUES = frozenset({"disabled", "required", "optional", "password", "changeme", "readonly"})

_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,60}-----")
_PEM_CHARS = 20_000
_PEM_LINE = re.compile(r"(?:\r?\n|\\n)[^\nA-Za-z0-9+/\\]{0,12}(?:\d{1,7}[\t:|-] ?)?[A-Za-z0-9+/]{16,}+={0,2}")

_LOGIN_URL = re.compile(r"://([^/\s:@\"'<>]{0,100}+):([^/\s@\"'<>]{3,256}+)@([^/\s:?#\"']{0,100})")
_LOCAL_HOST = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?|db|postgres|mysql|redis|mongo|rabbitmq)?")

_BEARER = re.compile(r"(?i:bearer)[ ]{1,4}([A-Za-z0-9+/._~-]{16,}+=*)")
_BASIC = re.compile(r"(?i:basic)[ ]{1,4}([A-Za-z0-9+/]{8,4096}+={0,2})")

_TEXT_OF_PLACEHOLDERS = "[REDACTED:"


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of credential, by its documented form."""

    kind: str
    name: str
    starts: tuple[str, ...]
    pattern: re.Pattern[str]
    anywhere: bool


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A credential in a text: characters from `start` up to `end`."""

    start: int
    end: int
    kind: str


@cache
def formats() -> tuple[Format, ...]:
    """The documented forms, from config/secrets.toml."""
    table = tomllib.loads((resource("config") / "secrets.toml").read_text(encoding="utf-8"))
    return tuple(
        Format(
            one["kind"],
            one["name"],
            tuple(one["starts"]),
            re.compile(one["pattern"]),
            one.get("anywhere", False),
        )
        for one in table["format"]
    )


class Redactor:
    """Puts `[REDACTED:kind]` in the place of credentials. Time is linear in the text, whatever the text is.

    Known are the formats of config/secrets.toml, private keys, authorization headers, passwords in URLs, values
    assigned to a name that says password, secret, token or key, and the values of those variables of `env` that are
    named like a credential, plain, in base64 and URL-encoded. Characters that nobody sees, JSON's escapes and one level
    of base64 hide none of them. Randomness alone is no sign: hashes and ids stay.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._own = own_values(env)

    def redact(self, text: str) -> str:
        """The text without credentials; a text without any comes back as it is."""
        return self._without(text, keep_lines=False)

    def redact_lines(self, lines: Sequence[str]) -> list[str]:
        """The same for the lines of a file: as many as before, also where a key goes over several."""
        return self._without("\n".join(lines), keep_lines=True).split("\n")

    def _without(self, text: str, *, keep_lines: bool) -> str:
        for _ in range(_MOST_PASSES):  # what is left may look different where something was taken out
            found = self.find(text)
            if not found:
                break
            text = _replaced(text, found, keep_lines=keep_lines)
        return text

    def find(self, text: str) -> list[Found]:
        """The credentials of a text in order, none overlapping another."""
        if len(text) < _LEAST_SECRET_CHARS:
            return []
        found = [*self._plain(text), *self._disguised(text), *self._encoded(text)]
        return _merged(sorted(found), [match.span() for match in PLACEHOLDER.finditer(text)] if found else [])

    def _plain(self, text: str) -> list[Found]:
        named = (Found(*one) for found in (assigned(text), by_place(text)) for one in found)
        return [*self._documented(text), *_headers(text), *_logins(text), *named]

    def _documented(self, text: str) -> list[Found]:
        """What is certain to be one by itself."""
        return [*self._of_this_process(text), *_by_format(text), *_private_keys(text)]

    def _disguised(self, text: str) -> Iterator[Found]:
        """With characters in it that nobody sees, or escaped as in JSON."""
        meant = undisguised(text)
        if meant is None:
            return
        for one in self._plain(meant.text):
            start, end = meant.original(one.start, one.end)
            yield Found(start, end, one.kind)

    def _encoded(self, text: str) -> Iterator[Found]:
        """In base64, once; the whole of what is encoded counts."""
        spans: list[tuple[int, int]] = []
        places: list[int] = []
        said: list[str] = []
        length = 0
        for start, end, meaning in in_base64(text):
            spans.append((start, end))
            places.append(length)
            said.append(meaning)
            length += len(meaning) + 1
        for one in self._documented("\n".join(said)):
            first, last = bisect_right(places, one.start) - 1, bisect_right(places, one.end - 1)
            yield from (Found(start, end, one.kind) for start, end in spans[first:last])

    def _of_this_process(self, text: str) -> Iterator[Found]:
        for value in self._own:
            at = text.find(value)
            while at >= 0:
                yield Found(at, at + len(value), "environment")
                at = text.find(value, at + len(value))


def own_values(env: Mapping[str, str]) -> tuple[str, ...]:
    """The credentials of an environment in every form in which they might be printed, longest first."""
    found: set[str] = set()
    for name, value in env.items():
        if not _SECRET_NAME.search(name) or _NO_SECRET_NAME.search(name):
            continue
        if len(value) < _LEAST_SECRET_CHARS or value.lower() in _NO_SECRET_VALUES:
            continue
        found.update({value, json.dumps(value)[1:-1], quote(value, safe=""), quote_plus(value)})
        found.update(_in_base64(value))
    shortest = _LEAST_SECRET_CHARS
    usable = (one for one in found if len(one) >= shortest and one not in _TEXT_OF_PLACEHOLDERS)
    return tuple(sorted(usable, key=lambda one: (-len(one), one)))


def _in_base64(value: str) -> Iterator[str]:
    """What base64 makes of a value wherever in a longer text it stands, without the ends that depend on what is around."""
    data = value.encode("utf-8", "surrogateescape")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        first = -(-before * 8 // 6)
        last = (before + len(data)) * 8 // 6
        core = encoded[first:last]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _by_format(text: str) -> Iterator[Found]:
    for form in formats():
        present = [start for start in form.starts if start in text]
        if form.anywhere and present:
            yield from (Found(*match.span(), form.kind) for match in form.pattern.finditer(text))
            continue
        for start in present:
            for match in _matches(text, start, form.pattern):
                yield Found(*match.span(), form.kind)


def _matches(text: str, start: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """Where the pattern matches at a literal; each match is searched behind the one before."""
    at = text.find(start)
    while at >= 0:
        match = pattern.match(text, at)
        if match:
            yield match
        at = text.find(start, match.end() if match else at + 1)


def has_private_key(text: str) -> bool:
    """Whether a private key begins in the text."""
    return _PEM.search(text) is not None or "PuTTY-User-Key-File-" in text


def _private_keys(text: str) -> Iterator[Found]:
    """Whole keys; of one that is cut off, the lines that look like its content."""
    for opening in _matches(text, "-----BEGIN ", _PEM):
        closing = _PEM_END.search(text, opening.end(), opening.end() + _PEM_CHARS)
        between = text.find("-----BEGIN ", opening.end(), closing.start() if closing else opening.end())
        if closing and between < 0:
            yield Found(opening.start(), closing.end(), "private-key")
            continue
        end = opening.end()
        while line := _PEM_LINE.match(text, end):
            end = line.end()
        if end > opening.end():
            yield Found(opening.start(), end, "private-key")


def _headers(text: str) -> Iterator[Found]:
    for word in ("earer ", "EARER "):
        for at in places(text, word):
            match = _BEARER.match(text, at - 1) if at else None
            if match and is_guarded(match[1]) and not is_placeholder(match[1]):
                yield Found(*match.span(1), "authorization")
    for word in ("asic ", "ASIC "):
        for at in places(text, word):
            match = _BASIC.match(text, at - 1) if at else None
            if match and is_basic_login(match[1]):
                yield Found(*match.span(1), "authorization")


def _logins(text: str) -> Iterator[Found]:
    for match in _matches(text, "://", _LOGIN_URL):
        if is_login(*match.groups()):
            yield Found(*match.span(2), "url-password")


def is_login(user: str, password: str, host: str) -> bool:
    """Not a placeholder, nor the login that everybody has, such as postgres:postgres on this machine."""
    everybody = password in {user, "password", "passwd", "pass", "secret", "test", "example", "***"}
    nowhere = _LOCAL_HOST.fullmatch(host) or "example" in host or "user" in user
    return not EXPRESSION.match(password) and not (everybody and nowhere)


def _merged(found: Iterable[Found], placeholders: Sequence[tuple[int, int]]) -> list[Found]:
    """Overlapping ones as one, of the kind that begins first; what stands in a placeholder, or cuts one, is none."""
    merged: list[Found] = []
    passed = 0
    for one in found:
        while passed < len(placeholders) and placeholders[passed][1] <= one.start:
            passed += 1
        if not _is_clear(one, placeholders, passed):
            continue
        if merged and one.start < merged[-1].end:
            merged[-1] = Found(merged[-1].start, max(one.end, merged[-1].end), merged[-1].kind)
        else:
            merged.append(one)
    return merged


def _is_clear(one: Found, placeholders: Sequence[tuple[int, int]], index: int) -> bool:
    """Whether every placeholder that it meets, from one on, lies within it as a part."""
    while index < len(placeholders) and placeholders[index][0] < one.end:
        first, last = placeholders[index]
        if first < one.start or last > one.end or (first, last) == (one.start, one.end):
            return False
        index += 1
    return True


def _replaced(text: str, found: Iterable[Found], *, keep_lines: bool) -> str:
    parts: list[str] = []
    at = 0
    for one in found:
        mark = f"[REDACTED:{one.kind}]"
        lines = text.count("\n", one.start, one.end) if keep_lines else 0
        parts += [text[at : one.start], "\n".join([mark] * (lines + 1))]
        at = one.end
    return "".join([*parts, text[at:]])
