"""Tools that change a repository: branches, commits, stashes, work trees. None rewrites a commit or pushes."""

import asyncio
import re
from pathlib import Path
from typing import Literal

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.git_conflicts import changed_files, conflicts_in
from codeflow.tools.git_operations import Operation, under_way
from codeflow.tools.git_runner import change, change_quietly, inert_environment, must, raw, read, tidy
from codeflow.tools.git_secrets import refuse_secrets
from codeflow.tools.git_shown import PREFIXES, shown
from codeflow.tools.tool import Arguments, Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_PROTECTED = re.compile(r"main|master|release/.*")
_WORKTREES = ".worktrees"
_MOST_INDEX_BYTES = 50_000_000
_STAGED_DELETION = "D "
"""In git's short format."""


@tool(effect=Effect.EXECUTE, summary=argument("name"))
async def git_branch(ws: Workspace, name: str = "") -> ToolResult:
    """List the local branches, or switch to one, which is created from the current commit when there is none.

    Args:
        name: The branch; without it, branches are listed.
    """
    if not name:
        output = await read(ws, "branch", "--list", "--no-color")
        return ToolResult(
            content=output or "No branches yet.", display=f"{len(output.splitlines())} branches"
        )
    if not await _exists(ws, _branch_name(name)):
        output = await change(ws, "switch", "--create", name)
        return ToolResult(content=output, display=f"on {name}")
    if await _current_branch(ws) == name:
        return ToolResult(content=f"{name} is the current branch already.", display=f"on {name}")
    if changed := [path for state, path in await changed_files(ws, ".") if state != "??"]:
        raise Mistake(
            f"{name} exists, but {changed[0]} and perhaps others have uncommitted changes. "
            "Commit them with git_commit, or put them aside with git_stash, then switch."
        )
    output = await change(ws, "switch", "--no-guess", name)
    return ToolResult(content=output, display=f"on {name}")


async def _exists(ws: Workspace, branch: str) -> bool:
    return bool(await raw(ws, "rev-parse", "--quiet", "--verify", f"refs/heads/{branch}", cwd=ws.root))


async def _current_branch(ws: Workspace) -> str:
    """Its name; empty when HEAD is on no branch."""
    branch = await raw(ws, "symbolic-ref", "--quiet", "--short", "HEAD", cwd=ws.root)
    return branch.decode(errors="replace").strip()


def _subject(arguments: Arguments) -> str:
    return str(arguments.get("message") or "").partition("\n")[0]


@tool(effect=Effect.EXECUTE, summary=_subject)
async def git_commit(ws: Workspace, message: str, paths: list[str], on_protected: bool = False) -> ToolResult:
    """Commit the named files as they are now and nothing else; in a merge, rebase or cherry-pick, its result as a whole.

    Args:
        message: The first line is a short summary.
        paths: Files, deleted ones too.
        on_protected: Also on main, master or release/*: only when the user said so.
    """
    if not message.strip() or not paths:
        raise Mistake("A commit needs a message and at least one path.")
    wanted = [ws.relative(ws.entry(path)) for path in paths]
    await must(ws, "rev-parse", "--show-toplevel")  # a Mistake where no commit can be made at all
    if not on_protected:
        await _refuse_protected(ws)
    changed = await changed_files(ws, *wanted)
    _refuse_repositories(changed)
    await _refuse_conflicts(ws, [name for _, name in changed])
    await refuse_secrets(ws, message, wanted)
    kept = await _sources_left_out(ws, wanted)
    if to_add := await _without_staged_deletions(ws, wanted):
        await change_quietly(ws, "add", "--", *to_add)
    operation = await under_way(ws)
    output = await _committed(ws, message, wanted, operation)
    if not (operation and operation.source):
        output += "".join(
            f"\n[{old}, of which {new} was made by a rename, stays in the repository: its deletion is staged and not in "
            f"this commit; name {old} too to commit it]"
            for old, new in kept
        )
    if still := await under_way(ws):
        output += f"\n[{still.name} is still under way. {still.next_step}]"
    elif not await _current_branch(ws):
        output += "\n[HEAD is on no branch: keep this commit by creating one with git_branch]"
    return ToolResult(content=output, display=output.partition("\n")[0])


async def _committed(ws: Workspace, message: str, wanted: list[str], operation: Operation | None) -> str:
    """Half of what a merge, rebase or cherry-pick brings would be lost by a commit of some files: git takes the index."""
    if operation is None or not operation.source:
        return await change(ws, "commit", f"--message={message}", "--only", "--", *wanted)
    author = await raw(ws, "log", "-1", "--format=%an <%ae>", "REBASE_HEAD", cwd=ws.root)
    kept = [f"--author={author.decode(errors='surrogateescape').strip()}"] if author else []
    own = (
        kept if operation.source == "REBASE_HEAD" else []
    )  # git remembers the author of a cherry-pick itself
    try:
        return await change(ws, "commit", f"--message={message}", *own)
    except Mistake as refused:
        raise Mistake(f"{refused} This is in {operation.name}.") from None


async def _without_staged_deletions(ws: Workspace, wanted: list[str]) -> list[str]:
    """The paths of which git knows something to add: what is gone and staged so, it finds nowhere but in HEAD."""
    changed = await changed_files(ws, *wanted)
    return [
        path
        for path in wanted
        if (ws.root / path).exists()
        or (ws.root / path).is_symlink()
        or {state for state, name in changed if _covers([path], name)} != {_STAGED_DELETION}
    ]


