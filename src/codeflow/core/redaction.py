"""Credentials in a text, found by the formats that vendors document and by the values of this process's own."""

import base64
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, quote_plus

from codeflow.core.places import resource

PLACEHOLDER = re.compile(r"\[REDACTED:[a-z-]{1,30}\]")
_MOST_PASSES = 8
_LEAST_SECRET_CHARS = 8
_SHORT_NAME_CHARS = 40
_AWS_SECRET_CHARS = 40

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

_KEYWORDS = ("pass", "pwd", "secret", "token", "credential", "_auth")
_KINDS_OF_KEY = re.compile(r"(?:api|access|auth|private|account|signing|encryption|master)[ _-]?\Z")
_LONGEST_KIND_CHARS = 11
_MOST_WITHIN = 8
"""Assignments that are looked at within one value that is no credential, such as the query of a URL."""
_ASSIGNMENT = re.compile(
    r"(?P<name>(?:pass(?:word|wd|phrase|code)?|pwd|secret(?:[_-]?(?:access)?[_-]?key)?(?:[_-]?base)?|token|credential"
    r"|(?:api|access|auth|private|account|signing|encryption|master)[ _-]?key|_auth)s?"
    r"(?:[_-]?(?:value|prod|production|staging|dev|v?\d{1,2}))?)"
    r"(?P<close>\\?[\"'`]|\]|)(?P<close2>\]?)[ \t]{0,8}"
    r"(?P<op>:[ \t]{0,3}[A-Za-z_.\[\]| ]{1,30}=|:=|=>|===?|=|:|>|[ ](?:is|was)[ ])[ \t]{0,8}"
    r"(?:(?:[rbfu]{0,2})(?P<quote>\\?[\"'`])(?P<quoted>[^\s\"'`\\<>]{8,2048}+)(?P=quote)"
    r"|(?P<bare>[^\s\"'`,;<>|\\]{8,2048}+))",
    re.IGNORECASE,
)
_OTHER_TOKENS = re.compile(
    r"(?:next|page|client|change|request|idempotency|continuation|cancell?ation|pad|eos|bos|sep|mask|unk|sync|max|min|num)[_-]?$",
    re.IGNORECASE,
)
_OTHER_PASSES = re.compile(r"(?:by|com|sur|tres)$", re.IGNORECASE)
_CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_ATTRIBUTE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+[,;)]*(?:\s|\Z)|\w+\(")
_EXPRESSION = re.compile(r"[<${%\[(.~/*]|[^()\[\]{}]*[(\[{]|https?:|.*(?:\*\*\*|\.\.\.|\$\{|\{\{)|None\b")
_PATH_OR_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:[.:/-]+[\w$]+)*[)\]};]*\Z")
_MIXED = re.compile(r"[A-Za-z]\d+[A-Za-z]\w*\d|\d[A-Za-z]+\d[A-Za-z]")
"""Digits between letters as in no word."""
_CODE = re.compile(r"[)\]}]\W*\w")
_NO_SPACE = re.compile(r"[^\s\"'`]+")
_OPEN_TAG = re.compile(r"<[\w.-]*$")
_AWS_SECRET = re.compile(r"[A-Za-z0-9/+]+")
_JUDGED_CHARS = 128
"""Of a value; enough to tell a placeholder."""
_WORDS = re.compile(r"[A-Za-z]+")
_FIXTURES = frozenset(
    {
        *(
            "example",
            "sample",
            "dummy",
            "fake",
            "mock",
            "test",
            "tests",
            "testing",
            "placeholder",
            "your",
            "my",
        ),
        *(
            "changeme",
            "change",
            "me",
            "password",
            "passwd",
            "pass",
            "secret",
            "token",
            "key",
            "xxx",
            "xxxx",
            "xxxxxxxx",
        ),
        *(
            "foo",
            "bar",
            "baz",
            "redacted",
            "todo",
            "none",
            "null",
            "undefined",
            "default",
            "insert",
            "replace",
        ),
        *("insecure", "invalid", "wrong", "demo", "user", "admin", "here", "value", "string", "hunter"),
    }
)
_EXAMPLE = re.compile(r"example|changeme|placeholder|(.)\1{5}|12345|abcdef", re.IGNORECASE)
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
    named like a credential, plain, in base64 and URL-encoded. Randomness alone is no sign: hashes and ids stay.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._own = own_values(env)

    def redact(self, text: str) -> str:
        """The text without credentials; a text without any comes back as it is."""
        for _ in range(_MOST_PASSES):  # what is left may look different where something was taken out
            found = self.find(text)
            if not found:
                break
            text = _replaced(text, found, keep_lines=False)
        return text

    def redact_lines(self, lines: Sequence[str]) -> list[str]:
        """The same for the lines of a file: as many as before, also where a key goes over several."""
        text = "\n".join(lines)
        for _ in range(_MOST_PASSES):
            found = self.find(text)
            if not found:
                break
            text = _replaced(text, found, keep_lines=True)
        return text.split("\n")

    def find(self, text: str) -> list[Found]:
        """The credentials of a text in order, none overlapping another."""
        if len(text) < _LEAST_SECRET_CHARS:
            return []
        known = [*self._of_this_process(text), *_by_format(text), *_private_keys(text), *_headers(text)]
        found = sorted([*known, *_logins(text), *_assigned(text)])
        return _merged(found, [match.span() for match in PLACEHOLDER.finditer(text)] if found else [])

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
        for at in _places(text, word):
            match = _BEARER.match(text, at - 1) if at else None
            if match and _is_guarded(match[1]) and not is_placeholder(match[1]):
                yield Found(*match.span(1), "authorization")
    for word in ("asic ", "ASIC "):
        for at in _places(text, word):
            match = _BASIC.match(text, at - 1) if at else None
            if match and _is_basic_login(match[1]):
                yield Found(*match.span(1), "authorization")


