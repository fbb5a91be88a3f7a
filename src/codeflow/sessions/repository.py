"""Git for checkpoints: a store of codeflow's own is written, the project's repository is only read."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise, takewhile
from pathlib import Path

from codeflow.core import inert_git
from codeflow.core.errors import SessionError, remedy
from codeflow.core.places import private_folder
from codeflow.core.programs import program_outside
from codeflow.core.text import listed

_NO_GIT = "/git-is-not-installed"
REFS = "refs/codeflow"
"""Where a store keeps its checkpoints: REFS/SESSION/NUMBER."""

EXCLUDED = frozenset(
    {
        "node_modules", "bower_components", ".venv", "venv", ".tox", ".nox", ".eggs", ".direnv", "__pycache__",
        ".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".gradle", ".terraform",
        ".next", ".nuxt", ".parcel-cache", ".turbo", ".codeflow-cache",
    }
)  # fmt: skip
"""Folders that a package manager or a tool fills again: not saved where git ignores them, or where git is not used."""

LARGEST_FILE_BYTES = 100_000_000
"""A larger file is not saved, and that is said."""

_CONFIGURATION = {
    **inert_git.SETTINGS,
    "core.logAllRefUpdates": "false",
    "core.splitIndex": "false",
    "fetch.fsckObjects": "false",
    "core.untrackedCache": "false",
    # names such as git~1 are harmless here, and a checkpoint must hold them too
    "core.protectNTFS": "false",
    "core.protectHFS": "false",
}
_MOST_NAMES = 6
_FULL = b"No space left on device"
_OPTIONS = [part for name, value in _CONFIGURATION.items() for part in ("-c", f"{name}={value}")]
_FOREIGN = re.compile(
    r"GIT_(DIR|WORK_TREE|IMPLICIT_WORK_TREE|INDEX_FILE|PREFIX|COMMON_DIR|NAMESPACE|OBJECT_DIRECTORY|"
    r"ALTERNATE_OBJECT_DIRECTORIES|GRAFT_FILE|SHALLOW_FILE|REPLACE_REF_BASE)"
)
"""What a git hook that starts codeflow exports about its own repository."""


class Git:
    """Runs git on one repository, in one folder."""

    def __init__(
        self,
        folder: Path,
        git_dir: Path,
        work_tree: Path | None = None,
        index: Path | None = None,
        *,
        options: Sequence[str] = _OPTIONS,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`options` stand before each command; by default nothing runs that the repository's configuration names, as
        long as no file of the work tree is compared or written. `variables` join the environment.
        """
        self._folder = folder
        self._command = (program_outside("git", work_tree or folder) or _NO_GIT, *options)
        self._environment = {
            name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)
        } | {
            "GIT_DIR": str(git_dir),
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
        if work_tree is not None:
            self._environment["GIT_WORK_TREE"] = str(work_tree)
        if index is not None:
            self._environment["GIT_INDEX_FILE"] = str(index)
        self._environment |= variables or {}

    def run(self, *arguments: str, stdin: bytes = b"", accept: Container[int] = (0,)) -> bytes:
        """Standard output of a git command.

        Raises:
            SessionError: for an exit code outside `accept`, with git's complaint.
        """
        done = subprocess.run(
            [*self._command, *arguments],
            cwd=self._folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            check=False,
        )
        if done.returncode not in accept:
            reason = _reason(done.stderr) or f"exit code {done.returncode}"
            full = _FULL in done.stderr
            hint = f"Make room for {self._environment['GIT_DIR']}, then try again." if full else ""
            raise SessionError(f"git {arguments[0]} failed: {reason}", hint=hint)
        return done.stdout

    def text(self, *arguments: str, accept: Container[int] = (0,)) -> str:
        """What a git command prints, without the line break at its end."""
        return os.fsdecode(self.run(*arguments, accept=accept)).removesuffix("\n")

    def names(self, *arguments: str) -> list[str]:
        """The NUL-separated names that a git command prints; bytes outside UTF-8 become surrogates."""
        return [os.fsdecode(name) for name in self.run(*arguments).split(b"\0") if name]

    def contents(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """The bytes of each blob, one at a time from one git process.

        Raises:
            SessionError: for a blob that is missing or damaged.
        """
        command = [*self._command, "cat-file", "--batch"]
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise AssertionError("both are pipes")
            for blob in blobs:
                process.stdin.write(f"{blob}\n".encode())
                process.stdin.flush()
                facts = process.stdout.readline().split()
                content = process.stdout.read(int(facts[2]) + 1) if len(facts) == 3 else b""  # noqa: PLR2004 - id, type, size
                if not content.endswith(b"\n"):
                    raise SessionError(f"the checkpoint store has lost a saved file: {blob}")
                yield content[:-1]


def _reason(stderr: bytes) -> str:
    """The first line of git's complaint, with the files that it announces."""
    first, *more = stderr.decode(errors="replace").strip().splitlines() or [""]
    names = [line.strip() for line in takewhile(lambda line: line[:1].isspace(), more)]
    return f"{first} {listed(names, _MOST_NAMES)}" if first.endswith(":") and names else first


class Store(Git):
    """The checkpoints of one workspace: a bare repository in codeflow's state folder, readable by the user alone.

    Nothing is ever written into the project's `.git`: a secret that git ignores can be saved here without any
    chance of being pushed, and an agent that removes the repository does not remove the way back.
    """

    def __init__(self, workspace: Path, home: Path) -> None:
        self.workspace = workspace
        name = re.sub(r"[^\w.-]", "_", workspace.name, flags=re.ASCII)[:40]
        self.path = home / f"{name}-{sha256(os.fsencode(workspace)).hexdigest()[:12]}.git"
        super().__init__(workspace, self.path, workspace, self.path / "no-index")

    @property
    def exists(self) -> bool:
        return (self.path / "HEAD").exists()

    def create(self) -> None:
        """Makes the store unless it is there.

        Raises:
            SessionError: when it cannot be written.
        """
        if self.exists:
            return
        draft = self.path.with_name(f".{secrets.token_hex(8)}")
        try:
            private_folder(draft)
            Git(draft, draft).run("init", "--quiet", "--bare", "--template=", "--shared=0600")
            (draft / "info").mkdir(mode=0o700)
            exclude = "".join(f"{name}/\n" for name in sorted(EXCLUDED))
            for name, content in (
                ("info/exclude", exclude.encode()),
                ("workspace", os.fsencode(self.workspace)),
            ):
                (draft / name).touch(mode=0o600)
                (draft / name).write_bytes(content)
            draft.rename(self.path)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not self.exists:  # else another process was faster
                raise SessionError(
                    f"{self.path}: checkpoints cannot be written: {error.strerror}",
                    hint=f"{remedy(error)} Or set XDG_STATE_HOME to a folder that you can write.",
                ) from error

    def with_index(self, index: Path) -> Git:
        """The store with an index, which git needs for building trees."""
        return Git(self.workspace, self.path, self.workspace, index)


class Project:
    """What git knows of a workspace, which may be a subfolder of a repository, or in none."""

    def __init__(self, workspace: Path, store: Store) -> None:
        self._store = store
        self._top = top_of(workspace)
        self._git = Git(workspace, self._top / ".git", self._top) if self._top else None

    @property
    def git(self) -> Git | None:
        """The workspace's repository; None without one, and when it is damaged, foreign or gone meanwhile."""
        if self._git is None or self._top is None or not (self._top / ".git").exists():
            return None
        try:
            if self._git.run("check-ignore", ".", accept=(0, 1)):
                return None  # a folder that its repository ignores is none of its business
        except SessionError:
            return None
        return self._git

    def ignored(self) -> list[str]:
        """Untracked paths that git ignores; a folder has a final slash when everything in it is ignored.

        Without a repository, .gitignore files count all the same, and folders named in EXCLUDED.
        """
        git = self.git or self._store
        names = sorted(
            git.names("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
        )
        # git also lists a folder that only happens to hold nothing but ignored files, followed by these
        return [
            name
            for name, following in pairwise([*names, ""])
            if not (name.endswith("/") and following.startswith(name))
        ]


def outside(workspace: Path) -> Path | None:
    """The repository that a workspace is only a part of; what lies beside it is in no checkpoint."""
    try:
        top = top_of(workspace)
    except SessionError:
        return None
    return top if top not in (None, workspace) else None


def why_unavailable(workspace: Path) -> str | None:
    """Why a folder can have no checkpoints, for people; None when it can."""
    if workspace == Path(workspace.anchor):
        return f"{workspace} is the root of the file system"
    if program_outside("git", workspace) is None:
        return "git is not installed"
    try:
        if top_of(workspace) is not None:
            return None
    except SessionError as error:
        return str(error)
    if Path.home().resolve().is_relative_to(workspace):
        return f"{workspace} holds your home folder and is no git repository"
    return _too_large(workspace)


_MOST_FILES = 50_000
_MOST_BYTES = 2_000_000_000


def _too_large(workspace: Path) -> str | None:
    """Whether a folder without git is more than a project; stops looking as soon as that is clear."""
    files = size = 0
    for folder, folders, names in os.walk(workspace):
        folders[:] = [name for name in folders if name not in EXCLUDED]
        files += len(names)
        for name in names:
            try:
                bytes_ = os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - twice as fast
            except OSError:
                continue
            size += bytes_ if bytes_ <= LARGEST_FILE_BYTES else 0
        if files > _MOST_FILES:
            return f"{workspace} holds more than {_MOST_FILES:,} files and is no git repository"
        if size > _MOST_BYTES:
            return f"{workspace} holds more than {_MOST_BYTES // 10**9} GB and is no git repository"
    return None


def top_of(workspace: Path) -> Path | None:
    """The root of the repository's work tree.

    Raises:
        SessionError: in a bare repository.
    """
    for folder in (workspace, *workspace.parents):
        if (folder / ".git").exists():
            return folder
        if all((folder / name).exists() for name in ("HEAD", "objects", "refs")):
            raise SessionError(f"{folder} is a bare git repository, without a work tree")
    return None
