"""Tools that run shell lines, in the foreground and in the background, and show what they printed."""

import asyncio

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.process import Outcome
from codeflow.tools.process_runs import Run
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_FIRST_LOOK_S = 1.0
_LONGEST_WAIT_S = 300.0


@tool(effect=Effect.EXECUTE, summary=argument("command"))
async def run_command(ws: Workspace, command: str, background: bool = False) -> ToolResult:
    """Run a shell command in the workspace, without input. What it leaves running ends with it.

    Args:
        command: One shell command line.
        background: Do not wait for its end, as for a server; follow it with read_output.
    """
    if not command.strip():
        raise Mistake("The command is empty.")
    if "\0" in command:
        raise Mistake("No command can contain a null character.")
    if background and not ws.runs.lasting:
        raise Mistake(
            "A command in the background ends with codeflow, right after this call; run it without."
        )
    if background:
        return await _start(ws, command)
    return await run_line(ws, command, limit_s=ws.settings.command_timeout_s)


async def run_line(ws: Workspace, command: str, *, limit_s: float) -> ToolResult:
    """A shell line's exit code and output as a result; running out of time is an error."""
    run, outcome = await execute_line(ws, command, limit_s=limit_s)
    line = verdict(outcome, limit_s)
    content = f"$ {command}\n{line}\n{shown_output(ws, run, outcome)}"
    return ToolResult(content=content, display=line, is_error=outcome.was_stopped)


async def execute_line(ws: Workspace, command: str, *, limit_s: float) -> tuple[Run, Outcome]:
    """Runs a shell line in the workspace and keeps its output."""
    run = ws.runs.new(command)
    outcome = await run.execute(
        command, cwd=ws.root, env=ws.env, timeout_s=limit_s, output_limit_chars=ws.settings.output_limit_chars
    )
    return run, outcome


def shown_output(ws: Workspace, run: Run, outcome: Outcome) -> str:
    """Head and tail of an output, and where all of it is when that is not everything."""
    output = outcome.output.rstrip() or "(no output)"
    if outcome.total_chars <= ws.settings.output_limit_chars:
        return output
    if not ws.runs.lasting:
        return f"{output}\n[the output had {outcome.total_chars:,} characters; write it to a file to see all of it]"
    return (
        f"{output}\n[the output had {outcome.total_chars:,} characters; "
        f"{run.kept} of it: read_output {run.id} with a start_line]"
    )


def verdict(outcome: Outcome, limit_s: float) -> str:
    """How a command ended, in one line."""
    if outcome.exit_code is None:
        return f"stopped after {limit_s:g} s, the time limit"
    if outcome.problem:
        return outcome.problem
    name = f" (killed by signal {-outcome.exit_code})" if outcome.exit_code < 0 else ""
    touched = "; codeflow's notes on it are at the end" if outcome.notes else ""
    refused = f"; {outcome.refused_hosts} hosts refused" if outcome.refused_hosts else ""
    return f"exit code {outcome.exit_code}{name}, {outcome.duration_s:.1f} s{touched}{refused}"


async def _start(ws: Workspace, command: str) -> ToolResult:
    run = ws.runs.start(command, cwd=ws.root, env=ws.env, output_limit_chars=ws.settings.output_limit_chars)
    await _wait(run, _FIRST_LOOK_S)
    return await _show(ws, run, start_line=1)


@tool(effect=Effect.READ, summary=argument("id"))
async def read_output(ws: Workspace, id: str, start_line: int = 1, wait_s: float = 0) -> ToolResult:  # noqa: A002 - the model's word
    """Read what a command printed, also while it runs in the background, or a kept result, page by page.

    Args:
        id: Such as cmd-3 or res-4.
        start_line: First line to show; -50 shows the last 50.
        wait_s: Wait up to this long for the command's end, at most 300.
    """
    run = ws.runs.find(id)
    await _wait(run, min(max(wait_s, 0), _LONGEST_WAIT_S))
    return await _show(ws, run, start_line)


@tool(effect=Effect.EXECUTE, summary=argument("id"))
async def stop_command(ws: Workspace, id: str) -> ToolResult:  # noqa: A002 - the model's word
    """Stop a background command and everything it started.

    Args:
        id: Such as cmd-3.
    """
    run = ws.runs.find(id)
    if run.task is None or not run.is_running:
        raise Mistake(f"{id} is not running; read_output shows how it ended.")
    run.task.cancel()
    await asyncio.wait({run.task})
    return await _show(ws, run, start_line=-20)


async def _wait(run: Run, limit_s: float) -> None:
    if run.task is not None and run.is_running:
        await asyncio.wait({run.task}, timeout=limit_s)


async def _show(ws: Workspace, run: Run, start_line: int) -> ToolResult:
    state = _state(run)
    page = await asyncio.to_thread(run.page, start_line, ws.settings.output_limit_chars)
    last = page.first + len(page.lines) - 1
    parts = [f"{run.id}: $ {run.command}", state] if run.is_command else [f"{run.id}: {run.command}"]
    if not page.lines:
        parts.append(f"(no output from line {page.first} on)")
    else:
        parts += [f"lines {page.first}-{last} of {page.total:,}:", *page.lines]
    if last < page.total and page.lines:
        parts.append(f"[more: start_line={last + 1}]")
    if run.kept != "all":
        parts.append(f"[only {run.kept} of {run.total_bytes:,} bytes were kept]")
    return ToolResult(content="\n".join(parts), display=f"{run.id} {state}")


def _state(run: Run) -> str:
    if not run.is_command:
        return "kept result"
    if run.outcome:
        return f"ended: {verdict(run.outcome, run.outcome.duration_s)}"
    if run.is_running:
        return "running"
    if run.task and not run.task.cancelled() and (fault := run.task.exception()):
        return f"could not be started: {fault}"
    return "stopped"