def _places(text: str, literal: str) -> Iterator[int]:
    at = text.find(literal)
    while at >= 0:
        yield at
        at = text.find(literal, at + 1)


def _is_basic_login(encoded: str) -> bool:
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, UnicodeDecodeError):
        return False
    return bool(colon and password) and user.isprintable() and password.isprintable()


def _logins(text: str) -> Iterator[Found]:
    for match in _matches(text, "://", _LOGIN_URL):
        if is_login(*match.groups()):
            yield Found(*match.span(2), "url-password")


def is_login(user: str, password: str, host: str) -> bool:
    """Not a placeholder, nor the login that everybody has, such as postgres:postgres on this machine."""
    everybody = password in {user, "password", "passwd", "pass", "secret", "test", "example", "***"}
    nowhere = _LOCAL_HOST.fullmatch(host) or "example" in host or "user" in user
    return not _EXPRESSION.match(password) and not (everybody and nowhere)


def _assigned(text: str) -> Iterator[Found]:
    """Values behind a name that ends in password, secret, token or a kind of key."""
    lowered = text.lower()
    if len(lowered) != len(text):  # one Turkish letter grows
        lowered = text.replace("\u0130", "I").lower()
    end, within = 0, 0
    for start in _keywords(lowered):
        within = within + 1 if start < end else 0
        if within > _MOST_WITHIN or not (match := _ASSIGNMENT.match(text, start)):
            continue
        end = max(end, match.end())
        if found := _value(text, match):
            yield found


def _keywords(lowered: str) -> list[int]:
    """Where a name may end in what says that its value is secret."""
    starts = {at for word in _KEYWORDS for at in _places(lowered, word)}
    for at in _places(lowered, "key"):
        if kind := _KINDS_OF_KEY.search(lowered, max(0, at - _LONGEST_KIND_CHARS), at):
            starts.add(kind.start())
    return sorted(starts)


