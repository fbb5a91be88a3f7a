"""Whether a bare word behind a secret's name stands for itself, as in a file of settings, and is no name of code."""

import re

_AROUND_CHARS = 200
_LINE_BEFORE = re.compile(
    r"(?:[ ]*\d{1,7}[\t:|-][ ]?|[^\s:]+:\d+:)?[+-]?(?P<indent>[ \t]*)(?P<item>-[ ]+|export[ ]+|[^\n]{0,120}[ ]--)?"
    r"(?P<stem>[\w.-]*)"
)
"""With the number of a listing, the path of a search, or the mark of a diff."""
_LINE_AFTER = re.compile(r"[ \t]*(?:[ \t]#[^\n]*)?(?:\r?\n|\Z)")
_CONNECTION = re.compile(
    r"(?:^|[;\"'])[ ]*(?:server|host|data source|address|addr|user id|uid|user|username|database|initial catalog|port)"
    r"[ ]*=[^;\"'\n]*",
    re.IGNORECASE,
)
"""A part of a connection string besides its password."""
_CHOSEN = re.compile(r"[A-Za-z][A-Za-z.-]*\d+[!?.]*|[\w.-]*\d{3,}[\w.-]*")
"""A word with digits at its end, or a row of them anywhere."""
_IN_NAMES = re.compile(
    r"password|passwd|pwd|secret|token|key|cred|auth|(?:sha|aes|rs|hs|es|md|base|utf|u?int|float|argon|pbkdf|ed|x|http|ipv)[_-]?\d"
    r"|[a-z]+(?:_[a-z0-9]+)+\Z",
    re.IGNORECASE,
)
_NAMING = re.compile(r"(?:existing|pull)[_-]?$", re.IGNORECASE)
"""Before a name whose value is a name again, as in Helm's settings."""


def is_literal(text: str, name: int, op: str, value: tuple[int, int]) -> bool:
    """`name` is where the secret's name begins, `op` what stands between it and its value, of which the place is given."""
    first, last = value
    word = text[first:last]
    if _in_connection_string(text, name, op, last):
        return any(map(str.isalnum, word))
    return bool(_CHOSEN.fullmatch(word)) and not _IN_NAMES.search(word) and _is_setting(text, name, op, value)


def _is_setting(text: str, name: int, op: str, value: tuple[int, int]) -> bool:
    """Whether it is a line of its own, as in YAML, in a file of properties, in a shell."""
    begin = text.rfind("\n", max(0, name - _AROUND_CHARS), name) + 1
    if not begin and name > _AROUND_CHARS:
        return False
    before = _LINE_BEFORE.fullmatch(text, begin, name)
    if not before or _NAMING.search(before["stem"]):
        return False
    if before["item"] and before["item"].endswith("--"):
        return op == "="
    if not _LINE_AFTER.match(text, value[1]):
        return False
    spaced = text[value[0] - 1] in " \t"
    if op == ":":
        return spaced or "." in before["stem"]
    dotted = bool(before["item"]) or not before["indent"] or "." in before["stem"]
    return op == "=" and dotted and not spaced


def _in_connection_string(text: str, name: int, op: str, last: int) -> bool:
    """Whether it is a part such as `;Password=x;` of one."""
    if (
        op != "="
        or text[max(0, name - 1) : name].isalnum()
        or text[last : last + 1] not in {";", '"', "'", "", "\n", "\r"}
    ):
        return False
    before = re.split(r"[\n\"']", text[max(0, name - _AROUND_CHARS) : name])[-1]
    after = re.split(r"[\n\"']", text[last : last + _AROUND_CHARS])[0]
    if before.strip() and not before.rstrip(" ").endswith(";"):
        return False
    return bool(_CONNECTION.search(before) or _CONNECTION.search(after))
