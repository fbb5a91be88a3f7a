"""What looks like a credential: in a text, and in an environment. Names what it is and never repeats it."""

import re
from collections.abc import Mapping
from itertools import pairwise

from codeflow.core.disguise import undisguised
from codeflow.core.redaction import formats, has_private_key, is_login

_VARIABLE = re.compile(
    r"^SSH_AUTH_SOCK$|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASSFILE|CREDENTIAL|WEBHOOK|CONNECTION_?STRING"
    r"|(^|_)(KEYS?|APIKEY|AUTH|PAT|PASS|SK|DSN)(_|$)|.PWD$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN ")
_LOGIN_URL = re.compile(r"://([^/\s:@]*):([^/\s@]+)@([^/\s:?#]*)")
_BEARER = re.compile(r"\b(Bearer|Basic) [A-Za-z0-9+/._~-]{20,}")
_ASSIGNED = re.compile(
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret(?:[_-]key(?:_base)?)?|token|credential|api[ _-]?key|access[ _-]?key|auth[ _-]?key)s?\b"
    r"[\"'`]?\s*(?:=|:|\bis\b|\bwas\b)\s*[\"'`]?([^\s\"'`,;]{8,})",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(r"[<${%(\[]|.*[(<]|(\.{0,2}|~|\w+)/|.*\*\*\*|https?:")
"""A placeholder, an expression, a path."""
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_LEAST_CHANGES = 0.45
"""Between small letters, capitals and digits, for each character: about 0.6 where they are random, 0.2 in names."""
_LEAST_SECRET_CHARS = 8


def is_secret_variable(name: str, value: str) -> bool:
    """Whether an environment variable is named or shaped like a credential."""
    if name in {"PWD", "OLDPWD"}:
        return False
    return bool(name.startswith("AWS_") or _VARIABLE.search(name) or _SECRET_VALUE.search(value))


def find_secret(text: str, env: Mapping[str, str]) -> str | None:
    """What kind of secret a text seems to hold, such as "a GitHub token"; None when it holds none.

    The credentials of `env` are recognised by their values, others by their form.
    """
    meant = undisguised(text)
    return _kind_in(text, env) or (_kind_in(meant.text, env) if meant else None)


def _kind_in(text: str, env: Mapping[str, str]) -> str | None:
    for name, value in env.items():
        if _VARIABLE.search(name) and _is_guarded(value) and value in text:
            return f"the value of {name}"
    if has_private_key(text):
        return "a private key"
    for form in formats():
        if form.pattern.search(text):
            return form.name
    if _BEARER.search(text):
        return "an authorization header"
    if any(is_login(*match.groups()) for match in _LOGIN_URL.finditer(text)):
        return "a URL with a password"
    if any(_is_guarded(match[1]) and not _NO_VALUE.match(match[1]) for match in _ASSIGNED.finditer(text)):
        return "a password or key"
    if any(_is_random(word) for word in _LONG_WORD.findall(text)):
        return "a random string, as keys are"
    return None


def _is_guarded(value: str) -> bool:
    """Whether it could be a password rather than a word or a name."""
    mixed = any(char.isdigit() or char in "!@#$%^&*?~+=" for char in value)
    return len(value) >= _LEAST_SECRET_CHARS and mixed and any(map(str.isalpha, value))


def _is_random(word: str) -> bool:
    kinds = ["d" if char.isdigit() else "u" if char.isupper() else "l" for char in word if char.isalnum()]
    changes = sum(before != after for before, after in pairwise(kinds))
    return len(set(kinds)) == len("dul") and changes >= _LEAST_CHANGES * len(word)
