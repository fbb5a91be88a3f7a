"""A run in a worktree of its own: how it begins, and what is offered when it has ended."""

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codeflow.cli.render.clean import one_line
from codeflow.cli.workplaces import all_worktrees, local_sessions
from codeflow.core.errors import CodeflowError
from codeflow.core.values import Status, Task, Worktree

if TYPE_CHECKING:
    from codeflow.cli.execute import Output
    from codeflow.core.results import RunResult
    from codeflow.core.settings import Settings
    from codeflow.sessions.worktrees.adding import Survey
    from codeflow.sessions.worktrees.ending import Standing
    from codeflow.sessions.worktrees.records import Record, Worktrees

_ENDED = (Status.DONE, Status.FAILED)
_SUBJECT_CHARS = 72
_MOST_NAMES = 6


def run_isolated(
    settings: "Settings",
    task: Task,
    branch: str | None,
    *,
    output: "Output",
    quiet: bool,
    record: Path | None,
) -> int:
    """Run the task in a new worktree of its folder, on a new branch; returns the run's exit code.

    Raises:
        UsageError: when the folder can have none; nothing has been done then.
    """
    from codeflow.cli.execute import execute
    from codeflow.sessions.worktrees.adding import notes, survey

    worktrees = all_worktrees()
    found = survey(task.workspace, branch)
    others = len(worktrees.open(task.workspace))
    worktree = added(found, worktrees, settings)
    try:
        return execute(
            settings,
            replace(task, workspace=worktree.folder, worktree=worktree),
            output=output,
            quiet=quiet,
            record=record,
            notes=notes(found, worktree, others),
            after=partial(offer, worktree),
        )
    except BaseException:
        discard_unused(worktree, worktrees)
        raise


def offer(worktree: Worktree, result: "RunResult") -> None:
    """At the end of a run, whether to merge, keep or drop its worktree; where nobody can be asked it is kept."""
    from codeflow.cli.approval import can_ask
    from codeflow.sessions.worktrees.ending import standing

    try:
        now = standing(worktree)
        if now.moved:
            tell(f"WARNING: {now.moved.what}")
            tell_more(now.moved.way_back)
        if result.status is Status.DONE and now.exists and not (now.changed or now.ignored or now.moved):
            drop(worktree)
            tell("nothing was changed; the worktree is removed")
        elif result.status in _ENDED and can_ask():
            _ask(worktree, now, result.session_id)
        else:
            tell_ways(worktree, result, now)
    except CodeflowError as error:
        tell(f"the worktree stays: {error}")
        tell_more(error.hint)


def drop(worktree: Worktree) -> None:
    """Remove a worktree and its branch with all that is in them."""
    from codeflow.sessions.worktrees.ending import drop as remove

    worktrees = all_worktrees()
    if left := remove(_record(worktree, worktrees), worktrees):
        tell(f"{left} is still there")


def merge(worktree: Worktree, session_id: str, *, with_ignored: bool = True) -> str:
    """Merge a worktree's branch into the user's, and remove both; returns what was done, for people.

    The session is the one whose last task and answer become the commit's message. `with_ignored`: new files that git
    ignores come along.

    Raises:
        SessionError: why nothing was merged.
    """
    from codeflow.sessions.worktrees.ending import merge as carry_out

    worktrees = all_worktrees()
    done = carry_out(_record(worktree, worktrees), worktrees, _message(session_id), with_ignored=with_ignored)
    left = f"; {done.left} is still there" if done.left else ""
    return f"merged into {done.target or 'HEAD'} ({done.commit[:10]}), the worktree is removed{left}"


def added(found: "Survey", worktrees: "Worktrees", settings: "Settings") -> Worktree:
    from codeflow.sessions.opening import open_sessions
    from codeflow.sessions.worktrees.adding import add

    store = open_sessions(settings, os.environ, shared=False)
    while True:
        try:
            return add(found, store.new_id(found.origin), worktrees, settings.worktrees)
        except FileExistsError:  # another process took the id in this very microsecond
            continue


def discard_unused(worktree: Worktree, worktrees: "Worktrees") -> None:
    """A run that never began leaves no worktree."""
    known = local_sessions().list(worktree.origin)
    if not any(info.id == worktree.session_id and info.task for info in known):
        drop(worktree)
        worktrees.forget(worktree.session_id)


def _record(worktree: Worktree, worktrees: "Worktrees") -> "Record":
    from codeflow.sessions.worktrees.records import Record

    return worktrees.find(worktree.session_id) or Record(worktree=worktree)


def _ask(worktree: Worktree, now: "Standing", session_id: str) -> None:
    target = worktree.target or "your detached HEAD"
    _tell_changes(worktree, now)
    match _answer(f"[m]erge into {one_line(target)} / [k]eep / [d]rop: ", ("merge", "keep", "drop")):
        case "merge":
            tell(merge(worktree, session_id))
        case "drop" if (
            not now.work
            or _answer("  all of it is lost then; drop it? [y]es / [n]o: ", ("no", "yes")) == "yes"
        ):
            drop(worktree)
            tell("the worktree and its branch are removed")
        case _:
            _tell_commands(worktree)


def _answer(question: str, known: tuple[str, ...]) -> str:
    """One of the known words, or the first letters of one; the end of the input, or Ctrl-C, is none of them."""
    while True:
        sys.stderr.write(question)
        sys.stderr.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            line = ""
        if not line:
            sys.stderr.write("\n")
            return ""
        typed = line.strip().lower()
        for word in known:
            if typed and word.startswith(typed):
                return word


def _tell_changes(worktree: Worktree, now: "Standing") -> None:
    tell(
        f"{count_files(len(now.changed))} changed in the worktree {worktree.folder} (branch {worktree.branch})"
    )
    if now.ignored:
        tell_more(
            f"and {count_files(len(now.ignored))} that git ignores: {', '.join(now.ignored[:_MOST_NAMES])}"
        )


def tell_ways(worktree: Worktree, result: "RunResult", now: "Standing") -> None:
    _tell_changes(worktree, now)
    if result.status not in _ENDED:
        tell_more(f"go on: codeflow resume {result.session_id}")
    _tell_commands(worktree)


def _tell_commands(worktree: Worktree) -> None:
    tell("the worktree is kept:")
    tell_more(f"look: git -C {worktree.path} diff {worktree.base[:10]}")
    tell_more(f"merge: codeflow worktrees merge {worktree.session_id}")
    tell_more(f"drop: codeflow worktrees drop {worktree.session_id}")


def tell(text: str) -> None:
    print(f"codeflow: {one_line(text)}", file=sys.stderr)


def tell_more(text: str) -> None:
    print(f"  {one_line(text)}", file=sys.stderr)


def count_files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _message(session_id: str) -> str:
    """The commit's message: the session's last task, what came of it, and the session."""
    from codeflow.sessions.past import recall

    past = recall(local_sessions().events(session_id))
    task = past.run.started.task if past.run.started else ""
    answer = past.run.result.answer.strip() if past.run.result else ""
    subject = one_line(task.strip().partition("\n")[0], _SUBJECT_CHARS) or "Work of an agent"
    return "\n\n".join(part for part in (subject, answer, f"Codeflow-Session: {session_id}") if part) + "\n"
