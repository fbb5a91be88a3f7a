"""A second session that begins as another one was at one of its steps, and goes its own way."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.core.events import ToolFinished
from codeflow.core.session_events import CheckpointTaken, SessionForked, SessionNamed
from codeflow.sessions.history import Checkpoint
from codeflow.sessions.log import SessionStore
from codeflow.sessions.past import recall
from codeflow.sessions.records import decode, whole_lines
from codeflow.sessions.writer import SessionLog

_NOT_MADE = "This call was not made: the session was forked before it. Look at the files before you go on."


def fork(store: SessionStore, parent: str, workspace: Path, step: Checkpoint | None) -> str:
    """The id of a new session of a workspace with the parent's events up to a step, or all of them.

    Calls that the parent made only after the step are answered as not made. The work tree is not touched.

    Raises:
        SessionError: when the parent's log is damaged, or knows nothing of the step.
    """
    name, raw = store.lines(parent)
    lines = [line for _, line in whole_lines(raw, name)]
    kept = lines[: _end(lines, step, name)] if step else lines
    log = store.create(workspace)
    try:
        for line in kept:
            log.take(line)
        _go_apart(log, parent, step)
        return log.session_id
    finally:
        log.close()


def _end(lines: Sequence[bytes], step: Checkpoint, name: str) -> int:
    """How many lines there were when the step was taken last; a call that it follows is answered by then."""
    end, answered_by = 0, None
    for number, line in enumerate(lines, start=1):
        event = decode(line, f"{name}:{number}")
        if isinstance(event, CheckpointTaken) and _same(event.checkpoint_id, step):
            end, answered_by = number, event.after_call_id
        elif isinstance(event, ToolFinished) and event.call_id == answered_by:
            end, answered_by = number, None
    if not end:
        raise SessionError(
            f"the session's log does not tell when step {step.number} was taken",
            hint="A step that an undo has made cannot be forked from; take the one before it.",
        )
    return end


def _same(checkpoint_id: str, step: Checkpoint) -> bool:
    """A fork's log names its parent's checkpoints, which have the same numbers in it."""
    return checkpoint_id.rpartition("/")[2] == step.id.rpartition("/")[2]


def _go_apart(log: SessionLog, parent: str, step: Checkpoint | None) -> None:
    log(SessionForked(parent=parent, checkpoint_id=step.id if step else None))
    if log.tally.name:
        log(SessionNamed(name=""))  # a name stands for one session only
    for event in _not_made(log.path.read_bytes().splitlines(keepends=True), str(log.path)):
        log(event)


def _not_made(lines: Iterable[bytes], name: str) -> list[ToolFinished]:
    past = recall(decode(line, place) for place, line in whole_lines(lines, name))
    return [
        ToolFinished(
            agent=agent,
            call_id=call_id,
            tool=tool,
            is_error=True,
            display="not made: the session was forked before it",
            duration_s=0.0,
            content=({"text": _NOT_MADE},),
        )
        for agent, conversation in past.conversations.items()
        for call_id, tool in conversation.unanswered().items()
    ]
