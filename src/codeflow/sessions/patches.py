"""What differs between two trees, for people and for results."""

import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.values import FileChange
from codeflow.sessions.repository import Store

_CHANGES = {"A": "added", "D": "deleted", "R": "renamed"}
_DIFF = ("diff-tree", "-r", "--find-renames", "--no-ext-diff", "--no-textconv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs between two states; of `private` files, which git ignores, the content is not told."""

    changes: tuple[FileChange, ...]
    patch: str
    private: tuple[FileChange, ...]


def compare(
    store: Store, before: str, after: str, *, without: Collection[str] = ()
) -> tuple[tuple[FileChange, ...], str]:
    """The changed files in the order of their paths, and the unified patch; binary files count no lines.

    `without` are paths to leave out.
    """
    if without:
        after = _with_files_of(store, after, before, without)
    facts = iter(store.names(*_DIFF, "-z", "--name-status", before, after))
    changes = []
    counts = _line_counts(store, before, after)
    for letter in facts:
        path = next(facts)
        if letter.startswith("R"):
            path = next(facts)
        added, removed = counts[path]
        kind = _CHANGES.get(letter[0], "modified")
        changes.append(
            FileChange(path=printable(path), change=kind, added_lines=added, removed_lines=removed)
        )
    patch = store.run(*_DIFF, "--patch", "--no-color", before, after)
    return tuple(changes), patch.decode(errors="replace")


def _with_files_of(store: Store, tree: str, other: str, paths: Collection[str]) -> str:
    """A tree that has at these paths what another one has, which may be nothing."""
    found = {
        line.partition("\t")[2]: line.partition("\t")[0]
        for line in store.names("ls-tree", "-r", "-z", "--full-tree", other)
    }
    lines = []
    for path in paths:
        mode, _, blob = found.get(path, f"0 blob {'0' * 40}").split(" ")
        lines.append(f"{mode} {blob}\t{path}\0")
    with tempfile.TemporaryDirectory(prefix="codeflow-") as folder:
        git = store.with_index(Path(folder) / "index")
        git.run("read-tree", tree)
        git.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)))
        return git.run("write-tree").decode().strip()


def printable(path: str) -> str:
    """A path as text that any encoder accepts: bytes outside UTF-8 are shown as escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _line_counts(store: Store, before: str, after: str) -> dict[str, tuple[int, int]]:
    counts = {}
    facts = iter(store.names(*_DIFF, "-z", "--numstat", before, after))
    for fact in facts:
        added, removed, path = fact.split("\t", 2)
        if not path:
            next(facts)
            path = next(facts)
        counts[path] = (0, 0) if added == "-" else (int(added), int(removed))
    return counts
