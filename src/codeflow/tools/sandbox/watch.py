"""Protected files that a command made although they were not there: they are put aside when it has ended.

What exists is read-only while a command runs; what does not exist cannot be made so. Where nothing can be made
read-only, what existed is put back.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.places import private_folder
from codeflow.tools.sandbox.harmless import is_harmless
from codeflow.tools.sandbox.originals import Copies, is_changed, put_back
from codeflow.tools.sandbox.protected import Protection, ask_git, first_link, nested_repositories


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

    def put_aside(self) -> Sequence[str]:
        """What to tell of protected paths that the command made or replaced; they are moved out of the workspace.

        A link is moved itself, wherever it leads. Whoever made a file while the command ran, it is moved: nobody can
        tell.
        """
        if self.ends:
            subprocess.run(self.ends, capture_output=True, check=False)
        told = [self._put_aside(made) for made in self._made()]
        for link, target in self.before.links:
            if not link.is_symlink() or str(link.readlink()) != target:
                where = self._move(link) if os.path.lexists(link) else "gone"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(target)
                told.append(f"{link} is protected and was replaced during the command; that is now {where}")
        told += put_back(self.copies, self._move)
        # only now does git read a configuration that nobody but the user has written
        told += [self._put_aside(made) for made in self._new_repositories()]
        return [*told, *self._behind()]

    def _made(self) -> Iterator[Path]:
        """Protected paths, or links on the way to one, that were not there before; each may go before the next is asked
        for.
        """
        links = {link for link, _ in self.before.links}
        for root, path in self.before.absent:
            made = first_link(root, path) or path
            is_repository = path.name == ".git"
            if os.path.lexists(made) and made not in links and not (is_repository and is_harmless(made)):
                yield made

    def touched(self) -> Iterator[Path]:
        """Protected paths that are not as they were."""
        yield from self._made()
        yield from (path for root, path, copy in self.copies if is_changed(root, path, copy))

    def _new_repositories(self) -> Iterator[Path]:
        """Likewise of the repositories that git looks into."""
        for root in {root for root, _ in self.before.absent}:
            now = {(root, inner) for inner in nested_repositories(root, self.git)}
            for _, inner in sorted(now.difference(self.before.nested)):
                made = first_link(root, inner) or inner
                if os.path.lexists(made) and not is_harmless(made):
                    yield made

    def _put_aside(self, made: Path) -> str:
        try:
            aside = self._move(made)
        except OSError as error:
            return (
                f"{made} is protected, appeared during the command and CANNOT BE MOVED AWAY ({error}): look at it before "
                "git, an editor or a shell is used here"
            )
        return (
            f"{made} is protected and appeared during the command, so it was moved away; where git tracks it, a commit of "
            f"all changes would record its deletion. Whoever wants it can take it back outside the sandbox: "
            f"mv {shlex.quote(str(aside))} {shlex.quote(str(made))}"
        )

    def _behind(self) -> Iterator[str]:
        """What git could not bring along when it moved HEAD, as it is read-only."""
        for root, size in self.heads:
            if self.git is None or _head_log(root) == size:
                continue
            paths = [str(path) for path in self.before.real if path.is_relative_to(root)]
            if names := ask_git(self.git, root, "diff", "--name-only", "-z", "--no-ext-diff", "--", *paths):
                yield (
                    f"{', '.join(names)} are protected, and not as in the commit that is checked out now: git could not "
                    "change them here. Leave them out of commits; the user can `git checkout` them"
                )

    def _move(self, path: Path) -> Path:
        """Where it is now: in a folder that is kept, or beside under another name where it cannot leave its own."""
        place = self.aside / uuid.uuid4().hex[:8]
        private_folder(place.parent)
        place.mkdir(mode=0o700)
        target = place / path.name
        _unlock(path)
        try:
            path.rename(target)
        except OSError:
            try:
                shutil.move(path, target)
            except OSError:  # such as a FIFO on its way to another file system; shutil's errors are OSErrors
                target = path.with_name(f"codeflow-put-aside-{place.name}")
                path.rename(target)
        return target


def _unlock(path: Path) -> None:
    """Folders that their owner cannot write cannot be moved either."""
    folders = [path]
    while folders:
        folder = folders.pop()
        if folder.is_dir() and not folder.is_symlink():
            with contextlib.suppress(OSError):
                folder.chmod(0o700)
                folders += folder.iterdir()


def head_positions(before: Protection) -> tuple[tuple[Path, int], ...]:
    """The `heads` of a watch that begins now."""
    return tuple((root, _head_log(root)) for root in {root for root, _ in before.absent})


def _head_log(root: Path) -> int:
    """Grows whenever HEAD moves; 0 where there is none, as in a worktree."""
    try:
        return (root / ".git/logs/HEAD").lstat().st_size
    except OSError:
        return 0
