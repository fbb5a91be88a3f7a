"""The line that a person types on: history, completion, pasted text, and the keys."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, ThreadedCompleter
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from typing_extensions import override

from codeflow.core.places import private_file, private_folder, state_home

_SHOWN_LINES = 12
_SHOWN_CHARS = 2_000
"""What is pasted and is longer stands in the line as one word."""
_TITLE = re.compile(r"\[pasted text \d+: \d+ lines\]")


class Line:
    """Reads one message after the other from the terminal."""

    def __init__(
        self, completer: Completer, toolbar: Callable[[], str], next_mode: Callable[[], None]
    ) -> None:
        """`toolbar` is shown below the line, `next_mode` is what Shift-Tab does."""
        self._pasted: dict[str, str] = {}
        self._session: PromptSession[str] = PromptSession(
            history=_history(),
            completer=ThreadedCompleter(completer),
            complete_while_typing=True,
            multiline=True,
            enable_open_in_editor=True,
            key_bindings=self._keys(next_mode),
            bottom_toolbar=toolbar,
            prompt_continuation="  ",
            mouse_support=False,
        )

    def read(self, begin: str = "") -> str:
        """What the person wrote, with what was pasted in full.

        Raises:
            EOFError: on Ctrl-D in an empty line.
            KeyboardInterrupt: on Ctrl-C in an empty line.
        """
        typed = self._session.prompt("> ", default=begin)
        return _TITLE.sub(lambda title: self._pasted.get(title[0], title[0]), typed).strip()

    def redraw(self) -> None:
        """Show what the toolbar says now; from any thread."""
        self._session.app.invalidate()

    def _keys(self, next_mode: Callable[[], None]) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        @keys.add("c-j")  # what Enter sends while something runs, and is read afterwards
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.document.current_line_before_cursor.endswith("\\"):
                buffer.delete_before_cursor()
                buffer.insert_text("\n")
            else:
                buffer.validate_and_handle()

        @keys.add("escape", "enter")
        @keys.add("escape", "c-j")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("s-tab")
        def _(event: KeyPressEvent) -> None:
            next_mode()
            event.app.invalidate()

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if event.current_buffer.text:
                event.current_buffer.reset()
            else:
                event.app.exit(exception=KeyboardInterrupt())

        @keys.add(Keys.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text(self._as_shown(event.data))

        return keys

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
    """What was typed, without credentials."""

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


def _history() -> FileHistory:
    folder: Path = private_folder(state_home())
    return _History(private_file(folder / "history"))
