"""The checkpoints of a session as values: what each is, how it is written down, what follows from their order."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from codeflow.sessions.heads import GitState


class Kind(StrEnum):
    """What a checkpoint is in its session's history."""

    STEP = "step"
    END = "end"
    """A run ended; what changes until the next checkpoint is the user's work."""
    BEFORE_UNDO = "before_undo"
    UNDONE = "undone"
    """The tree was put back to `back_to`; what changes until the next checkpoint is the user's work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A saved work tree. `id` is SESSION/NUMBER, and the store's ref `refs/codeflow/ID` keeps it.

    `labels` say why it was taken: several when nothing had changed from one occasion to the next. `taken_at` is in
    seconds since 1970, `files` counts files and links. `claimed` are the paths that the run changed since the
    checkpoint before; None: whatever changed was the run. `held` are covered from here on, since a tool was about to
    edit them; `gone` were covered earlier in the session and do not exist here. `skipped` (nested repositories,
    submodules, special, unreadable and very large files) and `ignored` (too much of what git ignores) are not covered.
    """

    id: str
    labels: tuple[str, ...]
    kind: Kind
    taken_at: float
    files: int
    tree: str
    claimed: tuple[str, ...] | None
    held: tuple[str, ...]
    gone: tuple[str, ...]
    skipped: tuple[str, ...]
    ignored: tuple[str, ...]
    git: GitState | None
    back_to: str | None = None

    @property
    def label(self) -> str:
        return "; ".join(self.labels)

    @property
    def number(self) -> int:
        return int(self.id.rpartition("/")[2])

    @property
    def uncovered(self) -> frozenset[str]:
        return frozenset((*self.skipped, *self.ignored))


def encode(checkpoint: Checkpoint) -> str:
    """One line of JSON; bytes outside UTF-8 in names are escaped surrogates."""
    return json.dumps(asdict(checkpoint))


def decode(line: str) -> Checkpoint:
    """The checkpoint that `encode` wrote."""
    facts: dict[str, Any] = json.loads(line)
    for name, value in facts.items():
        if isinstance(value, list):
            facts[name] = tuple(value)
    git = facts.pop("git")
    return Checkpoint(**facts | {"kind": Kind(facts["kind"]), "git": GitState(**git) if git else None})


def beginning(history: Iterable[Checkpoint]) -> Checkpoint | None:
    """Where the session's changes that are still in the tree begin; None when none are."""
    base: Checkpoint | None = None
    bases: dict[str, Checkpoint | None] = {}
    for checkpoint in history:
        if checkpoint.kind is Kind.UNDONE:
            base = bases.get(checkpoint.back_to or "")
            base = None if base is not None and base.id == checkpoint.back_to else base
        elif checkpoint.kind is not Kind.BEFORE_UNDO:
            base = base or checkpoint
        bases[checkpoint.id] = base
    return base


def git_moves(steps: Sequence[Checkpoint], *, of_run: bool) -> list[tuple[GitState, GitState]]:
    """The repository's states before and after what happened between checkpoints in a row: in a run, or outside one."""
    outside = (Kind.END, Kind.UNDONE)
    return [
        (earlier.git, later.git)
        for earlier, later in pairwise(steps)
        if earlier.git and later.git and (earlier.kind not in outside) == of_run
    ]


def claims(earlier: Checkpoint, later: Checkpoint | None) -> Sequence[str] | None:
    """What of the changes between two checkpoints, or since the last one, is the session's; None: all of it."""
    if earlier.kind in (Kind.END, Kind.UNDONE):
        return ()
    return later.claimed if later is not None else None
