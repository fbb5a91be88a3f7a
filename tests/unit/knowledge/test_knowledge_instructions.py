import os
from pathlib import Path

import pytest

from codeflow.knowledge.instructions import NestedInstructions, read_instructions


def read(folder: Path, tokens: int = 100):
    found = read_instructions(folder, within=folder, tokens=tokens)
    assert found is not None
    return found


def test_agents_md_comes_before_claude_md(tmp_path):
    assert read_instructions(tmp_path, within=tmp_path, tokens=100) is None
    (tmp_path / "CLAUDE.md").write_text("claude")
    assert read(tmp_path).text == "Instructions of CLAUDE.md:\nclaude"
    (tmp_path / "AGENTS.md").write_text("\ufeffagents\n")
    assert read(tmp_path).text == "Instructions of AGENTS.md:\nagents"


@pytest.mark.parametrize("lines", [30, 300_000])
def test_a_long_file_is_cut_at_a_line_border_and_says_so(tmp_path, lines):
    (tmp_path / "AGENTS.md").write_text("wörds of law\n" * lines)
    text = read(tmp_path, tokens=20).text
    assert text.splitlines()[1:-1] == ["wörds of law"] * 6
    assert text.endswith("[cut after line 6; read AGENTS.md for the rest]")


def test_one_endless_line_is_left_out_and_said(tmp_path):
    (tmp_path / "AGENTS.md").write_text("ü" * 1_000_000)
    assert read(tmp_path).text.endswith(":\n[cut after line 0; read AGENTS.md for the rest]")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"ok\n\xe9 latin"])
def test_binary_content_is_refused(tmp_path, content):
    (tmp_path / "AGENTS.md").write_bytes(content)
    assert read(tmp_path).refused == "AGENTS.md was not read: it is not UTF-8 text"


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "/dev/zero"])
def test_a_link_out_of_the_project_is_refused(tmp_path, target):
    (tmp_path / "secret").write_text("s")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "AGENTS.md").symlink_to(target)
    found = read(tmp_path / "project")
    assert (found.text, "outside the project" in (found.refused or "")) == ("", True)


def test_a_link_within_the_project_is_followed(tmp_path):
    (tmp_path / "CLAUDE.md").write_text("law")
    (tmp_path / "AGENTS.md").symlink_to("CLAUDE.md")
    assert read(tmp_path).text == "Instructions of AGENTS.md:\nlaw"


@pytest.mark.parametrize(("make", "reason"), [(os.mkfifo, "not a file"), (os.mkdir, "not a file")])
def test_what_is_no_file_is_refused(tmp_path, make, reason):
    make(tmp_path / "AGENTS.md")
    assert reason in (read(tmp_path).refused or "")


def test_a_dangling_link_and_a_loop_are_refused(tmp_path):
    (tmp_path / "AGENTS.md").symlink_to("missing")
    assert "No such file" in (read(tmp_path).refused or "")
    (tmp_path / "AGENTS.md").unlink()
    (tmp_path / "AGENTS.md").symlink_to("AGENTS.md")
    assert "AGENTS.md was not read" in (read(tmp_path).refused or "")


def test_nested_files_are_handed_out_once_the_outer_first(tmp_path):
    for folder in ("", "a", "a/b"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "AGENTS.md").write_text(f"law of {folder}")
    nested = NestedInstructions(tmp_path, tokens=100)
    assert nested.for_path("x.py") is None
    text = nested.for_path("a/b/c/new.py")
    assert text == "Instructions of a/AGENTS.md:\nlaw of a\n\nInstructions of a/b/AGENTS.md:\nlaw of a/b"
    assert nested.for_path("a/b/other.py") is None
    assert NestedInstructions(tmp_path, tokens=100).for_path(str(tmp_path / "a")) is not None


@pytest.mark.parametrize("path", ["../other/x", "/etc/passwd", "a/../../x", "bad\0name", ""])
def test_paths_elsewhere_are_governed_by_nothing(tmp_path, path):
    (tmp_path / "project").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "AGENTS.md").write_text("theirs")
    assert NestedInstructions(tmp_path / "project", tokens=100).for_path(path) is None
