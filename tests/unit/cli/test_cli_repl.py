"""What the REPL makes of what is typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.cli.repl.commands import COMMANDS, filled
from codeflow.cli.repl.completion import matching
from codeflow.core.errors import UsageError

FILES = ["src/app/main.py", "src/app/domain.py", "tests/test_main.py", "README.md", "docs/maintenance.md"]


def test_files_whose_name_begins_so_come_first_and_then_those_that_hold_it():
    assert matching(FILES, "main") == [
        "src/app/main.py",
        "docs/maintenance.md",
        "src/app/domain.py",
        "tests/test_main.py",
    ]
    assert matching(FILES, "rdme") == ["README.md"]
    assert matching(FILES, "zzz") == []


@given(st.lists(st.text()), st.text())
def test_what_matches_is_some_of_the_files(paths, typed):
    found = matching(paths, typed)
    assert sorted(found) == sorted(path for path in paths if path in found)
    assert all(letter in path.lower() for path in found for letter in typed.lower())


def test_a_command_file_says_where_the_arguments_go(tmp_path):
    file = tmp_path / "explain.md"
    file.write_text("Explain $ARGUMENTS, shortly.\n")
    assert filled(file, "a.py") == "Explain a.py, shortly."
    file.write_text("Explain this:\n")
    assert filled(file, "a.py") == "Explain this:\n\na.py"
    assert filled(file, "") == "Explain this:"
    file.write_text(" \n")
    with pytest.raises(UsageError, match="is empty"):
        filled(file, "")
    with pytest.raises(UsageError, match="cannot be read"):
        filled(tmp_path / "none.md", "")


def test_every_command_says_what_it_does():
    assert all(command.about and command.about[0].islower() for command in COMMANDS.values())