async def _sources_left_out(ws: Workspace, wanted: list[str]) -> list[tuple[str, str]]:
    """(old name, new name) of staged renames of which only the new name is to be committed."""
    output = await raw(ws, "diff", "--cached", "-M", "--name-status", "-z", "--relative", "HEAD", cwd=ws.root)
    fields = iter(output.decode(errors="surrogateescape").split("\0"))
    renames = [(next(fields), next(fields) if state[0] == "R" else "") for state in fields if state]
    return [(old, new) for old, new in renames if new and _covers(wanted, new) and not _covers(wanted, old)]


def _covers(paths: list[str], name: str) -> bool:
    return any(path in (".", name) or name.startswith(f"{path}/") for path in paths)


async def _refuse_protected(ws: Workspace) -> None:
    name = await _current_branch(ws)
    if _PROTECTED.fullmatch(name):
        raise Mistake(
            f"{name} is a protected branch. Create one with git_branch first; "
            "pass on_protected only when the user asked for a commit here."
        )


def _refuse_repositories(changed: list[tuple[str, str]]) -> None:
    """Of a repository that is no submodule, git would add the number of its commit alone: a clone finds it empty."""
    for state, name in changed:
        if state == "??" and name.endswith("/"):
            raise Mistake(
                f"{name} is a repository of its own, of which a commit here would hold no file. Name paths beside it, "
                "or put it into .gitignore; if it belongs here, run_command with `git submodule add` makes it a submodule."
            )


async def _refuse_conflicts(ws: Workspace, names: list[str]) -> None:
    for name in names:
        regions = await asyncio.to_thread(conflicts_in, ws, name)
        if regions:
            raise Mistake(f"{name} has conflict markers in line {regions[0].first}; resolve them first.")


def _action(arguments: Arguments) -> str:
    return " ".join(str(arguments[name]) for name in ("action", "branch", "message") if arguments.get(name))


@tool(effect=Effect.EXECUTE, summary=_action)
async def git_stash(
    ws: Workspace, action: Literal["push", "pop", "list", "show"], message: str = "", number: int = 0
) -> ToolResult:
    """Put uncommitted changes of tracked files aside, or bring them back.

    Args:
        action: push puts aside, pop brings back.
        message: Name for a push.
        number: Stash to pop or show; 0 is the newest.
    """
    entry = f"stash@{{{max(0, number)}}}"
    match action:
        case "push":
            output = await change(ws, "stash", "push", *([f"--message={message}"] if message else []))
        case "pop":
            output = await _pop(ws, entry)
        case "list":
            output = await read(ws, "stash", "list") or "No stashes."
        case _:
            output = await shown(
                ws, "stash", "show", "--patch", "--no-ext-diff", "--no-textconv", *PREFIXES, entry
            )
    return ToolResult(content=output, display=output.partition("\n")[0])


async def _pop(ws: Workspace, entry: str) -> str:
    """What was staged is staged again, as long as it fits what is committed now."""
    try:
        return await change(ws, "stash", "pop", "--index", entry)
    except Mistake as refused:
        if "without --index" not in str(refused):
            raise
    output = await change(ws, "stash", "pop", entry)
    return f"{output}\n[what had been staged no longer fits the index: it is in the files, not staged]"


@tool(effect=Effect.EXECUTE, summary=_action)
async def git_worktree(
    ws: Workspace, action: Literal["add", "remove", "list"], branch: str = ""
) -> ToolResult:
    """Manage further checkouts, one folder a branch, in .worktrees/.

    Args:
        action: remove refuses to lose uncommitted changes.
        branch: Created by add when there is none.
    """
    if action == "list":
        output = await read(ws, "worktree", "list")
        return ToolResult(content=output, display=f"{len(output.splitlines())} work trees")
    folder = ws.writable(f"{_WORKTREES}/{_branch_name(branch).replace('/', '-')}")
    place = ws.relative(folder)
    if action == "remove":
        await _refuse_to_lose(ws, folder)
        await tidy(ws, "worktree", "remove", "--force", str(folder))
        return ToolResult(content=f"{place} removed; the branch {branch} stays.", display=f"{place} removed")
    known = await _exists(ws, branch)
    ws.write(
        folder.with_name(".gitignore"), b"/*/\n/.gitignore\n"
    )  # untracked work trees would show up in git_status
    target = (str(folder), branch) if known else ("-b", branch, str(folder))
    await change_quietly(ws, "worktree", "add", *target)
    return ToolResult(content=f"{branch} is checked out in {place}.", display=place)


async def _refuse_to_lose(ws: Workspace, folder: Path) -> None:
    """A Mistake where a work tree has what is in no commit, or submodules, which may have commits of their own.

    git looks itself unless it is forced, but outside the sandbox it would start the filters of submodules.
    """
    if not (folder / ".git").exists():
        return  # git has a word for it
    place = ws.relative(folder)
    env = await inert_environment(ws)
    state = ("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none")
    if await must(ws, "-C", place, *state, env=env):
        raise Mistake(
            f"{place} has uncommitted changes, so it was not removed. Commit or stash them there first: {place} is a "
            "work tree of its own."
        )
    index = await must(ws, "-C", place, "ls-files", "--stage", "-z", most_bytes=_MOST_INDEX_BYTES)
    if any(entry.startswith(b"160000 ") for entry in index.split(b"\0")):
        raise Mistake(
            f"{place} has submodules, so it was not removed: the user can `git worktree remove --force` it."
        )


def _branch_name(name: str) -> str:
    if not name or name.startswith("-"):
        raise Mistake(f"{name!r} is not a branch name.")
    return name