def _value(text: str, match: re.Match[str]) -> Found | None:
    """What of an assignment is a credential."""
    if match["quoted"]:
        kind = _kind_of(text, match, match["quoted"][:_JUDGED_CHARS])
        return Found(*match.span("quoted"), kind) if kind else None
    if _is_env_line(text, match):
        whole = _NO_SPACE.match(text, match.start("bare"))
        if whole and not _is_no_value(whole[0][:_JUDGED_CHARS]) and not whole[0].isdigit():
            return Found(*whole.span(), _named(match))
        return None
    value = match["bare"][:_JUDGED_CHARS]
    if (
        _CODE.search(value)
        or _ATTRIBUTE.match(value)
        or (_PATH_OR_NAME.match(value) and not _MIXED.search(value))
    ):
        return None
    kind = _kind_of(text, match, value)
    return Found(*match.span("bare"), kind) if kind else None


def _kind_of(text: str, match: re.Match[str], value: str) -> str | None:
    before = text[max(0, match.start() - _SHORT_NAME_CHARS) : match.start()]
    kind = _named(match)
    if kind == "aws-secret-key" and len(value) == _AWS_SECRET_CHARS and _AWS_SECRET.fullmatch(value):
        return None if value.endswith("EXAMPLEKEY") else kind
    if match["op"] == ">" and not _OPEN_TAG.search(before):
        return None
    other = _OTHER_TOKENS if kind == "secret" and match["name"].lower().startswith("token") else _OTHER_PASSES
    if other.search(before) or _is_no_value(value) or not _is_guarded(value):
        return None
    return kind


def _named(match: re.Match[str]) -> str:
    name = match["name"].lower().replace("-", "").replace("_", "")
    if "secret" in name and "key" in name:
        return "aws-secret-key" if "access" in name else "secret-key"
    return "password" if name.startswith(("pass", "pwd")) else "secret"


def _is_env_line(text: str, match: re.Match[str]) -> bool:
    """Whether it is NAME=value, the name in capitals, as in a shell, a Dockerfile or an .env file."""
    if match["op"] != "=" or match["close"] or not match["bare"] or not match["name"].isupper():
        return False
    if match.start("bare") != match.end("name") + 1 or _ATTRIBUTE.match(match["bare"]):
        return False
    begin = match.start()
    while begin and begin > match.start() - _SHORT_NAME_CHARS and text[begin - 1] in _CAPITALS:
        begin -= 1
    return not begin or not (text[begin - 1].isalnum() or text[begin - 1] in "._")


def _is_no_value(value: str) -> bool:
    return bool(_EXPRESSION.match(value)) or is_placeholder(value)


def is_placeholder(value: str) -> bool:
    """Whether people write this where a credential would stand: an example, a test's fixture."""
    words = {word.lower() for word in _WORDS.findall(value)}
    return bool(_EXAMPLE.search(value) or words & _FIXTURES)


def _is_guarded(value: str) -> bool:
    """Whether it could be a password rather than a word or a name."""
    mixed = any(char.isdigit() or char in "!@#$%^&*?~+=" for char in value)
    return mixed and any(map(str.isalpha, value))


def _merged(found: Iterable[Found], placeholders: Sequence[tuple[int, int]]) -> list[Found]:
    """Overlapping ones as one, of the kind that begins first; nothing that touches a placeholder's inside."""
    merged: list[Found] = []
    taken = iter([*placeholders, (1 << 62, 1 << 62)])
    first, last = next(taken)
    for one in found:
        while last <= one.start:
            first, last = next(taken)
        if one.end > first:
            continue
        if merged and one.start < merged[-1].end:
            merged[-1] = Found(merged[-1].start, max(one.end, merged[-1].end), merged[-1].kind)
        else:
            merged.append(one)
    return merged


def _replaced(text: str, found: Iterable[Found], *, keep_lines: bool) -> str:
    parts: list[str] = []
    at = 0
    for one in found:
        mark = f"[REDACTED:{one.kind}]"
        lines = text.count("\n", one.start, one.end) if keep_lines else 0
        parts += [text[at : one.start], "\n".join([mark] * (lines + 1))]
        at = one.end
    return "".join([*parts, text[at:]])
