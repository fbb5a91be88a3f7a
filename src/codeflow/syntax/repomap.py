"""A map of a repository for a model: the definitions that matter most for a task, within a number of tokens."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from codeflow.core.text import CHARS_PER_TOKEN, printable
from codeflow.syntax.index import index
from codeflow.syntax.languages import is_code
from codeflow.syntax.ranking import Ranked, rank, words

MAX_FILES = 20_000
_MOST_OF_A_FILE = 12
_LONGEST_LINE = 120


def repository_map(root: Path, paths: Sequence[str], *, task: str, tokens: int, cache: Path) -> str:
    """Each file's path, and below it `line: signature` of its definitions; the file that matters most first.

    Depends on content and task alone, but for a repository with more than 20 MB of code: its first maps say how many
    files they did not read yet. `cache` is a folder; what it holds can be lost.
    """
    asked = words(task)
    known = [path for path in paths if is_code(path) and ".min." not in path]
    nearest = sorted(known, key=lambda path: (-len(words(path) & asked), path.count("/"), path))
    found = index(root, nearest[:MAX_FILES], cache / "maps" / f"{_name_of(root)}.sqlite3")
    unread = found.unread + max(len(known) - MAX_FILES, 0)
    note = [f"[{unread:,} more files are not in this map]"] if unread else []
    room = tokens * CHARS_PER_TOKEN - sum(len(line) + 1 for line in note)
    lines = _lines(rank(found.files, task), room)
    return "\n".join([*lines, *note] if lines else [])


def _name_of(root: Path) -> str:
    return hashlib.sha256(bytes(root.resolve())).hexdigest()[:32]


def _lines(ranked: Sequence[Ranked], room: int) -> list[str]:
    """The best definitions that fit, grouped by file, each file where its best one stands."""
    shown: dict[str, list[Ranked]] = {}
    taken = Counter[str]()
    for item in ranked:
        if taken[item.path] == _MOST_OF_A_FILE:
            continue
        header = 0 if item.path in shown else len(printable(item.path)) + 1
        room -= header + len(_line(item)) + 1
        if room < 0:
            break
        taken[item.path] += 1
        shown.setdefault(item.path, []).append(item)
    lines: list[str] = []
    for path, items in shown.items():
        in_order = sorted(items, key=lambda item: item.definition.line)
        lines += [printable(path), *(_line(item) for item in in_order)]
    return lines


def _line(item: Ranked) -> str:
    owner, signature = item.definition.qualified.rpartition(".")[0], item.definition.signature
    text = printable(signature if owner in signature else f"{owner}: {signature}")
    text = text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"
    return f" {item.definition.line}: {text}"
