"""Protected files that a command made although they were not there: they are put aside when it has ended.

What exists is read-only while a command runs; what does not exist cannot be made so. Where nothing can be made
read-only, what existed is put back.
"""

import contextlib
import errno
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from codeflow.core.places import private_folder
from codeflow.tools.sandbox.harmless import is_harmless
from codeflow.tools.sandbox.originals import CHANGE, LOOK, Copies, copy_plain, is_changed, open_way, put_back
from codeflow.tools.sandbox.protected import Protection
from codeflow.tools.sandbox.rebases import added
from codeflow.tools.sandbox.repositories import ask_git, first_link, nested_repositories
from codeflow.tools.sandbox.stashes import Stashes

_SHA1_DIGITS = 40
_MOST_SHOWN = 3
_FILE_OR_LINK = ("100", "120")
"""How git's modes of them begin."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What to tell of a command, and whether anything protected is left as it should not be."""

    told: Sequence[str]
    left: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks after a command at what was protected and not there before it."""

    before: Protection
    aside: Path
    """A folder that no command can reach."""
    git: str | None
    """The program."""
    heads: tuple[tuple[Path, int], ...] = ()
    """Repositories, with the size of what git wrote down there about where HEAD was."""
    copies: Copies = ()
    """Of what exists, where it is not read-only."""
    ends: tuple[str, ...] = ()
    """A program with arguments that ends the command, where it is no descendant of ours."""
    stashes: Stashes | None = None
    """Only the guard looks after them here: codeflow itself does by `stashes.end`."""

    def put_aside(self) -> Aftermath:
        """Moves protected paths that the command made or replaced out of the workspace, and puts back what was there.

        A link is moved itself, wherever it leads. Whoever made a file while the command ran, it is moved: nobody can
        tell. What fails with one path is told, and does not keep the others from being looked after.
        """
        if self.ends:
            subprocess.run(self.ends, capture_output=True, check=False)
        told, left = list[str](), False
        for path, step in self._steps():
            try:
                text = step()
            except OSError as error:
                left = True
                text = (
                    f"{path} is protected, was changed during the command and CANNOT BE PUT BACK ({error}): look at it "
                    "before git, an editor or a shell is used here"
                )
            told += [text] if text else []
        return Aftermath((*told, *self._behind()), left)

    def _steps(self) -> Iterator[tuple[Path, Callable[[], str]]]:
        """What to do, one after the other; what comes next is only known when one is done."""
        for made in self._made():
            yield made, partial(self._put_aside, made)
        for link, target in self.before.links:
            yield link, partial(self._link_again, link, target)
        for todo, commands in added(self.before.todos):
            yield todo, partial(self._put_list_aside, todo, commands)
        for root, path, copy in self.copies:
            yield path, partial(put_back, root, path, copy, self._move)
        # only now does git read a configuration that nobody but the user has written
        for made in self._new_repositories():
            yield made, partial(self._put_aside, made)

    def _made(self) -> Iterator[Path]:
        """Protected paths, or links on the way to one, that were not there before; each may go before the next is asked
        for.
        """
        links = {link for link, _ in self.before.links}
        for root, path in self.before.absent:
            open_way(root, path, LOOK)
            made = first_link(root, path) or path
            is_repository = path.name == ".git"
            if os.path.lexists(made) and made not in links and not (is_repository and is_harmless(made)):
                yield made

    def _link_again(self, link: Path, target: str) -> str:
        self._open(link, LOOK)
        if _leads_to(link, target):
            return ""
        self._open(link, CHANGE)
        where = self._move(link) if os.path.lexists(link) else "gone"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        return f"{link} is protected and was replaced during the command; that is now {where}"

    def _open(self, path: Path, rights: int) -> None:
        for root in (root for root in self._roots() if path.is_relative_to(root)):
            open_way(root, path, rights)

    def _roots(self) -> set[Path]:
        return {root for root, _ in self.before.absent}

    def touched(self) -> Iterator[Path]:
        """Protected paths that are not as they were."""
        yield from self._made()
        yield from (todo for todo, _ in added(self.before.todos))
        yield from (link for link, target in self.before.links if not _leads_to(link, target))
        yield from (path for root, path, copy in self.copies if is_changed(root, path, copy))

    def _new_repositories(self) -> Iterator[Path]:
        """Likewise of the repositories that git looks into."""
        for root in sorted(self._roots()):
            known = {inner for folder, inner in self.before.nested if folder == root}
            for inner in nested_repositories(root, self.git):
                made = first_link(root, inner) or inner
                if inner not in known and os.path.lexists(made) and not is_harmless(made):
                    yield made

    def _put_aside(self, made: Path) -> str:
        aside = self._move(made)
        return (
            f"{made} is protected and appeared during the command, so it was moved away; where git tracks it, a commit of "
            f"all changes would record its deletion. Whoever wants it can take it back outside the sandbox: "
            f"mv {shlex.quote(str(aside))} {shlex.quote(str(made))}"
        )

    def _put_list_aside(self, todo: Path, commands: Sequence[str]) -> str:
        aside = self._move(todo)
        shown = ", ".join(map(repr, commands[:_MOST_SHOWN]))
        return (
            f"{todo} was moved away: the next `git rebase --continue` outside the sandbox would run what the command wrote "
            f"there ({shown}). Whoever wants that can take it back: mv {shlex.quote(str(aside))} {shlex.quote(str(todo))}. "
            "Without it the rebase cannot go on, but `git rebase --abort` works; one with -x has to come to its end within a "
            "command, or go without -x and run its check after each `git rebase --continue`"
        )

    def _behind(self) -> Iterator[str]:
        """What git could not bring along when it moved HEAD, as it is read-only."""
        for root, size in self.heads:
            if self.git is None or _head_log(root) == size:
                continue
            paths = [str(path) for path in self.before.real if path.is_relative_to(root)]
            entries = ask_git(self.git, root, "ls-files", "--stage", "-z", "--", *paths) if paths else []
            if names := [entry.partition("\t")[2] for entry in entries if not _is_current(root, entry)]:
                yield (
                    f"{', '.join(names)} are protected, and not as in the commit that is checked out now: git could not "
                    "change them here. Leave them out of commits; the user can `git checkout` them"
                )

    def _move(self, path: Path) -> Path:
        """Where it is now: in a folder that is kept."""
        place = self.aside / uuid.uuid4().hex[:8]
        private_folder(place.parent)
        place.mkdir(mode=0o700)
        target = place / path.name
        self._open(path, CHANGE)
        _unlock(path)
        try:
            path.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy_plain(path, target)
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return target


def _leads_to(link: Path, target: str) -> bool:
    return link.is_symlink() and str(link.readlink()) == target


def _unlock(path: Path) -> None:
    """Folders that their owner cannot write cannot be moved, and files that he cannot read not copied."""
    folders = [path]
    while folders:
        folder = folders.pop()
        mode = folder.lstat().st_mode
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(mode):
                folder.chmod(0o700)
                folders += folder.iterdir()
            elif stat.S_ISREG(mode) and not mode & stat.S_IRUSR:
                folder.chmod(stat.S_IMODE(mode) | stat.S_IRUSR)


def _is_current(top: Path, entry: str) -> bool:
    """Whether a file, or a link, is what an entry of the index says; line ends apart. git itself would start filters."""
    facts, _, name = entry.partition("\t")
    mode, digest, _ = facts.split(" ")
    file = top / name
    if not mode.startswith(_FILE_OR_LINK):
        return True
    try:
        data = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
    except OSError:
        return False
    algorithm = hashlib.sha1 if len(digest) == _SHA1_DIGITS else hashlib.sha256
    texts = (data, data.replace(b"\r\n", b"\n"))
    return any(algorithm(b"blob %d\0" % len(text) + text).hexdigest() == digest for text in texts)


def head_positions(before: Protection) -> tuple[tuple[Path, int], ...]:
    """The `heads` of a watch that begins now."""
    return tuple((root, _head_log(root)) for root in {root for root, _ in before.absent})


def _head_log(root: Path) -> int:
    """Grows whenever HEAD moves; 0 where there is none, as in a worktree."""
    try:
        return (root / ".git/logs/HEAD").lstat().st_size
    except OSError:
        return 0
