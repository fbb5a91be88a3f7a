"""Checkpoints of a work tree in its repository's object store, and the way back to them."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.core.values import FileChange
from codeflow.sessions.patches import compare, printable
from codeflow.sessions.repository import Repository
from codeflow.sessions.restore import Step, plan_undo, restore
from codeflow.sessions.snapshots import Entry, Snapshot, capture, read_tree, write_tree

END = "after the run"
BEFORE_UNDO = "before undo"
UNDONE = "after undo"
_REFS = "refs/codeflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A saved work tree. `id` is SESSION/NUMBER, and the ref `refs/codeflow/ID` keeps it from gc.

    `tree` is the git tree of the workspace, `modes` what it cannot say: permissions other than 644 and 755.
    `folder` is the workspace's place in the repository. `skipped` is not covered: nested repositories,
    submodules, unreadable files; nor is what git ignored then, `ignored`.
    """

    id: str
    label: str
    files: int
    tree: str
    folder: str
    skipped: tuple[str, ...]
    ignored: tuple[str, ...]
    modes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What an undo did, or, when `conflicts` is not empty, why it did nothing.

    `safety` is the id of the checkpoint that holds the state before the undo.
    """

    restored: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    safety: str | None = None


class Checkpoints:
    """The checkpoints of one session.

    They hold every file that is tracked or that git does not ignore, byte for byte, with permissions and symbolic
    links; not empty folders, ignored files, submodules and nested repositories. HEAD, index, stash and
    reflogs are neither covered nor touched.
    """

    def __init__(self, workspace: Path, session_id: str) -> None:
        self._session_id = session_id
        self._found: Repository | None = None
        self.unavailable: str | None = None
        """Why there can be no checkpoints here, or None."""
        try:
            self._found = Repository(workspace)
        except SessionError as error:
            self.unavailable = str(error)

    def take(self, label: str) -> Checkpoint:
        """Saves the work tree. What changes after the label END, up to the next checkpoint, is the user's work.

        Raises:
            SessionError: when there are no checkpoints here, or git cannot save one.
        """
        history = self._undoable()
        return self._keep(capture(self._repository, self._entries(history[0]) if history else ()), label)

    def history(self) -> tuple[Checkpoint, ...]:
        """Every checkpoint of the session, oldest first."""
        listing = self._repository.run("for-each-ref", "--format=%(contents)", f"{_REFS}/{self._session_id}/")
        return tuple(_parse(line) for line in listing.decode().splitlines() if line)

    def diff(self, before: Checkpoint, after: Checkpoint) -> tuple[tuple[FileChange, ...], str]:
        """What changed, per file and as a unified patch; binary files are only named in it."""
        return compare(self._repository, before.tree, after.tree)

    def undo(self, *, force: bool = False) -> Undone:
        """Puts back every path that the session changed since its first checkpoint, or since its last undo.

        A path that the user changed as well, after an END, is a conflict: then nothing is done, unless `force`.
        Where END is missing, because the run was killed, all changes count as the session's.

        Raises:
            SessionError: when there are no checkpoints here, or a file cannot be written.
        """
        history = self._undoable()
        if not history:
            return Undone()
        first = history[0]
        if first.folder != self._repository.folder:
            raise SessionError(
                f"session {self._session_id} worked in another folder of the repository: {first.folder}",
                hint="Run undo in that folder.",
            )
        states = [self._entries(checkpoint) for checkpoint in history]
        now = capture(self._repository, {path for state in states for path in state})
        steps = [
            Step(before, after, by_user=checkpoint.label == END)
            for checkpoint, (before, after) in zip(history, pairwise([*states, now.entries]), strict=True)
        ]
        plan = plan_undo(
            self._repository.workspace, steps, kept=(*first.ignored, *first.skipped), force=force
        )
        if plan.conflicts or not (plan.restore or plan.remove):
            return Undone(conflicts=tuple(map(printable, plan.conflicts)))
        safety = self._keep(now, BEFORE_UNDO)
        restore(self._repository, plan)
        self.take(UNDONE)
        return Undone(
            restored=tuple(map(printable, plan.restore)),
            removed=tuple(map(printable, plan.remove)),
            safety=safety.id,
        )

    @property
    def _repository(self) -> Repository:
        if self._found is None:
            raise SessionError(
                f"no checkpoints: {self.unavailable}",
                hint="Work in a git repository to get checkpoints and undo.",
            )
        return self._found

    def _undoable(self) -> list[Checkpoint]:
        """The checkpoints since the last undo."""
        current: list[Checkpoint] = []
        for checkpoint in self.history():
            if checkpoint.label == UNDONE:
                current.clear()
            elif checkpoint.label != BEFORE_UNDO:
                current.append(checkpoint)
        return current

    def _entries(self, checkpoint: Checkpoint) -> dict[str, Entry]:
        return read_tree(self._repository, checkpoint.tree, checkpoint.modes)

    def _keep(self, snapshot: Snapshot, label: str) -> Checkpoint:
        """Refers to the snapshot by a tag object, which `git log --all` does not show as a commit would."""
        entries = snapshot.entries
        checkpoint = Checkpoint(
            id=f"{self._session_id}/{len(self.history()) + 1:04d}",
            label=label,
            files=len(entries),
            tree=write_tree(self._repository, entries),
            folder=self._repository.folder,
            skipped=snapshot.skipped,
            ignored=snapshot.ignored,
            modes={path: entry.mode for path, entry in entries.items() if entry.mode != entry.git_mode},
        )
        tag = (
            f"object {checkpoint.tree}\ntype tree\ntag codeflow/{checkpoint.id}\n"
            f"tagger codeflow <codeflow@localhost> {int(time.time())} +0000\n\n{json.dumps(asdict(checkpoint))}\n"
        )
        name = self._repository.run("mktag", stdin=tag.encode()).decode().strip()
        self._repository.run("update-ref", f"{_REFS}/{checkpoint.id}", name, "0" * len(name))
        return checkpoint


def _parse(text: str) -> Checkpoint:
    facts = json.loads(text)
    return Checkpoint(**(facts | {name: tuple(facts[name]) for name in ("skipped", "ignored")}))
