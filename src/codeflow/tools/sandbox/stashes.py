"""The user's stashes: what a command takes of them is put back into the list when it has ended.

`git stash` makes no entry where nothing has changed, so that the `git stash pop` after it takes one of the user's. A
worktree shares the list with the repository that it was made from.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from codeflow.core import inert_git
from codeflow.core.programs import NO_NETWORK_GIT, program_outside
from codeflow.core.text import listed, printable
from codeflow.tools.left import left_text
from codeflow.tools.sandbox.repositories import git_folder, top_of

Entry = tuple[str, str]
"""A commit, and what the list says of it."""

_LINE = re.compile(r"[0-9a-f]+ ([0-9a-f]{40,64}) [^\t]*\t(.*)")
_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Stashes:
    """The user's entries before a command, newest first."""

    root: Path
    git_folder: Path
    """That all worktrees share."""
    entries: tuple[Entry, ...]

    def put_back(self) -> str:
        """Puts what is missing back in its place; what to tell of it, or nothing."""
        now = _entries(self.root, self.git_folder)
        there = {commit for commit, _ in now}
        gone = [number for number, (commit, _) in enumerate(self.entries) if commit not in there]
        if not gone:
            return ""
        names = listed(
            [f"stash@{{{number}}}: {printable(self.entries[number][1])}" for number in gone], _MOST_NAMES
        )
        old = {commit for commit, _ in self.entries}
        wanted = [*(entry for entry in now if entry[0] not in old), *self.entries]
        if problem := self._relist(now, wanted):
            again = ", ".join(f"`git stash store {self.entries[number][0]}`" for number in gone)
            return (
                f"the command took from the user's stashes ({names}), and they CANNOT BE PUT BACK ({problem}): {again} does "
                "it, as long as git has not tidied up"
            )
        return (
            f"the command took from the user's stashes ({names}): that is in `git stash list` again; where it was popped, "
            "its changes are in the files as well. `git stash` makes no entry where nothing has changed, and a pop then "
            "takes one of the user's"
        )

    def _relist(self, now: Sequence[Entry], wanted: Sequence[Entry]) -> str:
        """Makes the list as it is wanted, of which every entry above the first difference is written anew before the
        old ones are dropped; returns git's complaint.
        """
        same = 0
        while same < min(len(now), len(wanted)) and now[-1 - same][0] == wanted[-1 - same][0]:
            same += 1
        anew = wanted[: len(wanted) - same]
        for commit, message in reversed(anew):
            if problem := self._git("stash", "store", f"--message={message}", commit):
                return problem
        twice = [commit for commit, _ in now[: len(now) - same]]
        listed_now = [commit for commit, _ in _entries(self.root, self.git_folder)]
        if listed_now[: len(anew) + len(twice)] == [*(commit for commit, _ in anew), *twice]:
            for _ in twice:
                self._git("stash", "drop", "--quiet", f"stash@{{{len(anew)}}}")
        return ""

    def _git(self, *arguments: str) -> str:
        done = _run(self.root, self.git_folder, *arguments)
        complaint = os.fsdecode(done.stderr).strip().partition("\n")[0]
        return (complaint or f"exit code {done.returncode}") if done.returncode else ""


@dataclass(slots=True)
class _Ledger:
    """Of one repository, as long as this process lives."""

    entries: tuple[Entry, ...] = ()
    made: set[str] = field(default_factory=set)
    """Commits that commands have put into the list, and may take out again."""
    running: int = 0


_ledgers: dict[Path, _Ledger] = {}
"""Shared by all that work at a time: whose command made an entry while another one ran, nobody can tell."""
_lock = Lock()


def begin(root: Path) -> Stashes | None:
    """The user's stashes before a command in a folder; None outside a repository. `end` has to be called with them."""
    folder = _shared_folder(root)
    if folder is None:
        return None
    with _lock:
        ledger = _ledgers.setdefault(folder, _Ledger())
        if not ledger.running:
            ledger.entries = tuple(entry for entry in _entries(root, folder) if entry[0] not in ledger.made)
        ledger.running += 1
        return Stashes(root, folder, ledger.entries)


def end(before: Stashes | None) -> tuple[str, ...]:
    """The command has ended: puts back what it took, and returns what to tell of it."""
    if before is None:
        return ()
    with _lock:
        told = before.put_back()
        ledger = _ledgers[before.git_folder]
        ledger.running -= 1
        theirs = {commit for commit, _ in before.entries}
        ledger.made |= {commit for commit, _ in _entries(before.root, before.git_folder)} - theirs
        return (told,) if told else ()


def _shared_folder(root: Path) -> Path | None:
    """The git folder that holds the stash of the repository which a folder is in."""
    top = top_of(root)
    folder = git_folder(top) if top else None
    if folder is None:
        return None
    shared = left_text(folder, "commondir")
    return Path(os.path.realpath(folder / shared.rstrip("\r\n"))) if shared else folder


def _entries(root: Path, folder: Path) -> list[Entry]:
    """Newest first; from the file that git writes them to, as long as it does."""
    if (folder / "reftable").is_dir():
        text = os.fsdecode(_run(root, folder, "stash", "list", "--format=0 %H \t%gs").stdout)
        return [(found[1], found[2]) for found in map(_LINE.fullmatch, text.splitlines()) if found]
    lines = (left_text(folder, "logs/refs/stash") or "").split("\n")
    return [(found[1], found[2]) for found in map(_LINE.fullmatch, reversed(lines)) if found]


def _run(root: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = [
        program_outside("git", root) or "/git-is-not-installed",
        f"--git-dir={folder}",
        *inert_git.OPTIONS,
    ]
    settings: Mapping[str, str] = inert_git.variables({}, root, env) | NO_NETWORK_GIT | {"LC_ALL": "C"}
    try:
        return subprocess.run(
            [*command, *arguments], cwd=folder, env={**env, **settings}, capture_output=True, check=False
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, b"", os.fsencode(str(error)))
