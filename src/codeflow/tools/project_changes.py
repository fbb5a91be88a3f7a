"""Which files and lines differ from the last commit, and which files a path stands for."""

import re
from collections import defaultdict
from pathlib import Path

from codeflow.core.text import printable
from codeflow.tools.git_runner import INERT, inert_environment
from codeflow.tools.output import capped
from codeflow.tools.process_stdout import run_for_stdout
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace, special_kind

_DIFF = ("diff", "--unified=0", "--no-ext-diff", "--no-textconv", "--no-color", "--no-prefix", "--relative")
_FILE = re.compile(r"^\+\+\+ (?P<path>[^\t\n]+)")
_HUNK = re.compile(r"^@@ \S+ \+(?P<first>\d+)(?:,(?P<count>\d+))? @@")
_MOST_FILES = 2000
_MOST_LINKS = 10
_LARGEST_SOURCE_BYTES = 10_000_000


async def changed_lines(ws: Workspace) -> dict[str, set[int]]:
    """File -> its lines that are new or changed since HEAD; of an untracked file, all."""
    lines: dict[str, set[int]] = defaultdict(set)
    path = ""
    for row in (await _git(ws, *_DIFF, await _base(ws), "--", ".")).splitlines():
        if found := _FILE.match(row):
            path = found["path"]
        elif hunk := _HUNK.match(row):
            first, count = int(hunk["first"]), int(hunk["count"] or 1)
            lines[path].update(range(first, first + count))
    for name in await _listed(ws, "--others", "--exclude-standard"):
        file = ws.root / name
        if file.is_file() and file.stat().st_size <= _LARGEST_SOURCE_BYTES:
            lines[name].update(range(1, file.read_bytes().count(b"\n") + 2))
    return dict(lines)


async def chosen_files(ws: Workspace, paths: list[str]) -> tuple[list[str], list[str]]:
    """The files that the paths stand for, without ignored ones; those changed since HEAD when there are none.

    Symbolic links that lead out of the workspace are apart, in the second list.
    """
    if paths:
        names = [name for path in paths for name in await _files_of(ws, path)]
        nothing = f"No file that git does not ignore is in {', '.join(paths)}; name others."
    else:
        names = await _listed_changes(ws)
        nothing = "No file has changed since the last commit; name the files or folders you mean."
    inside = [name for name in dict.fromkeys(names) if (ws.root / name).resolve().is_relative_to(ws.root)]
    outside = sorted({*names} - {*inside})
    if not inside:
        raise Mistake(f"{outside_note(outside)} {nothing}" if outside else nothing)
    if paths and len(inside) > _MOST_FILES:
        raise Mistake(
            f"That is {len(inside):,} files, at most {_MOST_FILES:,} are looked at; name a smaller folder."
        )
    return inside, outside


def outside_note(names: list[str]) -> str:
    """What to say of links that lead out of the workspace."""
    shown = capped([printable(name) for name in names], _MOST_LINKS, "more")
    return f"Left out, as they lead out of the workspace: {', '.join(shown)}."


async def _listed_changes(ws: Workspace) -> list[str]:
    output = await _git(
        ws, "diff", "--name-only", "-z", "--no-renames", "--relative", await _base(ws), "--", "."
    )
    names = [*filter(None, output.split("\0")), *await _listed(ws, "--others", "--exclude-standard")]
    return [name for name in names if (ws.root / name).is_file()]


async def _files_of(ws: Workspace, path: str) -> list[str]:
    real = ws.resolve(path)
    if not real.exists():
        raise Mistake(f"{path} does not exist; list_directory shows what does.")
    if real.is_file():
        return [ws.relative(real)]
    if not real.is_dir():
        kind = special_kind(real.stat().st_mode)
        raise Mistake(f"{path} is {kind}, neither a regular file nor a folder; name another.")
    outcome, output = await _run(
        ws, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ws.relative(real)
    )
    if outcome == 0:
        return [name for name in output.split("\0") if name and (ws.root / name).is_file()]
    return sorted(ws.relative(file) for file in real.rglob("*") if file.is_file() and not _hidden(ws, file))


def _hidden(ws: Workspace, file: Path) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in file.relative_to(ws.root).parts)


async def _base(ws: Workspace) -> str:
    """HEAD, or the empty tree before the first commit."""
    code, _ = await _run(ws, "rev-parse", "--verify", "--quiet", "HEAD")
    return "HEAD" if code == 0 else (await _git(ws, "hash-object", "-t", "tree", "/dev/null")).strip()


async def _listed(ws: Workspace, *options: str) -> list[str]:
    return [name for name in (await _git(ws, "ls-files", "-z", *options)).split("\0") if name]


async def _git(ws: Workspace, *arguments: str) -> str:
    code, output = await _run(ws, *arguments)
    if code != 0:
        raise Mistake(
            "The workspace is not a git repository, so nothing is known to have changed; name the paths."
        )
    return output


async def _run(ws: Workspace, *arguments: str) -> tuple[int | None, str]:
    outcome, output = await run_for_stdout(ws, [*INERT, *arguments], env=await inert_environment(ws))
    return outcome.exit_code, output
