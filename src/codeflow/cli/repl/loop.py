"""The REPL itself: reads a line, does what it says, and tells what goes wrong."""

import os
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.patch_stdout import patch_stdout

from codeflow.cli.leaving import AbandonedCalls, Leave
from codeflow.cli.repl.beside import Beside
from codeflow.cli.repl.commands import COMMANDS, Talk, dispatch, own_commands
from codeflow.cli.repl.completion import ReplCompleter
from codeflow.cli.repl.line import Line
from codeflow.cli.repository import branch

if TYPE_CHECKING:
    from codeflow.cli.repl.conversation import Conversation

_COMMAND = re.compile(r"/[^/\s]*(\s|$)")
"""Unlike a path, which may well be the beginning of a task."""
_MENTION = re.compile(r"(?<!\S)@([^\s@]*[^\s@.,;:!?)])")
_PATIENCE_S = 5.0
"""How long a run that was told to stop may take until the process leaves it to its session's log."""
_WELCOME = "codeflow {version} in {folder}\nWrite what to do. /help lists commands, Ctrl-D leaves."


class Repl:
    """What it takes to run tasks is loaded while the person types the first one."""

    def __init__(self, workspace: Path, codeflow: Callable[[Sequence[str]], int]) -> None:
        self._workspace = workspace
        self._codeflow = codeflow
        self._own: dict[str, Path] = {}
        self._branch = branch(workspace)
        self._abandoned = False
        self._waiting: deque[str] = deque()
        helps = {name: command.about for name, command in COMMANDS.items()}
        completer = ReplCompleter(helps, workspace)
        self._line = Line(completer, self._toolbar, next_mode=self._next_mode, interrupt=self._interrupt)
        self._run = Beside(self._line, self._over)
        self._conversation: Future[Conversation] = _in_background(self._open)
        self._conversation.add_done_callback(lambda _loaded: self._line.redraw())

    def run(self) -> int:
        """Until the person leaves; the exit code."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: self._line.leave())
        try:
            while True:
                try:
                    self._do(self._next())
                except KeyboardInterrupt:  # between two lines
                    self._run.interrupt()
        except (EOFError, Leave, OSError):  # OSError: the terminal is gone
            return self._left()

    def _next(self) -> str:
        """What is to be done next: what was sent while a run went on, in its order, then what is typed."""
        if self._run.is_busy:
            with patch_stdout(raw=True):
                text = self._read_beside()
            if text:
                return text
        if unheard := self._run.unheard():  # by those who worked: it is the next task
            self._waiting.appendleft("\n".join(unheard))
        if self._waiting:
            print(f"> {self._waiting[0]}")
            return self._waiting.popleft()
        return self._line.read() or ""

    def _read_beside(self) -> str:
        """Read until the run is over and something is to be done: what is typed then, "" for what waited."""
        while not self._can_go_on():
            try:
                text = self._line.read(until=self._can_go_on)
            except EOFError:
                if not self._run.is_busy:
                    raise
                print("A run goes on: Ctrl-C stops it, and twice leaves.")
                continue
            if text and not self._run.is_busy and not self._waiting:
                return text
            self._take(text)
        return ""

    def _take(self, text: str | None) -> None:
        """A task is said to those who work, unless a command is to come before it; all else waits for their end."""
        if not text:
            return
        if text.startswith("!") or _COMMAND.match(text) or self._waiting:
            self._waiting.append(text)
        else:
            self._run.say(self._named(text))

    def _can_go_on(self) -> bool:
        return bool(self._waiting or self._run.waiting) and not self._run.is_busy

    def _over(self) -> None:
        self._branch = branch(self._workspace)
        self._line.wake()

    def _interrupt(self) -> bool:
        """What waited for the end of the run goes back to the line: it was meant for another end."""
        if not self._run.interrupt():
            return False
        if left := [*self._run.unheard(), *self._waiting]:
            self._line.put_back("\n".join(left))
            self._waiting.clear()
        return True

    def _do(self, text: str) -> None:
        """A fault ends what was asked for, not the talk."""
        try:
            self._carry_out(text)
        except Leave:
            raise
        except AbandonedCalls:
            self._abandoned = True
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - as above
            from codeflow.cli.faults import report

            report(error, [])
        self._branch = branch(self._workspace)

    def _carry_out(self, text: str) -> None:
        if not text:
            return
        if text.startswith("!"):
            subprocess.run([os.environ.get("SHELL") or "/bin/sh", "-c", text[1:]], check=False)
            return
        conversation = self._ready()
        if _COMMAND.match(text):
            dispatch(text, Talk(conversation, self._codeflow, self._own))
        else:
            conversation.ask(self._named(text))

    def _ready(self) -> "Conversation":
        """What has been loaded; after a fault, such as settings that were wrong, it is tried again."""
        if self._conversation.done() and self._conversation.exception():
            self._conversation = _in_background(self._open)
        return self._conversation.result()

    def _named(self, text: str) -> str:
        """The task with files named as agents name them, without the at sign."""
        return _MENTION.sub(
            lambda mention: mention[0][1:] if (self._workspace / mention[1]).exists() else mention[0], text
        )

    def _open(self) -> "Conversation":
        from codeflow.cli.repl.conversation import Conversation

        conversation = Conversation(self._workspace, self._run.begin)
        self._own.update(own_commands(self._workspace, trusted=conversation.is_trusted))
        import codeflow.app.build  # noqa: F401 - what the first task needs, loaded while it is typed

        return conversation

    @property
    def _loaded(self) -> "Conversation | None":
        loading = self._conversation
        return loading.result() if loading.done() and not loading.exception() else None

    def _toolbar(self) -> str:
        parts = [self._branch]
        if talk := self._loaded:
            from codeflow.cli.render.figures import money

            parts = [
                f"{talk.mode} mode",
                *parts,
                money(talk.spend.total, talk.spend.known),
                talk.session_id or "new session",
            ]
        waits = len(self._waiting) + self._run.waiting
        waiting = f"{waits} waiting" if waits else ""
        standing = " · ".join(filter(None, [*parts, waiting]))
        return f"{now}\n{standing}" if (now := self._run.now) else standing

    def _next_mode(self) -> None:
        if now := self._loaded:
            now.next_mode()

    def _left(self) -> int:
        """A run that is still going on is told to stop, and may do so in time."""
        self._run.interrupt()
        is_over = self._run.wait(_PATIENCE_S)
        now = self._loaded
        if now and now.session_id:
            from codeflow.cli.isolation import tell

            with suppress(OSError):  # the terminal is gone
                tell(f"session {now.session_id}; `codeflow resume {now.session_id}` takes it up again")
        if self._abandoned or self._run.abandoned or not is_over:
            raise AbandonedCalls(0)
        return 0


def start(codeflow: Callable[[Sequence[str]], int]) -> int:
    """Talk to the person at the terminal until they leave; `codeflow` runs one command line."""
    from codeflow import __version__
    from codeflow.cli.render.clean import one_line

    workspace = Path.cwd()
    print(_WELCOME.format(version=__version__, folder=one_line(str(workspace))))
    return Repl(workspace, codeflow).run()


def _in_background(work: "Callable[[], Conversation]") -> "Future[Conversation]":
    """The outcome of work on a thread that the process does not wait for."""
    outcome: Future[Conversation] = Future()

    def do() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the outcome gets it
            outcome.set_exception(error)

    threading.Thread(target=do, daemon=True, name="loading").start()
    return outcome
