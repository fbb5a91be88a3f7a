"""Keeps credentials out of commits: what would be added is searched for them before git gets it."""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from codeflow.core.redaction import Redactor
from codeflow.tools.git_operations import Operation, under_way
from codeflow.tools.git_runner import change_quietly, must, raw
from codeflow.tools.tool import Mistake, one_line
from codeflow.tools.workspace import Workspace

_ALLOWED = re.compile(r"pragma: ?allowlist secret|gitleaks:allow")
"""What users of detect-secrets and gitleaks write at the end of a line that only looks like a credential."""
_NEVER_ALLOWED = frozenset({"environment", "private-key"})
"""A value of this very process, and a key, are no matter of looks."""
_HUNK = re.compile(r"@@ -\S+ \+(\d+)")
_MOST_NAMED = 10
_MOST_BYTES = 20_000_000
_PATCH = (
    *(
        "-c",
        "core.quotePath=false",
        "diff-index",
        "--cached",
        "--patch",
        "--text",
        "--unified=0",
        "--no-color",
    ),
    *(
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "--ignore-submodules",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    ),
)
"""Every changed file as text, whatever its attributes and the repository's settings say."""
_REFUSED = "Nothing was committed: this would add credentials to the history, where they stay for good."
_ADVICE = (
    "Take them out, read them from the environment or from a file that git ignores, and commit again. If one has been "
    "pushed before, tell the user to revoke it. For what only looks like one, the user decides: "
    "`pragma: allowlist secret` in a comment on its line lets it pass."
)
_OF_FILES = (
    "put it into .gitignore, and what it needs into a template such as .env.example. For a file without credentials the "
    "user decides: tools.readable_secrets in their own settings lets it pass"
)


@dataclass(frozen=True, slots=True)
class Added:
    """Lines that a commit would add to a file, one after the other, the first one numbered `first`."""

    path: str
    first: int
    lines: Sequence[str]


async def refuse_secrets(ws: Workspace, message: str, paths: Sequence[str]) -> None:
    """A Mistake when the message or the added lines of the files hold a credential; it names place and kind only."""
    places = [
        f"the message: {found.kind}"
        for found in await asyncio.to_thread(ws.redactor.find, message)
        if not _ALLOWED.search(message) or found.kind in _NEVER_ALLOWED
    ]
    lines, files = await _added(ws, paths)
    for name, content in files.items():
        places += [f"the name of a new file: {found.kind}" for found in ws.redactor.find(name)]
        if kind := ws.secret(name, content):
            places.append(f"{one_line(name)}: {kind}; {_OF_FILES}")
    for added in lines:
        places += await asyncio.to_thread(_places, added, ws.redactor)
    if places:
        more = [f"and {len(places) - _MOST_NAMED} more"] if len(places) > _MOST_NAMED else []
        raise Mistake("\n".join([_REFUSED, *places[:_MOST_NAMED], *more, _ADVICE]))


def _places(added: Added, redactor: Redactor) -> Iterator[str]:
    text = "\n".join(added.lines)
    for found in redactor.find(text):
        line = text.count("\n", 0, found.start)
        if found.kind in _NEVER_ALLOWED or not _ALLOWED.search(added.lines[line]):
            yield f"{one_line(added.path)}:{added.first + line}: {found.kind}"


async def _added(ws: Workspace, paths: Sequence[str]) -> tuple[list[Added], dict[str, bytes]]:
    """What the index would hold that HEAD does not, were the paths added: the very blobs that git would commit. Lines,
    and the new files in the workspace, with the content of those that may be there to hold credentials.

    Attributes that call a file binary do not count, and what filters make of a file is what is searched. Both the
    index and the objects are copies, so that nothing is left of a commit that is refused.
    """
    base = (
        await _tree(ws, "HEAD") or (await must(ws, "hash-object", "-t", "tree", os.devnull)).decode().strip()
    )
    objects = (await must(ws, "rev-parse", "--path-format=absolute", "--git-path", "objects")).decode()
    with TemporaryDirectory(dir=ws.runs.folder()) as folder:
        env = ws.reading_env | _copies(Path(folder), objects.removesuffix("\n"))
        operation = await under_way(ws)
        if operation and operation.source:
            await _copy_index(ws, Path(folder, "index"))
        else:
            await change_quietly(ws, "read-tree", base, env=env)
        if there := await asyncio.to_thread(_that_exist, ws.root, paths):
            await change_quietly(ws, "add", "--", *there, env=env)
        looking = ws.looking_at(Path(folder))
        parents = [base, *await _brought_in(ws, operation)]
        patches = [
            await must(ws, *_PATCH, one, "--", env=env, most_bytes=_MOST_BYTES, confine=looking)
            for one in parents
        ]
        files = await _new_files(ws, Path(folder), parents, env)
    ours, *theirs = [list(_hunks(patch.decode("utf-8", "replace"))) for patch in patches]
    return list(_new_to_all(ours, theirs)) if theirs else ours, files


