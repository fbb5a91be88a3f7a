"""AGENTS.md files (CLAUDE.md as fallback): those of the root, and nested ones once a path below them is used."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.text import CHARS_PER_TOKEN, fit, printable
from codeflow.knowledge.project import leads_into

NAMES = ("AGENTS.md", "CLAUDE.md")
_MAX_BYTES_PER_TOKEN = 4 * CHARS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Instructions:
    """One file's text, or why it is not used."""

    text: str
    refused: str | None = None


def read_instructions(folder: Path, *, within: Path, tokens: int) -> Instructions | None:
    """The folder's instruction file, cut at a line border to fit the tokens; None when it has none.

    A file that leads out of `within`, or is not text, is refused.
    """
    file = next((folder / name for name in NAMES if os.path.lexists(folder / name)), None)
    if file is None:
        return None
    shown = printable(file.relative_to(within).as_posix())
    if not leads_into(file, within):
        return Instructions("", f"{shown} was not read: it is a link to a place outside the project")
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return Instructions("", f"{shown} was not read: it is not a file")
        with file.open("rb") as opened:
            content = opened.read(tokens * _MAX_BYTES_PER_TOKEN + 1)
    except OSError as error:
        return Instructions("", f"{shown} was not read: {error.strerror}")
    whole = len(content) <= tokens * _MAX_BYTES_PER_TOKEN
    try:
        text = (content if whole else content[: content.rfind(b"\n") + 1]).decode("utf-8-sig")
    except UnicodeDecodeError:
        return Instructions("", f"{shown} was not read: it is not UTF-8 text")
    lines = text.strip().splitlines()
    kept = fit(lines, tokens)
    if not whole or len(kept) < len(lines):
        kept.append(f"[cut after line {len(kept)}; read {shown} for the rest]")
    return Instructions("\n".join([f"Instructions of {shown}:", *kept]))


class NestedInstructions:
    """The instruction files below the root, each handed out once."""

    def __init__(self, root: Path, *, tokens: int) -> None:
        self._root = root.resolve()
        self._tokens = tokens
        self._shown: set[Path] = set()

    def for_path(self, path: str) -> str | None:
        """Text of the files that govern a path (absolute, or relative to the root) and are not shown yet."""
        target = Path(os.path.normpath(self._root / path))
        if not target.is_relative_to(self._root):
            return None
        new = [
            folder
            for folder in reversed((target, *target.parents))
            if folder != self._root and folder.is_relative_to(self._root) and folder not in self._shown
        ]
        self._shown.update(new)
        found = [read_instructions(folder, within=self._root, tokens=self._tokens) for folder in new]
        return "\n\n".join(part.text for part in found if part and part.text) or None
