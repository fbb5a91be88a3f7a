"""Tools that run commands: the project's tests, and a shell line."""

import asyncio
import re
import shlex

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.process import Outcome, execute
from codeflow.tools.project import detect
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace


@tool(effect=Effect.EXECUTE, summary=argument("target"))
async def run_tests(ws: Workspace, target: str = "") -> ToolResult:
    """Run the project's tests; the exit code is 0 when they pass.

    Args:
        target: Test file, folder or test id; everything by default.
    """
    command = ws.tests
    if command == "auto":
        command = (await asyncio.to_thread(detect, ws.root, ws.env)).tests or "off"
    if command in {"", "off"}:
        raise Mistake("No test command is known for this project. Run what you need with run_command.")
    aimed = _aimed(command, target.strip())
    return await _run(ws, aimed, limit_s=ws.tests_timeout_s, narrow="pass a target")


@tool(effect=Effect.EXECUTE, summary=argument("command"))
async def run_command(ws: Workspace, command: str) -> ToolResult:
    """Run a shell command in the workspace. There is no input; whatever it starts in the background ends with it.

    Args:
        command: One shell command line.
    """
    if not command.strip():
        raise Mistake("The command is empty.")
    limit_s = ws.settings.command_timeout_s
    return await _run(ws, command, limit_s=limit_s, narrow="filter with grep, head or tail")


def _aimed(command: str, target: str) -> str:
    """The test command for one target."""
    if not target:
        return command
    if target.startswith("-"):
        raise Mistake("The target is a file, folder or test id, not an option.")
    quoted = shlex.quote(target)
    if re.search(r"\b(npm|pnpm|bun)\b", command):
        return f"{command} -- {quoted}"
    if "./..." in command:
        return command.replace("./...", quoted)
    if re.search(r"\b(pytest|cargo|yarn|unittest|mix)\b", command):
        return f"{command} {quoted}"
    raise Mistake(
        f"{command!r} takes no target. Run everything without one, or a single test with run_command."
    )


async def _run(ws: Workspace, command: str, *, limit_s: float, narrow: str) -> ToolResult:
    outcome = await execute(
        command,
        cwd=ws.root,
        env=ws.env,
        timeout_s=limit_s,
        output_limit_chars=ws.settings.output_limit_chars,
    )
    verdict = _verdict(outcome, limit_s)
    parts = [f"$ {command}", verdict, outcome.output.rstrip() or "(no output)"]
    if outcome.total_chars > ws.settings.output_limit_chars:
        parts.append(f"[the output had {outcome.total_chars:,} characters; to see more of a part, {narrow}]")
    return ToolResult(content="\n".join(parts), display=verdict, is_error=outcome.timed_out)


def _verdict(outcome: Outcome, limit_s: float) -> str:
    if outcome.exit_code is None:
        return f"stopped after {limit_s:g} s, the time limit"
    name = f" (killed by signal {-outcome.exit_code})" if outcome.exit_code < 0 else ""
    return f"exit code {outcome.exit_code}{name}, {outcome.duration_s:.1f} s"
