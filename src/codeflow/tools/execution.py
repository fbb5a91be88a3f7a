"""The tool that runs a snippet of code outside the tree."""

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.commands import shown_output, verdict
from codeflow.tools.environment import project_venv
from codeflow.tools.process import shell
from codeflow.tools.tool import Arguments, Mistake, tool
from codeflow.tools.workspace import Workspace

Language = Literal["python", "javascript", "shell"]

_SUFFIXES: Mapping[Language, str] = {"python": "py", "javascript": "js", "shell": "sh"}


def _summary(arguments: Arguments) -> str:
    return f"{arguments.get('language') or ''} {arguments.get('code') or ''}".strip()


@tool(effect=Effect.EXECUTE, summary=_summary)
async def execute_code(ws: Workspace, language: Language, code: str) -> ToolResult:
    """Run a snippet in an empty temporary folder with the project's interpreter; it can import the project. Print what you want to see.

    Args:
        language: The snippet's language.
        code: A whole program.
    """
    if not code.strip():
        raise Mistake("The code is empty.")
    program = _interpreter(ws, language)
    limit_s = ws.settings.command_timeout_s
    with tempfile.TemporaryDirectory(prefix="codeflow-code-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / f"snippet.{_SUFFIXES[language]}"
        file.write_text(code, encoding="utf-8", errors="backslashreplace")
        run = ws.runs.new(shlex.join([program, str(file)]))
        outcome = await run.execute(
            run.command,
            cwd=file.parent,
            env={**ws.env, **_import_paths(ws.root)},
            timeout_s=limit_s,
            output_limit_chars=ws.settings.output_limit_chars,
        )
    line = verdict(outcome, limit_s)
    content = f"{program}: {line}\n{shown_output(ws, run, outcome)}"
    return ToolResult(content=content, display=line, is_error=outcome.was_stopped)


def _interpreter(ws: Workspace, language: Language) -> str:
    path = ws.env["PATH"]
    if language == "shell":
        return shell(ws.env)
    if language == "javascript":
        if node := shutil.which("node", path=path) or shutil.which("bun", path=path):
            return node
        raise Mistake("JavaScript needs node or bun, and neither is installed; use python or shell.")
    if venv := project_venv(ws.root):
        return str(venv / "bin/python")
    return shutil.which("python3", path=path) or sys.executable


def _import_paths(root: Path) -> dict[str, str]:
    sources = [str(folder) for folder in (root / "src", root) if folder.is_dir()]
    return {"PYTHONPATH": os.pathsep.join(sources), "NODE_PATH": str(root / "node_modules")}
