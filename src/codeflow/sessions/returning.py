"""A session that goes on where it was: whether the files that it had changed are still as it left them."""

from codeflow.core.errors import SessionError
from codeflow.core.text import listed
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.heads import GitState, switched, way_to
from codeflow.sessions.history import Checkpoint, Kind
from codeflow.sessions.past import Past
from codeflow.sessions.patches import printable
from codeflow.sessions.repository import EXCLUDED
from codeflow.sessions.restore import Step, account_of, changed_until
from codeflow.sessions.snapshots import Snapshot

_MOST_NAMES = 6


def check_still_there(
    checkpoints: Checkpoints, past: Past, *, cut_at: float | None, as_is: bool
) -> tuple[str, ...]:
    """What a person should know before a run goes on; its last checkpoint has to be on this machine.

    What the user did meanwhile to files that the run has not changed, or committing those that it has, is no matter.
    `cut_at`, in seconds since 1970, is when the process before this one was alive last: until then a run that was
    killed may have changed files after its last checkpoint. `as_is` takes the files as they are.

    Raises:
        SessionError: naming the files that are not as the run left them, unless `as_is`.
    """
    first, last = past.run.first, past.run.last_checkpoint
    if first is None or last is None:
        return ()
    end = checkpoints.find(last.checkpoint_id)
    begin = int(first.checkpoint_id.rpartition("/")[2])
    steps = [one for one in checkpoints.history() if begin <= one.number <= end.number]
    other = [] if as_is else _not_as_left(checkpoints, past, steps, cut_at)
    state = checkpoints.git_state()
    on_another_branch = switched(end.git, state)
    if other:
        names = listed([printable(path) for path in other], _MOST_NAMES)
        where = f"; {on_another_branch} then" if on_another_branch else ""
        raise SessionError(f"not as the run left them: {names}{where}", hint=_way_back(end.git, state))
    return (f"{on_another_branch} when the run stopped",) if on_another_branch else ()


def not_as_said(checkpoints: Checkpoints, past: Past, *, cut_at: float | None) -> tuple[str, ...]:
    """The files that are not as the session's conversation says, before another task; `cut_at` as above.

    They are those that its runs have changed and that somebody has changed, put back or taken away since. None are
    known on a machine that has no checkpoint of the session.
    """
    if checkpoints.unavailable:
        return ()
    history = list(checkpoints.history())
    while history and history[-1].kind in (Kind.BEFORE_UNDO, Kind.UNDONE):
        history.pop()
    if not history:
        return ()
    return tuple(printable(path) for path in _not_as_left(checkpoints, past, history, cut_at))


def _not_as_left(
    checkpoints: Checkpoints, past: Past, steps: list[Checkpoint], cut_at: float | None
) -> list[str]:
    """The files that the session has changed between the first of these steps and the last, and somebody since."""
    end = steps[-1]
    left = checkpoints.snapshot(end)
    ours = _changed_by_run(checkpoints, steps, left)
    if not ours:
        return []
    now = checkpoints.look(end.held)
    other = sorted(path for path in ours if left.state(path) != now.state(path))
    if end.kind is Kind.END:
        return other
    step = Step(left.entries, now.entries, other)
    may_be_ours = _changed_while_alive(checkpoints, past, step, cut_at)
    return [path for path in other if path not in may_be_ours]


def _changed_by_run(checkpoints: Checkpoints, steps: list[Checkpoint], left: Snapshot) -> set[str]:
    """The files that the run has left other than it found them; without those that git ignores, and caches."""
    found = checkpoints.snapshot(steps[0])
    private = found.private | left.private
    return {
        path
        for path in account_of(steps, checkpoints.snapshot).by_run - private
        if found.state(path) != left.state(path) and EXCLUDED.isdisjoint(path.split("/"))
    }


def _changed_while_alive(
    checkpoints: Checkpoints, past: Past, step: Step, cut_at: float | None
) -> frozenset[str]:
    """What the run may have changed after its last checkpoint; a deletion only by a call that was cut short."""
    if cut_at is None:
        return frozenset()
    cut_in_call = any(
        call in past.run.checkpoints for one in past.conversations.values() for call in one.begun
    )
    changed = changed_until(checkpoints.workspace, step, cut_at)
    return changed if cut_in_call else changed & step.after.keys()


def _way_back(before: GitState | None, now: GitState | None) -> str:
    ways = []
    if before and switched(before, now):
        ways.append(f"`{way_to(before)}`")
    if before and now and now.stash and before.stash != now.stash:
        ways.append("`git stash pop`")
    how = f" ({', '.join(ways)})" if ways else ""
    return f"Bring them back{how} and resume again, or go on from the files as they are with --as-is."
