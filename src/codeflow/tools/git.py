"""Git for a model. The reading commands run nothing that a repository's own configuration names."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.process import Outcome, execute
from codeflow.tools.tool import Arguments, Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_SHORT_TIMEOUT_S = 20.0
_LITERAL = "--literal-pathspecs"
_INERT = (
    "git",
    "--no-pager",
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "diff.external=",
)


@tool(effect=Effect.READ, summary=lambda _: "")
async def git_status(ws: Workspace) -> ToolResult:
    """Show the current branch and the changed and untracked files, in git's short format."""
    output = await _read(ws, "status", "--short", "--branch", "--ignore-submodules=dirty", "--", ".")
    changed = len(output.splitlines()) - 1
    return ToolResult(
        content=output if changed else f"{output}\n(nothing changed)",
        display=f"{changed} changed" if changed else "clean",
    )


@tool(effect=Effect.READ, summary=argument("path"))
async def git_diff(ws: Workspace, path: str = "", staged: bool = False) -> ToolResult:
    """Show uncommitted changes of tracked files as a unified diff.

    Args:
        path: File or folder; everything by default.
        staged: Show what is staged instead of what is not.
    """
    wanted = ws.relative(ws.resolve(path))
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=dirty", "--relative")
    output = await _read(ws, "diff", *options, *(["--cached"] if staged else []), "--", wanted)
    if not output:
        return ToolResult(
            content="No differences. Untracked files are listed by git_status.", display="no differences"
        )
    return ToolResult(content=output, display=f"{len(output.splitlines())} lines")


@tool(effect=Effect.EXECUTE, summary=argument("name"))
async def git_branch(ws: Workspace, name: str = "") -> ToolResult:
    """List the local branches, or create one from the current commit and switch to it.

    Args:
        name: The new branch; without it, branches are listed.
    """
    if not name:
        output = await _read(ws, "branch", "--list", "--no-color")
        return ToolResult(
            content=output or "No branches yet.", display=f"{len(output.splitlines())} branches"
        )
    if name.startswith("-"):
        raise Mistake(f"{name} is not a branch name.")
    output = _succeeded(await _git(ws, "git", "switch", "--create", name))
    return ToolResult(content=output, display=f"on {name}")


def _subject(arguments: Arguments) -> str:
    return str(arguments.get("message") or "").partition("\n")[0]


@tool(effect=Effect.EXECUTE, summary=_subject)
async def git_commit(ws: Workspace, message: str, paths: list[str]) -> ToolResult:
    """Commit the named files as they are now; other changes, staged or not, stay out of the commit.

    Args:
        message: Commit message; the first line is a short summary.
        paths: Files to commit, deleted ones too.
    """
    if not message.strip() or not paths:
        raise Mistake("A commit needs a message and at least one path.")
    wanted = [ws.relative(ws.resolve(path)) for path in paths]
    _succeeded(await _git(ws, *_INERT, _LITERAL, "add", "--", *wanted))
    commit = ("git", _LITERAL, "commit", f"--message={message}", "--only", "--", *wanted)
    output = _succeeded(await _git(ws, *commit))
    return ToolResult(content=output, display=output.partition("\n")[0])


async def ignored(ws: Workspace, folder: Path, names: list[str]) -> set[str]:
    """Those names in a folder that git ignores; none outside a repository."""
    asked = "\0".join(f"./{name}" for name in names)
    answer = await _raw(ws, "check-ignore", "-z", "--stdin", cwd=folder, stdin=os.fsencode(asked))
    return {os.fsdecode(name).removeprefix("./") for name in answer.split(b"\0") if name}


async def _read(ws: Workspace, *arguments: str) -> str:
    env = ws.reading_env | await _filters_off(ws)
    return _succeeded(await _git(ws, *_INERT, _LITERAL, *arguments, env=env))


async def _filters_off(ws: Workspace) -> dict[str, str]:
    """Variables that switch off the content filters of the repository's own configuration.

    Filters from the user's configuration, such as git-lfs, stay on.
    """
    wanted = ("config", "--local", "--includes", "--name-only", "-z", "--get-regexp", "^filter[.]")
    keys = [os.fsdecode(key) for key in (await _raw(ws, *wanted, cwd=ws.root)).split(b"\0") if key]
    variables = {"GIT_CONFIG_COUNT": str(len(keys))}
    for number, key in enumerate(keys):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = "false" if key.endswith(".required") else ""
    return variables


async def _raw(ws: Workspace, *arguments: str, cwd: Path, stdin: bytes = b"") -> bytes:
    """The unaltered output of a short command of git; nothing when it fails."""
    process = await asyncio.create_subprocess_exec(
        *_INERT,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=cwd,
        env=ws.reading_env,
    )
    try:
        async with asyncio.timeout(_SHORT_TIMEOUT_S):
            output, _ = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output if process.returncode == 0 else b""


async def _git(ws: Workspace, *command: str, env: Mapping[str, str] | None = None) -> Outcome:
    return await execute(
        command,
        cwd=ws.root,
        env=env or ws.env,
        timeout_s=ws.settings.command_timeout_s,
        output_limit_chars=ws.settings.output_limit_chars,
    )


def _succeeded(outcome: Outcome) -> str:
    if outcome.exit_code == 0:
        return outcome.output.rstrip()
    if "not a git repository" in outcome.output.lower():
        raise Mistake("The workspace is not a git repository; work without git.")
    problem = "took too long" if outcome.timed_out else f"failed with exit code {outcome.exit_code}"
    raise Mistake(f"git {problem}:\n{outcome.output.rstrip()}")
