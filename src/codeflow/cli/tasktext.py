"""The task's text: from the argument, a file, or what is piped in."""

import os
import select
import stat
import sys
from pathlib import Path

from codeflow.core.errors import UsageError

SIZE_LIMIT = 1_000_000
"""Bytes of a task; what is larger belongs into a file of the workspace that an agent can search."""

_SILENT_S = 3.0
"""How long a pipe beside an argument may stay silent; scripts often inherit one that nobody writes to."""

_HINT = 'Give it as an argument (`codeflow run "fix the failing test"`), with --file, or on stdin.'


def read_task(argument: str | None, file: Path | None, quoted: Path | None = None) -> str:
    """The task; text piped in beside an argument is appended as a `<stdin>` block, what others wrote as data.

    Raises:
        UsageError: when there is no task, or it is binary, too large or unreadable.
    """
    if argument and file:
        raise UsageError("a task was given both as an argument and with --file", hint="Leave one out.")
    if file:
        text = _decode(_read_file(file), str(file))
    elif argument in {None, "-"}:
        if argument is None and _stdin_is_terminal():
            raise UsageError("no task was given", hint=_HINT)
        text = _read_stdin()
    else:
        piped = _read_stdin() if _stdin_is_pipe() and _someone_writes() else ""
        text = f"{argument}\n\n<stdin>\n{piped.rstrip()}\n</stdin>" if piped.strip() else argument or ""
    if not text.strip():
        raise UsageError("the task is empty", hint=_HINT)
    return _with_quotation(text.strip(), quoted) if quoted else text.strip()


def _with_quotation(task: str, file: Path) -> str:
    """The task, and behind it what others wrote, marked as data."""
    from codeflow.core.invisible import spelled_out
    from codeflow.tools.untrusted import as_data

    return f"{task}\n\n{as_data(spelled_out(_decode(_read_file(file), str(file))), file.name)}"


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        problem = "not a file" if path.exists() else "no such file"
        raise UsageError(f"{path}: {problem}", hint="--file takes a text file that holds the task.")
    try:
        with path.open("rb") as source:
            return source.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}", hint="Check the file's permissions."
        ) from error


def _read_stdin() -> str:
    if sys.stdin is None:
        return ""
    return _decode(sys.stdin.buffer.read(SIZE_LIMIT + 1), "stdin")


def _decode(data: bytes, origin: str) -> str:
    if len(data) > SIZE_LIMIT:
        raise UsageError(
            f"{origin}: a task may have at most {SIZE_LIMIT // 1000} kB",
            hint="Put the material into a file of the workspace and name it in the task.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{origin}: not UTF-8 text", hint="A task is plain text.") from error
    if "\0" in text:
        raise UsageError(f"{origin}: binary data", hint="A task is plain text.")
    return text


def _stdin_is_terminal() -> bool:
    return sys.stdin is None or sys.stdin.isatty()


def _stdin_is_pipe() -> bool:
    """Whether something was piped or redirected in; /dev/null and terminals were not."""
    if sys.stdin is None:
        return False
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _someone_writes() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], _SILENT_S)
    if not ready:
        print(
            f"codeflow: nothing came on stdin for {_SILENT_S:.0f} s, going on without it "
            "(pass < /dev/null, or save it to a file first)",
            file=sys.stderr,
        )
    return bool(ready)
