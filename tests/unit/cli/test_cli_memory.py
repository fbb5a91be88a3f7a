import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def add(cli):
    def make(text: str, *arguments: str) -> str:
        done = cli("memory", "add", text, *arguments)
        assert done.returncode == 0, done.stderr
        return str(done.stdout.split()[1])

    return make


def listed(cli, *arguments: str):
    return json.loads(cli("memory", "--output", "json", *arguments).stdout)


def test_a_persons_note_is_listed_and_shown_with_its_source(cli, add, folder):
    (folder / "Makefile").write_text("unit:\n")
    note_id = add("Use make unit.", "--file", "Makefile")
    add("Write short commit messages.", "--scope", "user", "--ttl", "2w")
    assert [(note["scope"], note["by"], note["note"]) for note in listed(cli)] == [
        ("project", "you", "Use make unit."),
        ("user", "you", "Write short commit messages."),
    ]
    assert [note["scope"] for note in listed(cli, "--scope", "user")] == ["user"]
    (folder / "Makefile").write_text("fast:\n")
    shown = cli("memory", "show", note_id[:3]).stdout
    assert shown.startswith("Use make unit.\n")
    assert f"scope:    project {folder}\n" in shown
    assert "state:    stale: Makefile has changed\n" in shown
    assert cli("memory").stdout.splitlines()[1].split()[:3] == [note_id, "project", "you"]


def test_editing_takes_a_text_or_an_editor(cli, add):
    note_id = add("Use make unit.")
    assert cli("memory", "edit", note_id, "Use make fast.").stdout == f"Note {note_id} is changed.\n"
    editor = f"{sys.executable} -c \"import sys; open(sys.argv[1], 'w').write('From an editor.\\n')\""
    assert cli("memory", "edit", note_id, EDITOR=editor).returncode == 0
    assert [note["note"] for note in listed(cli)] == ["From an editor."]
    assert cli("memory", "edit", note_id, EDITOR="true").stdout == f"Note {note_id} is as it was.\n"
    failed = cli("memory", "edit", note_id, EDITOR="false")
    assert (failed.returncode, "exit code 1" in failed.stderr) == (1, True)


def test_removing_by_id_and_by_scope(cli, add, tmp_path):
    one, _ = add("One."), add("Two.")
    assert cli("memory", "remove", one).stdout == f"Note {one} is removed: One.\n"
    assert cli("memory", "clear", "--scope", "project", "--yes").stdout == "Removed 1 notes.\n"
    assert cli("memory", "list").stdout == "no notes\n"
    assert cli("memory", "prune").stdout == "Removed 0 notes.\n"
    assert not list((tmp_path / "home/state/codeflow/memory").rglob("*.jsonl"))


def test_notes_of_other_folders_are_listed_on_request(cli, add, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    note_id = add("Of the other one.", "--workspace", str(other))
    assert listed(cli) == []
    assert [note["id"] for note in listed(cli, "--all")] == [note_id]
    assert cli("memory", "remove", note_id).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["show", "zz"], "zz: no such note"),
        (["remove", "zz"], "zz: no such note"),
        (["edit", "zz", "x"], "zz: no such note"),
        (["add", ""], "the note is empty"),
        (["add", "x", "--scope", "session"], "--scope"),
        (["add", "x", "--ttl", "soon"], "--ttl soon: not an age"),
        (["add", "x", "--file", "missing.py"], "missing.py: no file of this project"),
        (["add", "password=Sup3rSecretPw"], "a password or key"),
        (["clear", "--scope", "session"], "there is no session"),
        (["--session", "nope"], "nope"),
        (["--workspace", "missing"], "missing"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_code_2(cli, arguments, problem):
    done = cli("memory", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr.splitlines()[0]
    assert len(done.stderr.splitlines()) == 2


def test_clearing_asks_and_without_anybody_does_nothing(cli, add, home, folder):
    add("One.")
    unasked = cli("memory", "clear", "--scope", "project")
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    for answer, left in (("n\n", 1), ("y\n", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, answer.encode())
        command = [sys.executable, "-m", "codeflow", "memory", "clear", "--scope", "project"]
        subprocess.run(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=home, check=False, timeout=60
        )
        assert len(listed(cli)) == left
        os.close(ours)
        os.close(theirs)


def test_a_file_that_cannot_be_read_is_said_and_the_rest_is_listed(cli, add, home):
    add("One.")
    (Path(home["XDG_STATE_HOME"]) / "codeflow/memory/user.jsonl").mkdir()
    done = cli("memory", "--output", "json")
    assert [note["note"] for note in json.loads(done.stdout)] == ["One."]
    assert "user.jsonl: notes cannot be read" in done.stderr
    failed = cli("memory", "add", "x", "--scope", "user")
    assert (failed.returncode, "move it away" in failed.stderr) == (1, True)
