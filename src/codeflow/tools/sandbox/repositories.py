"""What git looks into when somebody uses it in a folder: other repositories, and what its configuration names."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from codeflow.core import inert_git
from codeflow.core.programs import NO_NETWORK_GIT

_INCLUDED = re.compile(r"include(if\..*)?\.path", re.DOTALL)
_PROGRAM = re.compile(
    r"filter\..*\.(clean|smudge|process)|diff\..*\.(command|textconv)|merge\..*\.driver|diff\.external"
    r"|core\.(fsmonitor|sshcommand|askpass|editor|pager)|sequence\.editor|credential\.(.*\.)?helper|gpg\.(.*\.)?program"
    r"|pager\..*|interactive\.difffilter|(mergetool|difftool|guitool|browser|man|tar|trailer|hook)\..*\.(cmd|command|path)"
    r"|core\.(gitproxy|alternaterefscommand)|gpg\.ssh\.defaultkeycommand|uploadpack\.packobjectshook"
    r"|remote\..*\.(uploadpack|receivepack)|sendemail\.(.*\.)?(\w*cmd|smtpserver)",
    re.DOTALL,
)
_SHELL_LINE = re.compile(r"alias\..*|submodule\..*\.update", re.DOTALL)
"""Settings whose value is a command line when it begins with an exclamation mark."""
_GITLINK = re.compile(rb"\x00160000 [^\t]*\t([^\0]*)")
"""A repository among what git lists of an index."""
_VARIABLE = re.compile(r"\$\w+|\$\{\w+\}")
_SEPARATORS = re.compile(r"[\s\"'`$(){}\[\];|&<>=,:!*?\\]+")
_CHANGED_FOLDER = re.compile(r"\b(?:cd|pushd)\s+[\"']?([^\s\"'`$;|&]+)")
_COMPUTED = re.compile(r"[$`*?]|\b(?:cd|pushd|find|xargs)\b")


def nested_repositories(root: Path, git: str | None) -> Iterator[Path]:
    """The git folders, or files that name one, in a folder that git looks into when it is used in a repository that the
    folder is in, also as a part of it: those of submodules and worktrees, of nested repositories that are in its index,
    and of those that are in theirs. `git` is the program; None: there is none.

    Whoever takes one away before asking for the next is not given what is in it.
    """
    for top in (root, *root.parents):
        if os.path.lexists(top / ".git"):
            yield from _nested_in(top, root, git)


def _nested_in(top: Path, root: Path, git: str | None) -> Iterator[Path]:
    folder = git_folder(top)
    if folder is None:
        return
    if folder == top / ".git":
        yield from (inner for inner in inner_folders(folder) if inner.is_relative_to(root))
    if root.is_relative_to(folder):  # no file of the index is there
        return
    for path in _in_index(top, root, git):
        yield top / path / ".git"
        if first_link(top, top / path) is None:
            yield from _nested_in(top / path, top / path, git)


def top_of(folder: Path) -> Path | None:
    """The nearest folder from this one upwards that git takes for a repository's, also by a link."""
    return next((top for top in (folder, *folder.parents) if os.path.lexists(top / ".git")), None)


def git_folder(top: Path) -> Path | None:
    """The git folder of a work tree, which a file there may name; None where there is none, or only by a link."""
    own = top / ".git"
    if own.is_symlink():
        return None
    if own.is_dir():
        return own
    try:
        named = os.fsdecode(own.read_bytes()) if own.is_file() else ""
    except OSError:
        return None
    place = named.removeprefix("gitdir: ").rstrip("\r\n")  # git takes every other character for a part of it
    if place == named or "\0" in place:
        return None
    folder, real = Path(os.path.normpath(top / place)), Path(os.path.realpath(top / place))
    if real != folder.resolve():  # a link on the way, and up from where it leads
        folder = real
    return folder if folder.is_dir() else None


def inner_folders(git: Path) -> Iterator[Path]:
    """The git folders in another one: of submodules and worktrees."""
    for inner in ("modules", "worktrees"):
        for folder, _, files in os.walk(git / inner) if first_link(git, git / inner) is None else ():
            if "HEAD" in files:
                yield Path(folder)


def first_link(root: Path, path: Path) -> Path | None:
    """The first link on the way from a folder to a path in it, the path itself included."""
    place = root
    for part in path.relative_to(root).parts:
        place /= part
        if place.is_symlink():
            return place
    return None


