import os
import subprocess
import sys

import pytest

from codeflow.cli.tasktext import SIZE_LIMIT, read_task
from codeflow.core.errors import UsageError

READ = "import sys; from codeflow.cli.tasktext import read_task; print(read_task(eval(sys.argv[1]), None))"


def read(argument: str | None, stdin: bytes) -> str:
    done = subprocess.run(
        [sys.executable, "-c", READ, repr(argument)], input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode().rstrip("\n")


def test_the_argument_is_the_task_when_nothing_is_piped():
    assert read("fix it", b"") == "fix it"


def test_what_is_piped_in_beside_an_argument_is_appended_as_a_block():
    assert read("explain", b"a\nb\n") == "explain\n\n<stdin>\na\nb\n</stdin>"


@pytest.mark.parametrize("argument", [None, "-"])
def test_without_an_argument_stdin_is_the_task(argument):
    assert read(argument, "\ufefffix ünicode\n".encode()) == "fix ünicode"


def test_a_file_is_the_task(tmp_path):
    file = tmp_path / "task.md"
    file.write_text("fix it\n")
    assert read_task(None, file) == "fix it"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the task is empty"),
        (b" \n", "the task is empty"),
        (b"\x80\x81", "not UTF-8 text"),
        (b"a\0b", "binary data"),
        (b"x" * (SIZE_LIMIT + 1), "at most 1000 kB"),
    ],
)
def test_a_file_that_is_no_task_is_refused(tmp_path, content, problem):
    file = tmp_path / "task"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        read_task(None, file)


def test_a_task_given_twice_or_from_nowhere_is_refused(tmp_path):
    with pytest.raises(UsageError, match="both as an argument and with --file"):
        read_task("a", tmp_path / "b")
    with pytest.raises(UsageError, match="no such file"):
        read_task(None, tmp_path / "missing")
    with pytest.raises(UsageError, match="not a file"):
        read_task(None, tmp_path)


def test_a_pipe_that_nobody_writes_to_does_not_hold_up_a_task():
    reader, writer = os.pipe()
    script = f"import codeflow.cli.tasktext as t; t._SILENT_S = 0.1; exec({READ!r})"
    done = subprocess.run(
        [sys.executable, "-c", script, "'fix it'"],
        stdin=reader,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    os.close(reader)
    os.close(writer)
    assert done.stdout == "fix it\n"
    assert "nothing came on stdin" in done.stderr
