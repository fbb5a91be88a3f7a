"""Checkpoints of a work tree in a store of codeflow's own, and the way back to them."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from codeflow.core.errors import SessionError, UsageError
from codeflow.core.places import state_home
from codeflow.core.values import FileChange
from codeflow.sessions.heads import GitState, git_state, ways_back
from codeflow.sessions.history import Checkpoint, Kind, beginning, claims, decode, encode, git_moves
from codeflow.sessions.patches import Comparison, compare, printable
from codeflow.sessions.repository import REFS, Project, Store, why_unavailable
from codeflow.sessions.restore import (
    Account,
    Goal,
    Plan,
    Step,
    account_of,
    carry_out,
    changed_until,
    is_folder,
    plan_exact,
    plan_undo,
)
from codeflow.sessions.scanning import lies_in
from codeflow.sessions.snapshots import Camera, Entry, Snapshot, read_tree, write_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What an undo did, or, when `conflicts` is not empty, why it did nothing.

    `safety` is the id of the checkpoint that holds the state before the undo. `advice` are sentences on what an undo of
    files leaves: HEAD, index, stash. `skipped` and `ignored` are what the restored checkpoint did not cover.
    """

    restored: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    safety: str | None = None
    advice: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


class Checkpoints:
    """The checkpoints of one session, taken by one process at a time.

    They hold every file and folder of the workspace that git does not ignore, and a bounded amount of what it does,
    byte for byte, with permissions and symbolic links. HEAD, index and stash are noted, never touched.
    """

    def __init__(self, workspace: Path, session_id: str, home: Path | None = None) -> None:
        """`home` is the folder of all stores; by default it is in codeflow's state folder."""
        self.workspace = workspace.resolve()
        self._session_id = session_id
        self._store = Store(self.workspace, home or state_home() / "checkpoints")
        self._last: tuple[Checkpoint, Snapshot] | None = None
        self.unavailable = why_unavailable(self.workspace)
        """Why there can be no checkpoints here, or None."""
        if self.unavailable is None:
            self._project = Project(self.workspace, self._store)
            self._camera = Camera(self._store, self._project)

    def take(
        self,
        label: str,
        kind: Kind = Kind.STEP,
        *,
        claimed: Collection[str] | None = None,
        held: Iterable[str] = (),
        cut_at: float | None = None,
    ) -> Checkpoint:
        """Save the work tree. When nothing changed since the last step, that one gets a further label instead.

        `cut_at`, in seconds since 1970, is when the process that took the last step was alive last: what changed later
        is not claimed.

        Raises:
            SessionError: when there are no checkpoints here, or one cannot be saved.
        """
        last = self._newest()
        self._store.create()
        names = {*(last[0].held if last else ()), *held}
        snapshot = self.look(names)
        if last is not None and cut_at is not None:
            claimed = changed_until(self.workspace, Step(last[1].entries, snapshot.entries, claimed), cut_at)
        draft = self._draft(snapshot, label, kind, claimed, names)
        if last is None or not last[0].kind is kind is Kind.STEP or last[1] != snapshot:
            return self._keep(draft, snapshot)
        if (last[0].git, last[0].held) != (draft.git, draft.held):
            return self._keep(draft, snapshot)
        if label in last[0].labels:
            return last[0]
        return self._keep(replace(last[0], labels=(*last[0].labels, label)), snapshot)

    def history(self) -> tuple[Checkpoint, ...]:
        """Every checkpoint of the session, oldest first."""
        if self.unavailable is not None:
            raise SessionError(
                f"no checkpoints: {self.unavailable}",
                hint="Work in a project's folder, with git installed, to get checkpoints and undo.",
            )
        if not self._store.exists:
            return ()
        listing = self._store.run("for-each-ref", "--format=%(contents)", f"{REFS}/{self._session_id}/")
        return tuple(decode(line) for line in listing.decode().splitlines() if line)

    def files_of(self, checkpoint: Checkpoint) -> str:
        """An id of the files that a checkpoint holds, without what git ignores; the same on every machine."""
        return self._store.text("rev-parse", f"{checkpoint.tree}:files")

    def holds(self, checkpoint_id: str, taken_at: float) -> bool:
        """Whether this machine has a checkpoint, and not just another one with its number."""
        number = int(checkpoint_id.rpartition("/")[2])
        return any((one.number, one.taken_at) == (number, taken_at) for one in self.history())

    def contents(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """The bytes of each file, or the target of a link."""
        return self._store.contents(entry.blob for entry in entries)

    def put(self, files: Mapping[str, tuple[int, bytes] | None]) -> None:
        """Write files, given as mode and content, and delete those given as None.

        Raises:
            SessionError: when a file cannot be written.
        """
        blobs = {
            path: Entry(
                file[0], self._store.run("hash-object", "-w", "--stdin", stdin=file[1]).decode().strip()
            )
            for path, file in files.items()
            if file is not None
        }
        carry_out(self._store, Plan(blobs, tuple(path for path, file in files.items() if file is None)))

    def git_state(self) -> GitState | None:
        """Where the workspace's repository stands now; None without one."""
        return git_state(self._project)

    def newest(self) -> Checkpoint | None:
        last = self._newest()
        return last[0] if last else None

    def find(self, step: str) -> Checkpoint:
        """The checkpoint with a number, such as 3 or 0003, or with an id.

        Raises:
            UsageError: when there is none.
        """
        wanted = step.rpartition("/")[2]
        for checkpoint in self.history():
            if wanted.isdecimal() and checkpoint.number == int(wanted):
                return checkpoint
        raise UsageError(
            f"session {self._session_id} has no checkpoint {step!r}",
            hint=f"`codeflow checkpoints list {self._session_id}` lists them.",
        )

    def covers(self, path: str) -> bool:
        """Whether the newest checkpoint tells what stands at a path."""
        last = self._newest()
        if last is None:
            return False
        return path in last[1].entries or path in last[0].held or not lies_in(path, last[0].uncovered)

    def diff(self, before: Checkpoint, after: Checkpoint) -> tuple[tuple[FileChange, ...], str]:
        """What the session changed, per file and as a unified patch, without what git ignores or ignored before.

        A file that only the user changed meanwhile is left out; binary files are only named.
        """
        steps = [one for one in self.history() if before.number <= one.number <= after.number]
        account = account_of(steps, self.snapshot)
        theirs = account.by_user - account.by_run
        without = theirs | self.surfaced(before, after)
        return compare(self._store, f"{before.tree}:files", f"{after.tree}:files", without=without)

    def surfaced(self, before: Checkpoint, after: Checkpoint) -> frozenset[str]:
        """The files that git ignored at one checkpoint and does not at a later one."""
        if before.tree == after.tree:
            return frozenset()
        return self.snapshot(before).surfaced_in(self.snapshot(after))

    def compare(self, before: Checkpoint, after: Checkpoint | None) -> Comparison:
        """What differs between two checkpoints, or between one and the work tree as it is now."""
        newest = self._newest()
        tree = after.tree if after else write_tree(self._store, self.look(newest[0].held if newest else ()))
        changes, patch = compare(self._store, f"{before.tree}:files", f"{tree}:files")
        private, _ = compare(self._store, f"{before.tree}:private", f"{tree}:private")
        return Comparison(changes=changes, patch=patch, private=private)

    def count_changes(self, before: Checkpoint, after: Checkpoint) -> int:
        """How many files differ, those that git ignores as well; changed permissions are not counted."""
        names = self._store.names("diff-tree", "-r", "-z", "--name-only", before.tree, after.tree)
        return len([name for name in names if name != "facts"])

    def undo(
        self, to: Checkpoint | None = None, *, force: bool = False, cut_at: float | None = None
    ) -> Undone:
        """Put back every path that the session changed since a checkpoint; by default, since it began.

        A path that the user changed as well is a conflict: then nothing is done, unless `force`. `cut_at`, in seconds
        since 1970, is when the session's process was alive last: where it was killed, what changed after its last
        checkpoint until then counts as the session's.

        Raises:
            SessionError: when there are no checkpoints here, or a file cannot be written.
        """
        history = self.history()
        target = to or beginning(history)
        if target is None:
            return Undone()
        goal, account, now = self._trace([one for one in history if one.number >= target.number], cut_at)
        plan = plan_undo(self.workspace, goal, now.entries, account, force=force)
        return self._go_back(plan, now, target, Kind.UNDONE, cut_at=cut_at)

    def restore_to(self, checkpoint: Checkpoint) -> Undone:
        """Put the work tree back to exactly a checkpoint; what it did not cover stays.

        The session goes on from there: what changes next is the run's.

        Raises:
            SessionError: when there is a user's work since that would be lost, or something that no checkpoint holds is in the way, or a file cannot
                be written.
        """
        goal, now, plan = self._way_to(checkpoint)
        steps = [one for one in self.history() if one.number >= checkpoint.number]
        _, account, _ = self._trace(steps)
        theirs = account.by_user & {*plan.restore, *plan.remove}
        if later := sorted(path for path in theirs if not is_folder(path, goal.entries, now.entries)):
            raise SessionError(
                f"{', '.join(map(printable, later))}: changed since the run was cut short, which stopped in a call that "
                "has to be made again from the files before it",
                hint="Put your changes elsewhere and resume again, or resume with --as-is to go on from the files as "
                "they are.",
            )
        return self._go_back(plan, now, checkpoint, Kind.STEP)

    def refill(self, checkpoint: Checkpoint) -> None:
        """Fill the workspace's folder, which was made anew, from the newest checkpoint; raises as `restore_to`."""
        carry_out(self._store, self._way_to(checkpoint)[2])  # no step: the files are as the session left them

    def _way_to(self, checkpoint: Checkpoint) -> tuple[Goal, Snapshot, Plan]:
        """The way from now to exactly a checkpoint."""
        target = self.snapshot(checkpoint)
        newest = self._newest()
        now = self.look({*target.entries, *(newest[0].held if newest else ())})
        goal = Goal(dict(target.entries), kept=checkpoint.uncovered)
        plan = plan_exact(self.workspace, goal, now.entries)
        if plan.conflicts:
            raise SessionError(
                f"{', '.join(map(printable, plan.conflicts))}: in the way of checkpoint {checkpoint.id}",
                hint="Move it elsewhere, then try again.",
            )
        return goal, now, plan

    def continue_in(self, session_id: str, last: Checkpoint) -> None:
        """Give a new session the steps up to one of them; what changes after it is the user's until that session runs."""
        for one in self.history():
            if one.number > last.number:
                break
            back_to = one.back_to and _in(session_id, one.back_to)
            kind = Kind.END if one.number == last.number and one.kind is not Kind.UNDONE else one.kind
            self._save(replace(one, id=_in(session_id, one.id), kind=kind, back_to=back_to), is_new=True)

    def _trace(self, steps: list[Checkpoint], cut_at: float | None = None) -> tuple[Goal, Account, Snapshot]:
        """What the first of these checkpoints held, who changed what since, and the work tree now.

        A path that the first did not cover counts as it was when it was first seen.
        """
        goal = Goal(dict(self.snapshot(steps[0]).entries), kept=steps[0].uncovered)
        account = Account()
        before: Mapping[str, Entry] = goal.entries
        for earlier, later in pairwise(steps):
            after = before if later.tree == earlier.tree else self.snapshot(later).entries
            known = goal.discover(
                before, after, uncovered=earlier.uncovered, held={*later.held} - {*earlier.held}
            )
            account.add(Step(known, after, claims(earlier, later)))
            before = after
        now = self.look(steps[-1].held)
        known = goal.discover(before, now.entries, uncovered=steps[-1].uncovered, held=())
        last = Step(known, now.entries, claims(steps[-1], None))
        if cut_at is not None:
            last = replace(last, claimed=changed_until(self.workspace, last, cut_at))
        account.add(last)
        return goal, account, now

    def _go_back(
        self, plan: Plan, now: Snapshot, target: Checkpoint, kind: Kind, *, cut_at: float | None = None
    ) -> Undone:
        """Carry out a plan between two checkpoints; `kind` is the second one's."""
        if plan.conflicts or not (plan.restore or plan.remove):
            return Undone(conflicts=tuple(map(printable, plan.conflicts)))
        newest = self._newest()
        held = newest[0].held if newest else ()
        before = Kind.BEFORE_UNDO if kind is Kind.UNDONE else kind
        claimed = None
        if newest and cut_at is not None:
            step = Step(newest[1].entries, now.entries, claims(newest[0], None))
            claimed = changed_until(self.workspace, step, cut_at)
        draft = self._draft(now, f"before going back to {target.number}", before, claimed, held)
        safety = self._keep(draft, now)
        carry_out(self._store, plan)
        after = self.look(held)
        back = self._draft(after, f"back at {target.number}", kind, None, held)
        self._keep(replace(back, back_to=target.id), after)
        since = [one for one in self.history() if one.number >= target.number]
        return Undone(
            restored=tuple(map(printable, plan.told_restored)),
            removed=tuple(printable(path) for path in plan.told_removed if path not in after.entries),
            safety=safety.id,
            advice=ways_back(
                target.git, self._project, *(git_moves(since, of_run=run) for run in (True, False))
            ),
            skipped=tuple(map(printable, target.skipped)),
            ignored=tuple(map(printable, target.ignored)),
        )

    def _newest(self) -> tuple[Checkpoint, Snapshot] | None:
        if self._last is None and (history := self.history()):
            self._last = history[-1], self.snapshot(history[-1])
        return self._last

    def snapshot(self, checkpoint: Checkpoint) -> Snapshot:
        """What a checkpoint holds."""
        snapshot = read_tree(self._store, checkpoint.tree)
        return replace(snapshot, skipped=checkpoint.skipped, ignored=checkpoint.ignored)

    def look(self, held: Iterable[str]) -> Snapshot:
        """The work tree now, with every path that the session ever covered."""
        newest = self._newest()
        if newest is None:
            return self._camera.take(held)
        last, snapshot = newest
        return self._camera.take(
            {*held, *snapshot.entries, *last.gone}, snapshot.entries.keys() - snapshot.private
        )

    def _draft(
        self,
        snapshot: Snapshot,
        label: str,
        kind: Kind,
        claimed: Collection[str] | None,
        held: Iterable[str],
    ) -> Checkpoint:
        """A checkpoint that is not saved yet: without number and tree."""
        newest = self._newest()
        covered = {*newest[1].entries, *newest[0].gone} if newest else set()
        return Checkpoint(
            id="",
            labels=(label,),
            kind=kind,
            taken_at=round(time.time(), 3),
            files=sum(not entry.is_folder for entry in snapshot.entries.values()),
            tree="",
            claimed=None if claimed is None else tuple(sorted(claimed)),
            held=tuple(sorted(held)),
            gone=tuple(sorted(covered - snapshot.entries.keys())),
            skipped=snapshot.skipped,
            ignored=snapshot.ignored,
            git=git_state(self._project),
        )

    def _keep(self, draft: Checkpoint, snapshot: Snapshot) -> Checkpoint:
        """Save a draft, or one that is saved already under its number, by a tag of the store."""
        newest = self._newest()
        same = newest is not None and (newest[1].entries, newest[1].private) == (
            snapshot.entries,
            snapshot.private,
        )
        number = newest[0].number + 1 if newest else 1
        checkpoint = replace(
            draft,
            id=draft.id or f"{self._session_id}/{number:04d}",
            tree=newest[0].tree if newest and same else write_tree(self._store, snapshot),
        )
        self._save(checkpoint, is_new=not draft.id)
        self._last = checkpoint, snapshot
        return checkpoint

    def _save(self, checkpoint: Checkpoint, *, is_new: bool) -> None:
        tag = (
            f"object {checkpoint.tree}\ntype tree\ntag codeflow/{checkpoint.id}\n"
            f"tagger codeflow <codeflow@localhost> {int(checkpoint.taken_at)} +0000\n\n{encode(checkpoint)}\n"
        )
        name = self._store.run("mktag", stdin=tag.encode()).decode().strip()
        # a new number must not be taken: by no other process either
        guard = ["0" * len(name)] if is_new else []
        self._store.run("update-ref", f"{REFS}/{checkpoint.id}", name, *guard)


def _in(session_id: str, checkpoint_id: str) -> str:
    """The id of another session's checkpoint in this one."""
    return f"{session_id}/{checkpoint_id.rpartition('/')[2]}"
