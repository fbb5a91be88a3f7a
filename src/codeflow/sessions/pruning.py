"""Old checkpoints leave: refs of sessions that nobody works on any more, then the store when it is empty."""

import contextlib
import math
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.sessions.repository import REFS, Git, Store

DAY_S = 86_400
_PLAUSIBLE_S = 7 * DAY_S
_GRACE = "--prune=1.day.ago"
"""Objects so young may belong to a checkpoint that is just being taken."""
_MARK = "pruned"

Running = Callable[[Path], Collection[str]]
"""A workspace -> the sessions that are at work in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was deleted; `stores` counts workspaces of which no checkpoint is left."""

    sessions: int = 0
    checkpoints: int = 0
    stores: int = 0


def prune(home: Path, *, older_than_s: float, running: Running) -> Pruned:
    """Delete the checkpoints of every session whose newest one is older than so many seconds.

    `home` is the folder of all stores. Sessions that are at work keep theirs.

    Raises:
        SessionError: when a store cannot be read.
    """
    sessions = checkpoints = stores = 0
    for path in sorted(home.glob("*.git")):
        old, empty = _old_refs(path, time.time() - older_than_s, running)
        if empty and _is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
            stores += 1
        elif old:
            git = Git(path, path)
            _delete(git, [ref for refs in old.values() for ref in refs])
        sessions += len(old)
        checkpoints += sum(map(len, old.values()))
    return Pruned(sessions=sessions, checkpoints=checkpoints, stores=stores)


def forget(home: Path, workspace: Path, session_id: str) -> int:
    """Delete one session's checkpoints; returns how many there were."""
    store = Store(workspace, home)
    if not store.exists:
        return 0
    git = Git(store.path, store.path)
    refs = git.text("for-each-ref", "--format=%(refname)", f"{REFS}/{session_id}/").splitlines()
    _delete(git, refs)
    return len(refs)


def prune_daily(home: Path, *, keep_days: int, running: Running) -> None:
    """Prune unless that was done in the last day; 0 days: never. A store that cannot be pruned stays as it is."""
    mark = home / _MARK
    if keep_days == 0 or not home.is_dir():
        return
    with contextlib.suppress(OSError, SessionError):
        since_s = time.time() - mark.stat().st_mtime if mark.exists() else math.inf
        if 0 <= since_s < DAY_S:
            return
        mark.touch(mode=0o600)
        if not 0 <= since_s < _PLAUSIBLE_S:
            return  # the clock may be wrong; a day later it has shown whether it is
        prune(home, older_than_s=keep_days * DAY_S, running=running)


def _old_refs(path: Path, limit: float, running: Running) -> tuple[dict[str, list[str]], bool]:
    """The refs of each session that may go, and whether none is left without them."""
    refs: defaultdict[str, list[str]] = defaultdict(list)
    newest: defaultdict[str, int] = defaultdict(int)
    for line in (
        Git(path, path).text("for-each-ref", "--format=%(taggerdate:unix) %(refname)", REFS).splitlines()
    ):
        taken_at, ref = line.split(" ", 1)
        session = ref.removeprefix(f"{REFS}/").rpartition("/")[0]
        refs[session].append(ref)
        newest[session] = max(newest[session], int(taken_at))
    at_work = running(Path(os.fsdecode((path / "workspace").read_bytes())))
    old = {name: found for name, found in refs.items() if newest[name] < limit and name not in at_work}
    return old, len(old) == len(refs) and not at_work


def _delete(git: Git, refs: Iterable[str]) -> None:
    git.run("update-ref", "--stdin", stdin="".join(f"delete {ref}\n" for ref in refs).encode())
    git.run("gc", "--quiet", _GRACE)


def _is_abandoned(path: Path) -> bool:
    """Whether nobody is about to write the first checkpoint."""
    return time.time() - path.stat().st_mtime > DAY_S