async def _new_files(
    ws: Workspace, copies: Path, parents: Sequence[str], env: Mapping[str, str]
) -> dict[str, bytes]:
    """The files that no parent has, by their names in the workspace."""
    looking = ws.looking_at(copies)
    asked = ("diff-index", "--cached", "--name-only", "--diff-filter=A", "--no-renames", "--relative", "-z")
    answers = [await must(ws, *asked, parent, "--", env=env, confine=looking) for parent in parents]
    names = [set(os.fsdecode(answer).split("\0")) - {""} for answer in answers]
    return {
        name: await must(ws, "cat-file", "-p", f":./{name}", env=env, confine=looking)
        if ws.secret(name)
        else b""
        for name in sorted(set.intersection(*names))
    }


def _new_to_all(ours: Sequence[Added], theirs: Sequence[Sequence[Added]]) -> Iterator[Added]:
    """The lines that no parent of a merge has: what was merged or picked is in the history already."""
    others = [
        {(added.path, added.first + at) for added in other for at in range(len(added.lines))}
        for other in theirs
    ]
    for added in ours:
        fresh = list[str]()
        for number, line in enumerate(added.lines, added.first):
            if all((added.path, number) in other for other in others):
                fresh.append(line)
            elif fresh:
                yield Added(added.path, number - len(fresh), fresh)
                fresh = []
        if fresh:
            yield Added(added.path, added.first + len(added.lines) - len(fresh), fresh)


async def _tree(ws: Workspace, name: str) -> str:
    """The id of a commit; "" where there is none of the name."""
    return (await raw(ws, "rev-parse", "--quiet", "--verify", name, cwd=ws.root)).decode().strip()


async def _copy_index(ws: Workspace, copy: Path) -> None:
    """The index of a merge, rebase or cherry-pick that is to be concluded goes into the commit as a whole."""
    index = (await must(ws, "rev-parse", "--path-format=absolute", "--git-path", "index")).decode()
    # a link stays one, and leads nowhere in the sandbox
    await asyncio.to_thread(shutil.copyfile, index.removesuffix("\n"), copy, follow_symlinks=False)


async def _brought_in(ws: Workspace, operation: Operation | None) -> list[str]:
    """The id of the commit that is merged or picked, where there is one."""
    commit = await _tree(ws, operation.source) if operation and operation.source else ""
    return [commit] if commit else []


def _copies(folder: Path, objects: str) -> dict[str, str]:
    """Variables that make git write index and objects into a folder, and read the repository's own objects as well."""
    (folder / "objects").mkdir()
    return {
        "GIT_INDEX_FILE": str(folder / "index"),
        "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(objects),
    }


def _that_exist(root: Path, paths: Sequence[str]) -> list[str]:
    return [path for path in paths if os.path.lexists(root / path)]


def _quoted(path: str) -> str:
    """As git reads a list of paths, in which a colon separates."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _hunks(patch: str) -> Iterator[Added]:
    """The added lines of a patch without context, hunk by hunk."""
    path, first, lines = "", 0, list[str]()
    for line in patch.split("\n"):
        if line.startswith("+") and first:
            lines.append(line[1:])
            continue
        if lines and not line.startswith("\\"):
            yield Added(path, first, lines)
            lines = []
        if line.startswith("diff --git "):
            first = 0
        elif line.startswith("+++ "):
            path = line[4:].rstrip("\t").strip('"').removeprefix("b/")
        elif hunk := _HUNK.match(line):
            first = int(hunk[1])
    if lines:
        yield Added(path, first, lines)