def named_by_configuration(top: Path, git: str) -> Iterator[Path]:
    """What the configuration that counts in a repository obeys or starts: the files that it includes, the folder of its
    hooks, and the files that its programs are or are given. Outside of the folder too, and not all have to exist.
    """
    answer = iter(ask_git(git, top, "config", "--includes", "--list", "--show-origin", "-z"))
    lines = set[str]()
    for origin, setting in zip(answer, answer, strict=False):
        key, _, value = setting.partition("\n")
        file = top / origin.partition(":")[2]
        if _INCLUDED.fullmatch(key):
            yield _path(file.parent, value)
        elif key == "core.hookspath" and value:
            yield _path(top, value)
        elif _PROGRAM.fullmatch(key):
            lines.add(value)
        elif _SHELL_LINE.fullmatch(key) and value.startswith("!"):
            lines.add(value[1:])
    yield from _scripts(top, lines, git)


def _path(folder: Path, name: str) -> Path:
    """As git reads a path of its configuration."""
    return Path(os.path.normpath(folder / os.path.expanduser(name)))  # noqa: PTH111 - leaves an unknown ~name alone


def _words(command: str) -> set[str]:
    """What may name a file in a command line: the shell's words, and the parts of what it would have another one read."""
    parts = {*_SEPARATORS.split(_VARIABLE.sub(" ", command))}
    try:
        parts |= {*shlex.split(command)}
    except ValueError:
        parts |= {*command.split()}
    return {part for part in parts if part and "\0" not in part}


def _scripts(top: Path, lines: Iterable[str], git: str) -> Iterator[Path]:
    """The files that command lines of the configuration may start, which a shell reads in the repository's folder. One
    that changes folders, or computes names, may mean every file whose path ends with a word of it.
    """
    ends = set[str]()
    for line in lines:
        words = {word for word in _words(line) if "%" not in word and (os.sep in word or "." in word)}
        folders = [top, *(_path(top, name) for name in _CHANGED_FOLDER.findall(line))]
        yield from (_path(folder, word) for folder in folders for word in words)
        plain = {_path(folder, word) for folder in folders for word in _words(line)}
        yield from (path for path in plain if path.is_file())
        if _COMPUTED.search(line):
            ends |= {
                "/".join(parts[at:])
                for parts in (word.split("/") for word in words)
                for at in range(len(parts))
            }
    ends = {end for end in ends if end.rpartition("/")[2] not in {"", ".", ".."}}
    yield from (top / end for end in ends if (top / end).is_file())
    yield from (top / name for name in _tracked(git, top, ends))


def _tracked(git: str, top: Path, ends: set[str]) -> Iterator[str]:
    """The files in the index whose path ends with one of those."""
    last = {end.rpartition("/")[2] for end in ends}
    tracked = ask_git(git, top, "ls-files", "-z") if ends else ()
    names = (name for name in tracked if name.rpartition("/")[2] in last)
    yield from (name for name in names if any(f"/{name}".endswith(f"/{end}") for end in ends))


def _in_index(top: Path, root: Path, git: str | None) -> Iterator[str]:
    """The repositories in the index that are below a folder.

    Nothing is remembered between commands: whatever tells that an index is the same, a command can make it tell.
    """
    below = [str(root.relative_to(top))] if root != top else []
    asked = ("--literal-pathspecs", "ls-files", "--stage", "-z", "--", *below)
    names = map(os.fsdecode, _GITLINK.findall(b"\0" + _answer(git, top, asked)) if git else ())
    yield from (name for name in names if top / name != root)


def ask_git(git: str, top: Path, *question: str) -> list[str]:
    """The NUL-separated names that git answers with, outside the sandbox; for questions about the index and the
    configuration, which start nothing.
    """
    return [os.fsdecode(name) for name in _answer(git, top, question).split(b"\0") if name]


def _answer(git: str, top: Path, question: Sequence[str]) -> bytes:
    env = os.environ | inert_git.variables({}, top) | NO_NETWORK_GIT | {"GIT_OPTIONAL_LOCKS": "0"}
    asked = [git, "-C", str(top), *inert_git.OPTIONS, *question]
    return subprocess.run(asked, capture_output=True, check=False, env=env).stdout
