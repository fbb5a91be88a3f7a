"""stdout and stderr as the shell left them, made safe to write to."""

import contextlib
import io
import os
import sys


def prepare() -> None:
    """Replace closed streams, and let any text through an ASCII terminal or a C locale."""
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def are_interactive() -> bool:
    """Whether a person can type and see."""
    return sys.stdin is not None and all(one.isatty() for one in (sys.stdin, sys.stdout, sys.stderr))


def deliver() -> None:
    """Flush stdout; a reader who went away (`codeflow models | head -1`) has had what was wanted.

    Raises:
        OSError: when the rest cannot be written, as on a full disk.
    """
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()


def settle() -> None:
    """Flush stdout; where that fails, spare the interpreter's complaint at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
