"""A third-party library's own source and test suite, with one fault planted in it."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.e2e.harness import ROUTER, commit_all, git

LIBRARY = "idna==3.10"
RIGHT = "    if len(label) > 63:\n"
WRONG = "    if len(label) > 64:\n"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", LIBRARY],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(tmp_path, filter="data")
    return next(path for path in tmp_path.iterdir() if path.is_dir() and path.name.startswith("idna"))


@pytest.mark.slow
def test_a_planted_fault_is_repaired_under_the_librarys_own_tests_and_undone(shell, library, scripted):
    code = library / "idna" / "core.py"
    code.write_bytes(code.read_bytes().replace(RIGHT.encode(), WRONG.encode()))
    broken = code.read_bytes()
    assert WRONG.encode() in broken
    commit_all(library)
    coder = [
        {
            "agent": "fast_coder",
            "call": [
                {"search_files": {"pattern": "def valid_label_length"}},
                {"run_tests": {"target": "tests/test_idna.py"}},
            ],
        },
        {"agent": "fast_coder", "call": [{"read_file": {"path": "idna/core.py", "start_line": 50}}]},
        {
            "agent": "fast_coder",
            "call": [{"edit_file": {"path": "idna/core.py", "old_text": "> 64:", "new_text": "> 63:"}}],
        },
        {"agent": "fast_coder", "call": [{"run_tests": {}}]},
        {"agent": "fast_coder", "say": "A label may have 63 octets, the check allowed 64 (idna/core.py:59)."},
    ]
    with scripted([ROUTER, *coder]) as endpoint:
        done = shell.at(library).run(endpoint)
    assert done.code == 0, done.stderr
    result = done.result
    assert code.read_bytes() == broken.replace(WRONG.encode(), RIGHT.encode())
    assert [change["path"] for change in result["files_changed"]] == ["idna/core.py"]
    (gate,) = result["gates"]
    assert (gate["name"], gate["status"]) == ("tests", "green")
    assert "passed" in gate["output"]
    seen = json.dumps(
        [request.body["messages"] for request in endpoint.requests if request.agent != "router"]
    )
    assert "FAILED tests/test_idna.py" in seen
    undone = shell.at(library)("undo")
    assert undone.code == 0, undone.stderr
    assert code.read_bytes() == broken
    assert git(library, "status", "--porcelain") == ""
