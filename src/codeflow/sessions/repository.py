"""Git for checkpoints: no program that a repository configures is run, HEAD and index are never written."""

import os
import shutil
import tempfile
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from codeflow.core.errors import SessionError

_CONFIGURATION = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.logAllRefUpdates": "false",
    "core.splitIndex": "false",
    "core.untrackedCache": "false",
    # names such as git~1 are harmless here, and a checkpoint must hold them too
    "core.protectNTFS": "false",
    "core.protectHFS": "false",
}
_OPTIONS = [part for name, value in _CONFIGURATION.items() for part in ("-c", f"{name}={value}")]


class Repository:
    """Runs git in a workspace, which may be a subfolder of the repository's work tree."""

    def __init__(self, workspace: Path) -> None:
        """Finds the repository.

        Raises:
            SessionError: saying, for people, why this folder can have no checkpoints.
        """
        self.workspace = workspace.resolve()
        if shutil.which("git") is None:
            raise SessionError("git is not installed")
        top = _top(self.workspace)
        self.folder = self.workspace.relative_to(top).as_posix()
        self._environment = {
            "GIT_DIR": str(top / ".git"),
            "GIT_WORK_TREE": str(top),
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }
        git_dir = os.fsdecode(self.run("rev-parse", "--absolute-git-dir")).removesuffix("\n")
        # a git hook that starts codeflow exports an index of its own
        self._environment["GIT_INDEX_FILE"] = str(Path(git_dir) / "index")
        if self.run("check-ignore", ".", accept=(0, 1)):
            raise SessionError(f"{self.workspace} is ignored by the repository in {top}")

    def run(
        self, *arguments: str, stdin: bytes = b"", index: Path | None = None, accept: Container[int] = (0,)
    ) -> bytes:
        """Standard output of a git command; `index` stands in for the repository's own.

        Raises:
            SessionError: for an exit code outside `accept`, with git's complaint.
        """
        from git import Git  # it refuses to be imported where git is missing

        environment = self._environment | ({"GIT_INDEX_FILE": str(index)} if index else {})
        with tempfile.TemporaryFile() as stream:
            stream.write(stdin)
            stream.seek(0)
            result = Git(self.workspace).execute(
                ["git", *_OPTIONS, *arguments],
                istream=stream,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                with_exceptions=False,
                with_extended_output=True,
                env=environment,
            )
        status, output, complaint = result
        if status not in accept:
            reason = complaint.strip().splitlines()[0] if complaint.strip() else f"exit code {status}"
            raise SessionError(f"git {arguments[0]} failed: {reason}")
        return output

    def names(self, *arguments: str, index: Path | None = None) -> list[str]:
        """The NUL-separated names that a git command prints; bytes outside UTF-8 become surrogates."""
        output = self.run(*arguments, index=index)
        return [os.fsdecode(name) for name in output.split(b"\0") if name]

    def contents(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """The bytes of each blob, one at a time from one git process.

        Raises:
            SessionError: for a blob that is missing or damaged.
        """
        from git import Git

        git = Git(self.workspace)
        git.update_environment(**self._environment)
        try:
            for blob in blobs:
                yield git.get_object_data(blob)[3]
        except ValueError as error:
            raise SessionError(f"the repository has lost a saved file: {error}") from error
        finally:
            git.clear_cache()


def _top(workspace: Path) -> Path:
    for folder in (workspace, *workspace.parents):
        if (folder / ".git").exists():
            return folder
        if all((folder / name).exists() for name in ("HEAD", "objects", "refs")):
            raise SessionError(f"{folder} is a bare git repository, without a work tree")
    raise SessionError(f"{workspace} is not in a git repository")


def forget(workspace: Path, session_id: str) -> int:
    """Removes a session's checkpoints from the repository of a workspace; returns how many there were."""
    if not workspace.is_dir():
        return 0
    try:
        repository = Repository(workspace)
    except SessionError:  # no git, or no repository
        return 0
    names = repository.run("for-each-ref", "--format=%(refname)", f"refs/codeflow/{session_id}/").split()
    repository.run("update-ref", "--stdin", stdin=b"".join(b"delete %s\n" % name for name in names))
    return len(names)
