"""What people write where a credential would stand: examples, the fixtures of tests."""

import re

_EXAMPLE = re.compile(r"example|changeme|placeholder", re.IGNORECASE)
_FILLER = re.compile(r"[A-Za-z]+|0?1234\d*|(.)\1{5,}")
_ALPHABET = re.compile(r"abcd[a-z]*", re.IGNORECASE)
_FIXTURES = frozenset({
    "example", "sample", "dummy", "fake", "mock", "test", "tests", "testing", "placeholder", "your", "my", "changeme", "change",
    "me", "password", "passwd", "pass", "secret", "token", "key", "xxx", "xxxx", "xxxxxxxx", "foo", "bar", "baz",
    "redacted", "todo", "none", "null", "undefined", "default", "insert", "replace", "insecure", "invalid", "wrong", "demo", "user",
    "admin", "here", "value", "string",
})  # fmt: skip


def is_placeholder(value: str) -> bool:
    """Whether such words, or rows such as 1234 and aaaaaa, make half of a value: one that only contains one is none."""
    if _EXAMPLE.search(value):
        return True
    filled = sum(len(part[0]) for part in _FILLER.finditer(value) if _is_filler(part[0]))
    return filled > 0 and 2 * filled >= sum(map(str.isalnum, value))


def _is_filler(part: str) -> bool:
    return (
        not part.isalpha()
        or part.lower() in _FIXTURES
        or bool(_ALPHABET.fullmatch(part))
        or len({*part}) == 1 < len(part)
    )
