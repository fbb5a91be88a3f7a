"""What every agent would otherwise spend its first turns on: the facts of the workspace, and its instructions."""

import platform
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.places import cache_home
from codeflow.core.secret_files import holds_secrets
from codeflow.core.settings import ContextSettings
from codeflow.core.text import listed, printable
from codeflow.knowledge.instructions import read_instructions
from codeflow.knowledge.memory.notebook import Notebook
from codeflow.knowledge.memory.telling import Told, tell
from codeflow.knowledge.project import Files, GitState, Project
from codeflow.knowledge.versions import versions
from codeflow.syntax.repomap import repository_map

MAX_CHANGED_SHOWN = 20
MAX_COMMIT_CHARS = 100
_MOST_SECRET_NAMED = 5


@dataclass(frozen=True, slots=True)
class Briefing:
    """`instructions` belong to the system prompt, `facts` to the first message; both may be empty.

    `notices` are for people: instruction files that could not be used and why, and what is known from earlier runs.
    """

    instructions: str
    facts: str
    notices: tuple[str, ...]


def brief(
    workspace: Path,
    *,
    task: str,
    commands: Mapping[str, str],
    limits: ContextSettings,
    command_timeout_s: float,
    environment: Mapping[str, str],
    notebook: Notebook | None = None,
) -> Briefing:
    """Collects everything; the same workspace, task and notes give the same text, so that prompt caches hold.

    `commands` are the project's own by what they do (tests, lint, …); an empty one is reported as missing.
    `environment` is for the programs that are asked for their version; `notebook` None: nothing is remembered.
    """
    project = Project(workspace)
    files = project.files()
    instructions, refused = _instructions(project, limits.instructions_tokens)
    missing = [f"no command for {name} was found" for name, command in commands.items() if not command]
    secret = dict.fromkeys(path for path in files.paths if holds_secrets(path))
    readable = [path for path in files.paths if path not in secret]
    lacking = [*filter(None, [project.without_git]), *missing, *refused, *_unread([*secret])]
    told = tell(notebook, task, limits.memory_tokens) if notebook else Told("", ())
    found = versions(project.workspace, files.paths, environment)
    sections = [
        f"Working directory: {printable(str(project.workspace))}",
        f"System: {platform.system()} {platform.release()} {platform.machine()}, shell {_shell(environment)}",
        _section("Versions", [", ".join(f"{name} {version}" for name, version in found.items())]),
        _section("Git", _git_lines(project.git_state())),
        _section("Files", _tree(files, limits.tree_entries)),
        _section(
            "Commands", [f"{name}: {printable(command)}" for name, command in commands.items() if command]
        ),
        f"A command may take {command_timeout_s:g} s.",
        _section("Not available", lacking),
        _section(
            "Definitions that matter most for the task, by file and line",
            _map(project.workspace, readable, task, limits.map_tokens, environment),
        ),
        told.text,
    ]
    return Briefing(instructions, "\n".join(filter(None, sections)), (*refused, *told.notices))


def _map(
    workspace: Path, paths: Sequence[str], task: str, tokens: int, environment: Mapping[str, str]
) -> Sequence[str]:
    cache = cache_home(environment)
    return repository_map(workspace, paths, task=task, tokens=tokens, cache=cache).splitlines()


def _unread(secret: Sequence[str]) -> list[str]:
    if not secret:
        return []
    return [
        f"may hold credentials and are not shown: {listed([*map(printable, secret)], _MOST_SECRET_NAMED)}"
    ]


def _shell(environment: Mapping[str, str]) -> str:
    """What runs the command lines of the agents."""
    return "bash" if shutil.which("bash", path=environment.get("PATH")) else "sh"


def _instructions(project: Project, tokens: int) -> tuple[str, list[str]]:
    """The instruction files of the repository and of the workspace, and why some are refused."""
    top = project.top or project.workspace
    folders = dict.fromkeys((top, project.workspace))
    found = [read_instructions(folder, within=top, tokens=tokens) for folder in folders]
    read = [part for part in found if part is not None]
    return "\n\n".join(part.text for part in read if part.text), [
        part.refused for part in read if part.refused
    ]


def _section(title: str, lines: Iterable[str]) -> str:
    shown = [line for line in lines if line]
    if not shown:
        return ""
    return (
        f"{title}: {shown[0]}"
        if len(shown) == 1
        else "\n".join([f"{title}:", *(f"  {line}" for line in shown)])
    )


def _git_lines(state: GitState | None) -> list[str]:
    if state is None:
        return []
    changed = [printable(line) for line in state.changed[:MAX_CHANGED_SHOWN]]
    more = len(state.changed) - len(changed)
    return [
        f"branch {printable(state.branch)}, changed files: {len(state.changed)}",
        *changed,
        *([f"… {more} more"] if more > 0 else []),
        *(f"commit {printable(line)[:MAX_COMMIT_CHARS]}" for line in state.commits),
    ]


def _tree(files: Files, room: int) -> list[str]:
    """The top of the tree, as deep as fits into `room` lines; a folder that is not opened counts its files."""
    if not files.paths or not room:
        return []
    deepest = max(path.count("/") for path in files.paths) + 1
    levels = (_level(files.paths, depth) for depth in range(1, deepest + 1))
    lines = next(levels)
    for deeper in levels:
        if len(deeper) > room:
            break
        lines = deeper
    shown = lines[:room]
    left_out = len(lines) - len(shown)
    unlisted = "" if files.complete else " or more"
    return [
        f"{len(files.paths)}{unlisted} in all",
        *shown,
        *([f"… {left_out} more entries"] if left_out else []),
    ]


def _level(paths: Sequence[str], depth: int) -> list[str]:
    """Files up to a depth, and the folders that begin below it with the number of files they hold."""
    parts = (path.split("/") for path in paths)
    entries = Counter((*part[:depth],) if len(part) <= depth else (*part[:depth], "") for part in parts)
    return [
        f"{printable('/'.join(entry))}{f' ({count} files)' if entry[-1] == '' else ''}"
        for entry, count in sorted(entries.items())
    ]
