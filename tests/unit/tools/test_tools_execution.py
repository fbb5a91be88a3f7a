import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from codeflow.tools.execution import execute_code
from codeflow.tools.workspace import Workspace


async def test_python_imports_the_project_and_leaves_no_files(ws: Workspace):
    (ws.root / "src").mkdir()
    (ws.root / "src/sums.py").write_text("TOTAL = 42\n")
    code = "import os, sums\nprint(sums.TOTAL)\nopen('made', 'w')\nprint(os.getcwd())"
    result = await execute_code.function(ws, "python", code)
    total, folder = result.content.split("\n")[1:]
    assert total == "42"
    assert folder not in [entry.path for entry in os.scandir(tempfile.gettempdir())]
    assert not (ws.root / "made").exists()


async def test_the_project_s_own_interpreter_is_used(ws: Workspace):
    program = ws.root / ".venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho own interpreter\n")
    program.chmod(0o755)
    assert "own interpreter" in (await execute_code.function(ws, "python", "1")).content


async def test_shell_shows_its_exit_code(ws: Workspace):
    result = await execute_code.function(ws, "shell", "echo a | tr a b; exit 3")
    assert result.display.startswith("exit code 3")
    assert result.content.endswith("\nb")


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
async def test_javascript_requires_the_project_s_packages(ws: Workspace):
    package = ws.root / "node_modules/sums"
    package.mkdir(parents=True)
    (package / "index.js").write_text("module.exports = 42")
    result = await execute_code.function(ws, "javascript", "console.log(require('sums'))")
    assert result.content.endswith("\n42")


async def test_a_missing_interpreter_and_empty_code_are_refused(ws: Workspace, tmp_path: Path):
    ws.env["PATH"] = str(tmp_path)
    assert "neither is installed" in (await execute_code.function(ws, "javascript", "1")).content
    assert (await execute_code.function(ws, "python", " \n")).content == "The code is empty."


async def test_endless_code_is_stopped(make_workspace: Callable[..., Workspace]):
    result = await execute_code.function(make_workspace(timeout_s=0.5), "shell", "while :; do :; done")
    assert result.is_error
    assert result.display == "stopped after 0.5 s, the time limit"
