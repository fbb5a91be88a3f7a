"""Git for a job: commits fetched, a pull request's head in a folder of its own, a branch pushed."""

import base64
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from codeflow.cli.ci.job import without_the_job
from codeflow.core import inert_git
from codeflow.core.errors import CodeflowError
from codeflow.core.programs import program_outside

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SPEAKS_TO_AGENTS = (
    ":(glob,icase)**/AGENTS.md",
    ":(glob,icase)**/CLAUDE.md",
    ":(top).codeflow",
    ":(top).claude",
)
"""What an agent obeys, or takes for the project's instructions."""


class GitError(CodeflowError):
    """Git could not do what a job needs."""


class Checkout:
    """The repository of a job. No hook, filter or monitor that is configured in it is started."""

    def __init__(self, folder: Path, url: str, token: str) -> None:
        """`url` is where it is fetched from and pushed to; the token reaches git by its environment alone."""
        self.folder = folder
        self.url = url
        self._token = token

    def require(self, base: str, head: str, refs: Sequence[str]) -> None:
        """Have two commits and what they have in common; `refs` hold them at the forge.

        Raises:
            GitError: when they cannot be fetched, or are not there any more.
        """
        for commit in (base, head):
            if not _COMMIT.fullmatch(commit):
                raise GitError(f"{commit!r} is no commit", hint="GITHUB_EVENT_PATH names whole commits.")
        if self._are_related(base, head):
            return
        whole = ["--unshallow"] if self.git("rev-parse", "--is-shallow-repository") == "true" else []
        self.git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *whole, self.url, *refs)
        if not self._are_related(base, head):
            raise GitError(
                f"{head[:12]} and {base[:12]} are no longer at the forge",
                hint="A later push has its own job; run this one again for what is there now.",
            )

    def _are_related(self, base: str, head: str) -> bool:
        return self._run("merge-base", base, head).returncode == 0

    @contextmanager
    def head_without_its_instructions(self, base: str, head: str) -> Iterator[Path]:
        """A folder with the files of `head`, but what speaks to agents as `base` has it; it is deleted at the end."""
        with TemporaryDirectory(prefix="codeflow-ci-") as above:
            folder = Path(above).resolve() / (self.folder.name or "project")
            self.git("worktree", "add", "--quiet", "--detach", str(folder), head)
            try:
                there = Checkout(folder, self.url, self._token)
                for path in there._differing(base, head, "d"):
                    (folder / path).unlink(missing_ok=True)
                before = there._differing(base, head, "a")
                if before:
                    there.git("checkout", "--quiet", base, "--", *(f":(literal){path}" for path in before))
                for link in there._links():
                    (folder / link).unlink(missing_ok=True)
                yield folder
            finally:
                self.git("worktree", "remove", "--force", str(folder))

    def _differing(self, base: str, head: str, without: str) -> list[str]:
        """Files that speak to agents and differ; `without` d: those in head, a: those in base."""
        names = self.git(
            *("diff", "--name-only", "-z", "--no-renames", f"--diff-filter={without}", base, head, "--"),
            *_SPEAKS_TO_AGENTS,
        )
        return list(filter(None, names.split("\0")))

    def _links(self) -> list[str]:
        """Links among what speaks to agents: they lead to files that the change may have made."""
        entries = self.git("ls-files", "--stage", "-z", "--", *_SPEAKS_TO_AGENTS).split("\0")
        return [entry.partition("\t")[2] for entry in entries if entry.startswith("120000 ")]

    def git(self, *arguments: str, more: dict[str, str] | None = None) -> str:
        """What git prints, without the end of its last line.

        Raises:
            GitError: when it fails.
        """
        done = self._run(*arguments, more=more)
        if done.returncode:
            said = " ".join(done.stderr.replace(self._token, "***").split())
            raise GitError(
                f"git {arguments[0]} failed: {said[:500]}",
                hint="actions/checkout with fetch-depth: 0 brings all that is needed.",
            )
        return done.stdout.rstrip("\n")

    def _run(self, *arguments: str, more: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        git = program_outside("git", self.folder)
        if git is None:
            raise GitError("git was not found", hint="Install git on the runner.")
        env = without_the_job(os.environ) | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"} | (more or {})
        if arguments[0] in {"fetch", "push"}:
            env |= self._login()
        begin = [git, "-C", str(self.folder), *inert_git.OPTIONS]
        return subprocess.run(
            [*begin, *arguments],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            env=env | self._without_filters(begin, env),
            stdin=subprocess.DEVNULL,
        )

    def _without_filters(self, begin: Sequence[str], env: Mapping[str, str]) -> dict[str, str]:
        """What a filter of the checkout runs, agents may have written; and git's own environment holds the token."""
        asked = subprocess.run(
            [*begin, *inert_git.ASK_FOR_FILTERS],
            capture_output=True,
            check=False,
            env=env,
            stdin=subprocess.DEVNULL,
        )
        return inert_git.variables(inert_git.filters_off(asked.stdout), self.folder, env)

    def _login(self) -> dict[str, str]:
        """Settings by which git sends the token to the forge, in the place of what the checkout has left there."""
        if not self.url.startswith("http"):
            return {}
        login = base64.b64encode(f"x-access-token:{self._token}".encode()).decode()
        server = "/".join(self.url.split("/")[:3])
        key = f"http.{server}/.extraheader"
        pairs = [(key, ""), (key, f"AUTHORIZATION: basic {login}")]
        told = {"GIT_CONFIG_COUNT": str(len(pairs))}
        for number, (name, value) in enumerate(pairs):
            told |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        return told
