import json
import os
from pathlib import Path

import pytest

from codeflow.tools.borrowed import borrowed_environment
from codeflow.tools.environment import reading_environment, scrubbed_environment


@pytest.fixture
def lender(tmp_path: Path) -> Path:
    """A checkout with a virtual environment."""
    folder = tmp_path / "lender"
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").touch()
    (folder / ".venv/lib/python3.11/site-packages").mkdir(parents=True)
    (folder / "src").mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path, lender: Path) -> Path:
    """A worktree of it, with links to what the environment holds."""
    folder = tmp_path / "here"
    (folder / ".venv").mkdir(parents=True)
    for name in ("bin", "lib"):
        (folder / ".venv" / name).symlink_to(lender / ".venv" / name)
    return folder


def packages(lender: Path) -> Path:
    return lender / ".venv/lib/python3.11/site-packages"


def test_editable_packages_are_found_in_the_worktree_first(lender, here):
    (packages(lender) / "one.pth").write_text(f"import os\n{lender}/src\n/elsewhere\n")
    facts = packages(lender) / "two-1.dist-info"
    facts.mkdir()
    two = {"url": f"file://{lender}/libs/two", "dir_info": {"editable": True}}
    (facts / "direct_url.json").write_text(json.dumps(two))
    env = scrubbed_environment({"PATH": "/bin", "PYTHONPATH": "/theirs"}, here)
    assert env["PYTHONPATH"].split(os.pathsep) == [str(here / "src"), str(here / "libs/two")]
    assert env["UV_NO_SYNC"] == "1"


@pytest.mark.parametrize("text", ["[]", "{", '{"url": "file:///x", "dir_info": {}}'])
def test_other_installs_change_nothing(lender, here, text):
    facts = packages(lender) / "two-1.dist-info"
    facts.mkdir()
    (facts / "direct_url.json").write_text(text)
    assert borrowed_environment(here / ".venv") == {"UV_NO_SYNC": "1"}
    assert borrowed_environment(lender / ".venv") == {}


def test_programs_that_only_look_do_not_come_from_the_lender_either(lender, here):
    path = os.pathsep.join([str(lender / ".venv/bin"), "/bin"])
    assert str(here / ".venv/bin") in scrubbed_environment({"PATH": path}, here)["PATH"]
    assert reading_environment({"PATH": path}, here)["PATH"] == "/bin"
