"""The line that a person types on: history, completion, pasted text, questions that take its place, and the keys."""

import os
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from typing_extensions import override

from codeflow.cli.leaving import Leave
from codeflow.core.places import private_file, private_folder, state_home

_SHOWN_LINES = 12
_SHOWN_CHARS = 2_000
"""What is pasted and is longer stands in the line as one word."""
_TITLE = re.compile(r"\[pasted text \d+: \d+ lines\]")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that has taken the line."""

    prompt: str
    answer: Future[str] = field(default_factory=Future)


class Line:
    """Reads one message after the other from the terminal."""

    def __init__(
        self,
        completer: Completer,
        toolbar: Callable[[], str],
        *,
        next_mode: Callable[[], None],
        interrupt: Callable[[], bool],
    ) -> None:
        """`toolbar` is shown below the line, `next_mode` is what Shift-Tab does; `interrupt` stops what is going on,
        False where nothing is.
        """
        self._interrupt = interrupt
        self._pasted: dict[str, str] = {}
        self._asked: _Asked | None = None
        self._draft = Document()
        """What stands in the line when it is read again."""
        self._typed_at = float("-inf")
        self._until: Callable[[], bool] = lambda: False
        self._session: PromptSession[str | None] = PromptSession(
            self._prompt,
            history=_history(self._in_full),
            completer=ThreadedCompleter(completer),
            complete_while_typing=Condition(lambda: self._asked is None),
            multiline=True,
            enable_open_in_editor=True,
            key_bindings=self._keys(next_mode),
            bottom_toolbar=toolbar,
            prompt_continuation="  ",
            mouse_support=False,
        )
        self._session.default_buffer.on_text_changed += self._was_typed

    def read(self, until: Callable[[], bool] = lambda: False) -> str | None:
        """What the person wrote, with what was pasted in full; None once `until` holds, which `wake` has looked at.

        What they had typed by then stands in the line when it is read again.

        Raises:
            EOFError: on Ctrl-D in an empty line.
            Leave: on Ctrl-C in an empty line, where there is nothing to interrupt, and when `leave` says so.
            KeyboardInterrupt: on a Ctrl-C before keys are read.
        """
        self._until = until
        begin = Document()
        if not self._asked:
            begin, self._draft = self._draft, begin
        try:
            typed = self._session.prompt(default=begin, pre_run=self._look)
        finally:
            self._session.app.erase_when_done = False
        if typed is None:
            return None
        return self._in_full(typed).strip()

    def wake(self) -> None:
        """Look whether the reading is to end; from any thread."""
        self._soon(self._look)

    def redraw(self) -> None:
        """Show what the toolbar says now; from any thread."""
        self._session.app.invalidate()

    def leave(self) -> None:
        """End the reading, or whatever is done between two; from a signal.

        Raises:
            Leave: where nothing is read; else `read` does.
        """
        if not self._session.app.is_running:
            raise Leave
        self._soon(lambda: self._end(Leave()))

    def put_back(self, text: str) -> None:
        """Behind what stands in the line; only while keys are handled."""
        buffer = self._buffer
        buffer.cursor_position = len(buffer.text)
        buffer.insert_text(f"\n{text}" if buffer.text else text)

    def quiet_for(self) -> float:
        """Seconds since the last key that changed the line."""
        return time.monotonic() - self._typed_at

    def ask(self, prompt: str) -> "Future[str]":
        """Put a question in the place of the line; its answer, "" for Ctrl-D. From any thread."""
        asked = _Asked(prompt)

        def begin() -> None:
            self._draft, self._asked = self._standing(), asked
            self._buffer.reset()

        asked.answer.add_done_callback(lambda _: self._soon(self._restore))
        self._soon(begin)
        return asked.answer

    @property
    def _buffer(self) -> Buffer:
        return self._session.default_buffer

    def _prompt(self) -> str:
        return self._asked.prompt if self._asked else "> "

    def _was_typed(self, _buffer: Buffer) -> None:
        self._typed_at = time.monotonic()

    def _restore(self) -> None:
        """The line as it was before the question."""
        self._asked = None
        if self._session.app.is_running:
            self._buffer.reset(self._draft)
            self._draft = Document()

    def _standing(self) -> Document:
        """What the person has typed and not sent."""
        return self._buffer.document if self._session.app.is_running and not self._asked else self._draft

    def _look(self) -> None:
        if self._until():
            self._end(None)

    def _end(self, exception: BaseException | None) -> None:
        """End the reading, with nothing read; what was typed stays for the next one."""
        app = self._session.app
        if app.future and not app.future.done():
            self._draft = self._standing()
            app.erase_when_done = True
            if exception:
                app.exit(exception=exception)
            else:
                app.exit(result=None)

    def _soon(self, do: Callable[[], None]) -> None:
        """Do something where keys are handled, and draw what came of it; where no line is read, at once."""
        app = self._session.app

        def both() -> None:
            do()
            app.invalidate()

        if app.loop and app.is_running:
            app.loop.call_soon_threadsafe(both)
        else:
            do()

    def _enter(self, buffer: Buffer) -> None:
        if self._asked:
            self._answer(f"{buffer.text}\n")
        else:
            buffer.validate_and_handle()

    def _answer(self, text: str) -> None:
        """Whoever asked may have gone away meanwhile."""
        if self._asked and not self._asked.answer.done():
            self._asked.answer.set_result(text)

    def _keys(self, next_mode: Callable[[], None]) -> KeyBindings:
        keys = KeyBindings()
        self._add_keys_of_text(keys)
        self._add_keys_of_control(keys, next_mode)
        return keys

    def _add_keys_of_text(self, keys: KeyBindings) -> None:
        @keys.add("enter")
        @keys.add("c-j")  # what Enter sends while something runs, and is read afterwards
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.document.current_line_before_cursor.endswith("\\"):
                buffer.delete_before_cursor()
                buffer.insert_text("\n")
            else:
                self._enter(buffer)

        @keys.add("escape", "enter")
        @keys.add("escape", "c-j")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add(Keys.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text(self._as_shown(event.data))

    def _add_keys_of_control(self, keys: KeyBindings, next_mode: Callable[[], None]) -> None:
        @keys.add("escape")
        def _(_event: KeyPressEvent) -> None:
            self._interrupt()

        @keys.add("s-tab")
        def _(event: KeyPressEvent) -> None:
            next_mode()
            event.app.invalidate()

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.reset()
            elif not self._interrupt():
                event.app.exit(exception=Leave())

        @keys.add("c-d", filter=Condition(lambda: self._asked is not None))
        def _(_event: KeyPressEvent) -> None:
            self._answer("")

    def _in_full(self, typed: str) -> str:
        """With what was pasted in the place of its titles."""
        return _TITLE.sub(lambda title: self._pasted.get(title[0], title[0]), typed)

    def _as_shown(self, pasted: str) -> str:
        """What stands in the line for it: itself, or a title where it is long."""
        text = pasted.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.count("\n") + 1
        if lines <= _SHOWN_LINES and len(text) <= _SHOWN_CHARS:
            return text
        title = f"[pasted text {len(self._pasted) + 1}: {lines} lines]"
        self._pasted[title] = text
        return title


class _History(FileHistory):
    """What was typed and pasted, without credentials."""

    def __init__(self, file: Path, in_full: Callable[[str], str]) -> None:
        super().__init__(file)
        self._in_full = in_full

    @override
    def append_string(self, string: str) -> None:
        super().append_string(self._in_full(string))

    @override
    def store_string(self, string: str) -> None:
        from codeflow.core.redaction import Redactor

        super().store_string(Redactor(os.environ).redact(string))

    @override
    def load_history_strings(self) -> Iterable[str]:
        try:
            yield from super().load_history_strings()
        except (
            OSError
        ):  # a history that cannot be read is none; what is typed next tells why it cannot be kept
            return


def _history(in_full: Callable[[str], str]) -> FileHistory:
    folder: Path = private_folder(state_home())
    return _History(private_file(folder / "history"), in_full)
