"""Runs a prepared task and shows it; shared by run, replay and demo."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from codeflow.cli.leaving import AbandonedCalls
from codeflow.cli.repository import head_commit
from codeflow.cli.streams import settle
from codeflow.core.errors import UsageError
from codeflow.core.values import EXIT_CODES, Continuation, Status, Task

if TYPE_CHECKING:
    from rich.console import Console

    from codeflow.cli.approval import Ask, GivenAnswer, TerminalApproval
    from codeflow.cli.drive import Interrupts
    from codeflow.cli.render.progress import Moving, StatusLine
    from codeflow.core.messages import Hear
    from codeflow.core.ports import Emit
    from codeflow.core.results import RunResult
    from codeflow.core.settings import Settings
    from codeflow.models.recorder import Recorder


class Output(StrEnum):
    """What a run prints on stdout."""

    TEXT = "text"
    JSON = "json"
    STREAM_JSON = "stream-json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """A session that goes on, with the answer to what its run waits for."""

    session: Continuation
    answer: "GivenAnswer | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Where a run says what it does just now, asks, and is interrupted, when that is not the terminal itself."""

    status: "Moving"
    person: "TerminalApproval"
    interrupts: "Interrupts"
    hear: "Hear"
    """What the person says to those who work."""
    watch: "Emit"
    """Consumes the run's events."""


def execute(
    settings: "Settings",
    task: Task,
    *,
    output: Output = Output.TEXT,
    quiet: bool = False,
    record: Path | None = None,
    canvas: "Console | None" = None,
    spends: bool = True,
    session: "Continued | None" = None,
    notes: Sequence[str] = (),
    after: "Callable[[RunResult], None] | None" = None,
    answer_to: "Console | None" = None,
    front: Front | None = None,
) -> int:
    """Run the task and return its exit code.

    `record` is where to write the transcript of the run; a `canvas` gets what stdout and stderr would get.
    A run that `spends` nothing, since its replies are recorded ones, stays out of the ledger.
    `answer_to` gets the answer as text, by default stdout does. `front`: where the person is, if not at the terminal.
    `session` is the one that goes on, else a new one begins. `notes` are told first, `after` is called last.

    Raises:
        AbandonedCalls: in the place of the exit code, when threads may still wait for a model.
    """
    from codeflow.cli.attention import Attention
    from codeflow.cli.drive import InFlight, Shield, drive, signals
    from codeflow.cli.render.console import console
    from codeflow.cli.render.progress import StatusLine

    err, attention = canvas or console(stderr=True), Attention(settings.ui, task.text, task.workspace)
    live = output is Output.TEXT and not quiet and canvas is None and front is None
    with attention.titled() if live else nullcontext(), StatusLine(err, enabled=live) as line:
        from codeflow.app.build import build

        recorder = _recorder(task) if record else None
        person = front.person if front else _person(line)
        engine = build(
            settings,
            task,
            env=os.environ,
            approve=_answering(session, attention.asking(person) if person else None),
            decide=attention.asking(person.decide) if person else None,
            spends=spends,
            session=session.session if session else None,
            notes=notes,
            hear=front.hear if front else tuple,
        )
        renderer = _renderer(output, answer_to or canvas, err, front.status if front else line, quiet=quiet)
        screen, calls = Shield(renderer), InFlight()
        others: list[Emit] = [*filter(None, [recorder]), *([front.watch] if front else [])]
        result = drive(engine, [screen, calls, attention, *others], front.interrupts if front else signals)
    settle()
    delivered = all([shown(screen.broken), not (record and recorder) or _written(recorder, record)])
    if after:
        after(result)
    code = EXIT_CODES[result.status] or EXIT_CODES[Status.DONE if delivered else Status.FAILED]
    if calls.possible:
        raise AbandonedCalls(code)
    return code


def _answering(session: "Continued | None", ask: "Ask | None") -> "Ask | None":
    """Whoever answers: the command line the question that the run paused at, and a person the others."""
    return session.answer.then(ask) if session and session.answer else ask


def _person(line: "StatusLine") -> "TerminalApproval | None":
    """Whoever sits at the terminal, if anybody does."""
    from codeflow.cli.approval import StandardInput, TerminalApproval, can_ask

    return TerminalApproval(StandardInput(line.paused)) if can_ask() else None


def show_again(result: "RunResult", *, output: Output = Output.TEXT, quiet: bool = False) -> int:
    """Print what a run came to that has ended, and return its exit code."""
    from codeflow.cli.render.console import console
    from codeflow.cli.render.progress import StatusLine
    from codeflow.core.events import RunFinished

    err = console(stderr=True)
    print(
        f"codeflow: session {result.session_id} had come to its end; nothing was left to do", file=sys.stderr
    )
    with StatusLine(err, enabled=False) as line:
        _renderer(output, None, err, line, quiet=quiet)(RunFinished(result=result))
    settle()
    return EXIT_CODES[result.status]


def check_record(path: Path | None) -> None:
    """Refuse a transcript that could not be written, before anything is spent.

    Raises:
        UsageError: when the path is a folder or another file of the user's, or its folder does not exist.
    """
    if path is None:
        return
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{path}: cannot be written", hint="--record takes a file in an existing folder.")
    if path.exists() and not _is_transcript(path):
        raise UsageError(f"{path}: exists and is no transcript", hint="--record takes a new file.")


def _is_transcript(path: Path) -> bool:
    with path.open("rb") as file:
        return path.stat().st_size == 0 or file.readline().startswith(b"codeflow_transcript:")


def _recorder(task: Task) -> "Recorder":
    from codeflow.models.endpoint.transcript import Options
    from codeflow.models.recorder import Recorder

    chosen = Options(pattern=task.pattern, complexity=task.complexity, agent=task.agent)
    return Recorder(options=chosen, base=head_commit(task.workspace))


def shown(broken: Exception | None) -> bool:
    """Whether the result was delivered; a reader who went away (`| head`) has had what was wanted."""
    if broken is None or isinstance(broken, BrokenPipeError):
        return True
    print(f"codeflow: the result could not be shown: {broken}", file=sys.stderr)
    return False


def _written(recorder: "Recorder", path: Path) -> bool:
    """The run has been shown and has its own exit code, so a full disk is only told about."""
    try:
        recorder.write(path)
    except UsageError as error:
        print(f"codeflow: {error}", file=sys.stderr)
        return False
    return True


def _renderer(
    output: Output, canvas: "Console | None", err: "Console", line: "Moving", *, quiet: bool
) -> "Emit":
    if output is Output.JSON:
        from codeflow.cli.render.json import json_renderer

        return json_renderer(sys.stdout)
    if output is Output.STREAM_JSON:
        from codeflow.cli.render.stream import stream_renderer

        return stream_renderer(sys.stdout)
    from codeflow.cli.render.console import console
    from codeflow.cli.render.text import TextRenderer

    return TextRenderer(canvas or console(), err, line, quiet=quiet)
