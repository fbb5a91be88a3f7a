"""Which git folders run nothing when somebody uses git there: what `git init`, `clone`, `submodule add` make."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from codeflow.tools.sandbox.rebases import LISTS, executed
from codeflow.tools.sandbox.repositories import first_link, git_folder

_HARMLESS_KEYS = re.compile(
    r"core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks)"
    r"|core\.(autocrlf|eol|safecrlf|quotepath|abbrev)|pull\.(rebase|ff)|push\.(default|autosetupremote)"
    r"|init\.defaultbranch|user\.(name|email|signingkey|useconfigonly)|(remote|branch)\..+\.(url|fetch|remote|merge|pushurl)",
    re.IGNORECASE,
)
_DANGEROUS = ("info/attributes", "config.worktree", "objects/info/alternates")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LARGEST_BYTES = 1_000_000


def is_harmless(git: Path) -> bool:
    """Whether a git folder, or a file that names one, has no hook that runs and no setting that names a program.

    A file may only name a folder in the `modules` or `worktrees` of a repository that it lies in.
    """
    try:
        return _is_harmless(git)
    except OSError:  # what cannot be looked at is not known to be
        return False


def _is_harmless(git: Path) -> bool:
    if git.is_symlink():
        return False
    if not git.is_file():
        return _is_harmless_folder(git, _place_of(git))
    folder = git_folder(git.parent)
    if folder is None:
        return False
    for above in git.parents[1:]:
        outer = git_folder(above)
        if outer and any(folder.is_relative_to(outer / name) for name in ("modules", "worktrees")):
            return first_link(outer, folder) is None and _is_harmless_folder(folder, above)
    return False


def _is_harmless_folder(git: Path, place: Path | None) -> bool:
    """`place`: where the files of a submodule may be, whose git folder lies elsewhere."""
    hooks = git / "hooks"
    if hooks.is_symlink() or (
        hooks.is_dir() and any(not hook.name.endswith(".sample") for hook in hooks.iterdir())
    ):
        return False
    return (
        not any(os.path.lexists(git / name) for name in _DANGEROUS)
        and not any(executed(git, git / name) for name in LISTS)
        and _shares_its_own(git)
        and not any(path.is_symlink() for path in _own(git))
        and _is_plain(git / "config", worktree=place)
    )


def _shares_its_own(git: Path) -> bool:
    """Whether what it takes from another git folder, as a worktree does, is that of the repository which it lies in."""
    if not os.path.lexists(git / "commondir"):
        return not os.path.lexists(git / "gitdir")
    return git.parent.name == "worktrees" and _text(git / "commondir").rstrip("\r\n") == "../.."


def _own(git: Path) -> Iterator[Path]:
    """What links could stand for, so that git shows what is elsewhere."""
    for folder, folders, names in os.walk(git, onerror=_fail):
        yield from (Path(folder, name) for name in (*folders, *names))


def _fail(error: OSError) -> NoReturn:
    raise error


def _place_of(git: Path) -> Path | None:
    """Where the files of a submodule may be, whose git folder lies in that of its repository."""
    top = next((above for above in git.parents if above.name == ".git"), None)
    return top.parent if top else None


def _is_plain(config: Path, worktree: Path | None) -> bool:
    if not os.path.lexists(config):
        return True
    return all(
        _HARMLESS_KEYS.fullmatch(key)
        or (
            key.lower() == "core.worktree"
            and worktree is not None
            and _lies_in(config.parent, value, worktree)
        )
        for key, value in _settings(_text(config))
    )


def _lies_in(git: Path, path: str, folder: Path) -> bool:
    if re.search(r'["#;]', path):  # of which git takes a part only
        return False
    target = (git / path).resolve()
    return target != folder and target.is_relative_to(folder) and not target.is_relative_to(folder / ".git")


def _settings(config: str) -> Iterator[tuple[str, str]]:
    """Dotted names and values of what a git configuration sets; what is not plain has a name that nothing allows.

    Lines end where they do for git, at no other character, and blanks are but spaces and tabs.
    """
    section = "?"
    lines = config.replace("\r\n", "\n")
    if _CONTROL.search(lines):
        yield "?", ""
    for line in (line.strip(" \t") for line in lines.split("\n")):
        if not line or line[0] in "#;":
            continue
        if header := re.fullmatch(r'\[([\w.-]+)(?: "([^"\\]*)")?\]', line, re.ASCII):
            section = ".".join(filter(None, header.groups()))
        elif key := re.fullmatch(r"([A-Za-z][\w-]*)(?:[ \t]*=[ \t]*([^\\]*))?", line, re.ASCII):
            yield f"{section}.{key[1]}", key[2] or ""
        else:
            yield "?", ""


def _text(file: Path) -> str:
    """What a small plain file says; what nothing allows for anything else, such as a link or a FIFO."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "?"
    with os.fdopen(opened, encoding="utf-8", errors="replace", newline="") as stream:
        about = os.fstat(opened)
        return stream.read() if stat.S_ISREG(about.st_mode) and about.st_size <= _LARGEST_BYTES else "?"
