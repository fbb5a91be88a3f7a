"""Commands that git runs when somebody goes on with a rebase: the `exec` lines of its list."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from codeflow.tools.sandbox.repositories import first_link

LISTS = ("rebase-merge/git-rebase-todo", "sequencer/todo")
"""In a git folder, while a rebase, a cherry-pick or a revert is under way."""
_EXEC = re.compile(r"^\s*(?:x|exec)\s+(.*?)\s*$", re.MULTILINE)
_LARGEST_BYTES = 10_000_000
_UNREADABLE = "what no list of git's is"

Todos = tuple[tuple[Path, Path, tuple[str, ...]], ...]
"""Of each list: the folder that it is looked for in, its path, and the commands in it."""


def todos(gits: Iterable[tuple[Path, Path]]) -> Todos:
    """The lists of git folders, each in a folder; also of those that have none now."""
    return tuple((root, git / name, executed(root, git / name)) for root, git in gits for name in LISTS)


def added(before: Todos) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The lists that run what they did not, each with those commands."""
    for root, path, known in before:
        if fresh := tuple(line for line in executed(root, path) if line not in known):
            yield first_link(root, path) or path, fresh


def executed(root: Path, path: Path) -> tuple[str, ...]:
    """The commands in a list; git makes no link on the way to one."""
    if not os.path.lexists(path):
        return ()
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return (_UNREADABLE,)
    with os.fdopen(opened, encoding="utf-8", errors="replace", newline="") as stream:
        about = os.fstat(opened)
        if first_link(root, path) or not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST_BYTES:
            return (_UNREADABLE,)
        return tuple(_EXEC.findall(stream.read()))
