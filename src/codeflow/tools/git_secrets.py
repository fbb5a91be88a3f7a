"""Keeps credentials out of commits: what would be added is searched for them before git gets it."""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codeflow.core.redaction import Redactor
from codeflow.tools.git_runner import LITERAL, inert_environment, raw
from codeflow.tools.text import decode
from codeflow.tools.tool import Mistake, one_line
from codeflow.tools.workspace import Workspace

_ALLOWED = re.compile(r"pragma: ?allowlist secret|gitleaks:allow")
"""What users of detect-secrets and gitleaks write at the end of a line that only looks like a credential."""
_NEVER_ALLOWED = frozenset({"environment", "private-key"})
"""A value of this very process, and a key, are no matter of looks."""
_HUNK = re.compile(r"@@ -\S+ \+(\d+)")
_MOST_NAMED = 10
_REFUSED = "Nothing was committed: this would add credentials to the history, where they stay for good."
_ADVICE = (
    "Take them out, read them from the environment or from a file that git ignores, and commit again. If one has been "
    "pushed before, tell the user to revoke it. For what only looks like one, the user decides: "
    "`pragma: allowlist secret` in a comment on its line lets it pass."
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
    for added in await _added(ws, paths):
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


async def _added(ws: Workspace, paths: Sequence[str]) -> list[Added]:
    env = await inert_environment(ws)
    base = (await raw(ws, "rev-parse", "--quiet", "--verify", "HEAD", cwd=ws.root)).decode().strip()
    if not base:
        base = (await raw(ws, "hash-object", "-t", "tree", os.devnull, cwd=ws.root)).decode().strip()
    options = (
        "--unified=0",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "--src-prefix=a/",
    )
    patch = await raw(
        ws, LITERAL, "diff", *options, "--dst-prefix=b/", base, "--", *paths,
        cwd=ws.root, env=env,
    )  # fmt: skip
    new = await raw(
        ws, LITERAL, "ls-files", "--others", "--exclude-standard", "-z", "--", *paths, cwd=ws.root
    )
    names = [os.fsdecode(name) for name in new.split(b"\0") if name]
    return [*_hunks(patch.decode("utf-8", "replace")), *(_whole(ws, name) for name in names)]


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


def _whole(ws: Workspace, name: str) -> Added:
    file = ws.root / name
    text = decode(file.read_bytes()) if file.is_file() and not file.is_symlink() else None
    return Added(name, 1, text.lines if text else [])
