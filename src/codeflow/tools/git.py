"""Tools that look at a repository and its history."""

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.git_operations import under_way
from codeflow.tools.git_runner import read, revision
from codeflow.tools.git_shallow import cut_off, is_oldest, is_shallow, refusal
from codeflow.tools.git_shown import PREFIXES, refuse_secret_object, shown
from codeflow.tools.tool import Arguments, Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_PLAIN_DIFF = (
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--ignore-submodules=dirty",
    "--relative",
    *PREFIXES,
)
_MOST_COMMITS = 100
_MOST_BLAMED = 200


@tool(effect=Effect.READ, summary=lambda _: "")
async def git_status(ws: Workspace) -> ToolResult:
    """Show the current branch, the changed and untracked files in git's short format, and a merge or rebase under way."""
    output = await read(ws, "status", "--short", "--branch", "--ignore-submodules=dirty", "--", ".")
    changed = len(output.splitlines()) - 1
    parts = [output] if changed else [output, "(nothing changed)"]
    if operation := await under_way(ws):
        parts.append(f"[{operation.name} is under way. {operation.next_step}]")
    return ToolResult(
        content="\n".join(parts),
        display=f"{changed} changed" if changed else "clean",
    )


def _diff_summary(arguments: Arguments) -> str:
    return " ".join(str(arguments[name]) for name in ("ref", "path") if arguments.get(name))


@tool(effect=Effect.READ, summary=_diff_summary)
async def git_diff(ws: Workspace, path: str = "", staged: bool = False, ref: str = "") -> ToolResult:
    """Show changes of tracked files as a unified diff, by default the unstaged ones.

    Args:
        path: File or folder; everything by default.
        staged: Compare what is staged.
        ref: Compare with a commit, or show a range such as main...HEAD.
    """
    wanted = ws.relative(ws.entry(path))
    chosen = [*(["--cached"] if staged else []), *([revision(ref)] if ref else [])]
    try:
        output = await shown(ws, "diff", *_PLAIN_DIFF, *chosen, "--", wanted)
    except Mistake as refused:
        raise await refusal(ws, refused) from None
    if not output:
        return ToolResult(
            content="No differences. Untracked files are listed by git_status.", display="no differences"
        )
    return ToolResult(content=output, display=f"{len(output.splitlines())} lines")


@tool(effect=Effect.READ, summary=argument("path"))
async def git_log(ws: Workspace, path: str = "", count: int = 10, skip: int = 0) -> ToolResult:
    """List commits of the current branch, newest first: hash, date, author, subject.

    Args:
        path: Only commits that touch this file or folder.
        count: Up to 100.
        skip: Newest commits to pass over.
    """
    most = min(max(1, count), _MOST_COMMITS)
    wanted = ws.relative(ws.entry(path))
    options = (f"--max-count={most + 1}", f"--skip={max(0, skip)}", "--no-color", "--date=short")
    output = await read(ws, "log", *options, "--format=%h %ad %an: %s", "--", wanted)
    commits = output.splitlines()
    lines = commits[:most] or ["No commits."]
    if len(commits) > most:
        lines.append(f"[older commits exist; go on with skip={max(0, skip) + most}]")
    elif await is_shallow(ws):
        lines.append(cut_off("commits older than these were not fetched"))
    if not commits:
        return ToolResult(content="\n".join(lines), display="no commits")
    return ToolResult(content="\n".join(lines), display=f"{len(commits[:most])} commits")


@tool(effect=Effect.READ, summary=argument("path"))
async def git_blame(ws: Workspace, path: str, start_line: int = 1, end_line: int | None = None) -> ToolResult:
    """Show which commit, author and date each line of a file comes from.

    Args:
        path: File in the workspace.
        start_line: From 1.
        end_line: By default 200 lines are shown.
    """
    last = start_line + _MOST_BLAMED - 1 if end_line is None else end_line
    if start_line < 1 or last < start_line:
        raise Mistake("start_line begins at 1 and end_line is not before it.")
    end = min(last, start_line + _MOST_BLAMED - 1)
    wanted = ws.relative(ws.entry(path))
    if kind := ws.secret(wanted):
        raise Mistake(f"{wanted} is {kind} and is not shown.")
    output = await read(ws, "blame", "--no-textconv", "--date=short", f"-L{start_line},{end}", "--", wanted)
    lines = output.splitlines()
    if len(lines) == _MOST_BLAMED:
        lines.append(f"[the file may go on; see more with start_line={end + 1}]")
    if any(line.startswith("^") for line in lines) and await is_shallow(ws):
        lines.append(cut_off("a line with ^ may come from an older commit, which was not fetched"))
    return ToolResult(content="\n".join(lines), display=f"lines {start_line}-{end}")


@tool(effect=Effect.READ, summary=argument("ref"))
async def git_show(ws: Workspace, ref: str = "HEAD", path: str = "") -> ToolResult:
    """Show a commit: message, changed files and diff; or a file as it was, with COMMIT:PATH.

    Args:
        ref: Commit, branch or tag, or COMMIT:PATH.
        path: Only the changes of this file or folder.
    """
    narrow = ("--", ws.relative(ws.entry(path))) if path else ()
    layout = ("--no-show-signature", "--date=short", "--stat", "--patch")
    await refuse_secret_object(ws, revision(ref))
    try:
        output = await shown(ws, "show", *_PLAIN_DIFF, *layout, ref, *narrow)
    except Mistake as refused:
        raise await refusal(ws, refused) from None
    parts = [output or "(empty)"]
    if ":" not in ref and await is_oldest(ws, ref):
        parts.append(cut_off("what this commit changed is unknown, so all its files look new"))
    return ToolResult(content="\n".join(parts), display=f"{len(output.splitlines())} lines")
