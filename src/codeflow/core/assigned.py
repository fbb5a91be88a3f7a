"""Values assigned to a name that says password, secret, token or key: in code, settings, shells and prose."""

import re
from collections.abc import Iterator

from codeflow.core.literal import is_literal
from codeflow.core.logged_in import places
from codeflow.core.placeholders import is_placeholder

_SHORT_NAME_CHARS = 40
_AWS_SECRET_CHARS = 40
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
    r"(?P<op>:[ \t]{0,3}[A-Za-z_.\[\]| ]{1,30}=|:=|=>|===?|=|:|>|,|[ ](?:is|was)[ ])[ \t]{0,8}"
    r"(?:(?:[rbfu]{0,2})(?P<quote>\\?[\"'`])(?P<quoted>[^\s\"'`\\<>]{8,2048}+)(?P=quote)"
    r"|(?P<bare>[^\s\"'`,;<>|\\]{8,2048}+))",
    re.IGNORECASE,
)
_OTHER_TOKENS = re.compile(
    r"(?:next|page|client|change|request|idempotency|continuation|cancel[a-z]{1,6}|pad|eos|bos|sep|mask|unk|sync|max|min|num)[_-]?$",
    re.IGNORECASE,
)
_OTHER_PASSES = re.compile(r"(?:by|com|tres)$", re.IGNORECASE)
_CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_ATTRIBUTE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+[,;(){}\]]*(?:\s|\Z)|\w+\(")
EXPRESSION = re.compile(r"[<${%\[(.~/*]|[^()\[\]{}]*[(\[{]|https?:|.*(?:\*\*\*|\.\.\.|\$\{|\{\{)|None\b")
_PATH_OR_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:[.:/-]+[\w$]+)*[)\]};]*\Z")
_MIXED = re.compile(r"[A-Za-z]\d+[A-Za-z]\w*\d|\d[A-Za-z]+\d[A-Za-z]")
"""Digits between letters as in no word."""
_CODE = re.compile(r"[)\]}]\W*\w")
_NO_SPACE = re.compile(r"[^\s\"'`]+")
_OPEN_TAG = re.compile(r"<[\w.-]*$")
_AWS_SECRET = re.compile(r"[A-Za-z0-9/+]+")
_JUDGED_CHARS = 128
"""Of a value; enough to tell a placeholder."""
_CALL = re.compile(
    r"(?:define|putenv|setenv|setproperty|put|set|property|environment)\(\s*[\"'][\w.-]*\Z", re.IGNORECASE
)
"""What takes a name and its value."""


def assigned(text: str) -> Iterator[tuple[int, int, str]]:
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
    starts = {at for word in _KEYWORDS for at in places(lowered, word)}
    for at in places(lowered, "key"):
        if kind := _KINDS_OF_KEY.search(lowered, max(0, at - _LONGEST_KIND_CHARS), at):
            starts.add(kind.start())
    return sorted(starts)


def _value(text: str, match: re.Match[str]) -> tuple[int, int, str] | None:
    """What of an assignment is a credential."""
    if match["op"] == "," and not _is_call(text, match):
        return None
    if match["quoted"]:
        kind = _kind_of(text, match, match["quoted"][:_JUDGED_CHARS])
        return (*match.span("quoted"), kind) if kind else None
    if _is_env_line(text, match):
        whole = _NO_SPACE.match(text, match.start("bare"))
        if whole and not _is_no_value(whole[0][:_JUDGED_CHARS]) and not whole[0].isdigit():
            return (*whole.span(), _named(match))
        return None
    value = match["bare"][:_JUDGED_CHARS]
    if match["op"] != ">" and (
        _CODE.search(value)
        or _ATTRIBUTE.match(value)
        or (_PATH_OR_NAME.match(value) and not _MIXED.search(value) and not _is_literal(text, match))
    ):
        return None
    kind = _kind_of(text, match, value)
    return (*match.span("bare"), kind) if kind else None


def _is_call(text: str, match: re.Match[str]) -> bool:
    """Whether it is an argument behind that of its name."""
    return bool(
        match["quoted"] and _CALL.search(text, max(0, match.start() - _SHORT_NAME_CHARS), match.start())
    )


def _is_literal(text: str, match: re.Match[str]) -> bool:
    return is_literal(text, match.start(), match["op"], match.span("bare"))


def _kind_of(text: str, match: re.Match[str], value: str) -> str | None:
    before = text[max(0, match.start() - _SHORT_NAME_CHARS) : match.start()]
    kind = _named(match)
    if kind == "aws-secret-key" and len(value) == _AWS_SECRET_CHARS and _AWS_SECRET.fullmatch(value):
        return None if value.endswith("EXAMPLEKEY") else kind
    if match["op"] == ">" and not _OPEN_TAG.search(before):
        return None
    other = _OTHER_TOKENS if kind == "secret" and match["name"].lower().startswith("token") else _OTHER_PASSES
    if other.search(before) or _is_no_value(value) or not is_guarded(value):
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
    return bool(EXPRESSION.match(value)) or is_placeholder(value)


def is_guarded(value: str) -> bool:
    """Whether it could be a password rather than a word or a name."""
    mixed = any(char.isdigit() or char in "!@#$%^&*?~+=" for char in value)
    return mixed and any(map(str.isalpha, value))
