"""Whose words a session has read, and what a person is asked about because of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from codeflow.core.values import Effect
from codeflow.syntax.shell.reader import Doubt, Run
from codeflow.syntax.shell.running import parts_of, program


class Source(StrEnum):
    """Where words come from that nobody chose for this project."""

    WEB = "the web"
    DOWNLOAD = "what a command downloaded"
    TASK = "what others wrote into its task"


_READERS = frozenset({"curl", "wget", "http", "https", "xh", "lynx", "w3m", "links", "gh", "glab", "aria2c"})
"""Programs that print what strangers wrote."""
_TALKERS = _READERS | {
    *(
        "nc",
        "ncat",
        "netcat",
        "socat",
        "telnet",
        "ssh",
        "scp",
        "sftp",
        "rsync",
        "ftp",
        "lftp",
        "tftp",
        "mail",
        "sendmail",
    ),
    *(
        "dig",
        "nslookup",
        "host",
        "ping",
        "ping6",
        "traceroute",
        "whois",
        "openssl",
        "aws",
        "gcloud",
        "gsutil",
        "az",
    ),
    *(
        "kubectl",
        "helm",
        "terraform",
        "vault",
        "twine",
        "rclone",
        "s3cmd",
        "psql",
        "mysql",
        "mongosh",
        "redis-cli",
    ),
}
_TALKING_SUBCOMMANDS = {
    "git": {
        "push",
        "fetch",
        "pull",
        "clone",
        "ls-remote",
        "remote",
        "submodule",
        "send-email",
        "request-pull",
        "svn",
    },
    "docker": frozenset({"push", "pull", "login", "run", "build", "compose", "buildx"}),
    "podman": frozenset({"push", "pull", "login", "run", "build"}),
    **dict.fromkeys(
        ("npm", "pnpm", "yarn", "bun"),
        frozenset({"publish", "install", "i", "ci", "add", "exec", "dlx", "login"}),
    ),
    **dict.fromkeys(("npx", "uvx", "pipx", "bunx"), frozenset({"*"})),
    **dict.fromkeys(
        ("pip", "pip3", "poetry", "pdm", "hatch"),
        frozenset({"install", "download", "publish", "add", "update"}),
    ),
    "uv": frozenset({"pip", "add", "sync", "publish", "tool", "run", "lock"}),
    "cargo": frozenset({"publish", "install", "add", "fetch", "update", "login"}),
    "go": frozenset({"get", "install", "mod"}),
    "gem": frozenset({"push", "install", "fetch"}),
    "mvn": frozenset({"deploy"}),
    "gradle": frozenset({"publish"}),
}
_OPTIONS_WITH_VALUES = frozenset(
    {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--prefix", "--directory"}
)


@dataclass(frozen=True, slots=True)
class Taint:
    """What untrusted words a session holds. It only grows: what a model has read, it may act on later."""

    sources: frozenset[Source] = frozenset()

    def after(self, tool: str, effect: Effect, line: str = "") -> "Taint":
        """The taint once a tool has answered; `line` is the shell line of run_command."""
        if effect is Effect.NETWORK:
            return Taint(self.sources | {Source.WEB})
        if tool == "run_command" and any(program(run.words[0]) in _READERS for run in _runs(line)):
            return Taint(self.sources | {Source.DOWNLOAD})
        return self

    def why_asked(self, line: str, *, contained: bool = False) -> str | None:
        """Why a person has to agree to a shell line; None where the taint asks nothing.

        `contained`: it runs in a sandbox, so that what nobody can read in it is not asked about.
        """
        if not self.sources:
            return None
        read = f"this session has read {' and '.join(sorted(self.sources))}"
        for run in _runs(line):
            if reaches_out(run):
                return f"`{program(run.words[0])}` can send data out, and {read}"
        doubts = [part.reason for part in parts_of(line) if isinstance(part, Doubt)]
        return f"{doubts[0]}, and {read}" if doubts and not contained else None


def _runs(line: str) -> list[Run]:
    return [part for part in parts_of(line) if isinstance(part, Run) and part.words]


def reaches_out(run: Run) -> bool:
    """Whether a simple command talks to other machines, as far as its program and subcommand tell."""
    name = program(run.words[0])
    if name in _TALKERS:
        return True
    known = _TALKING_SUBCOMMANDS.get(name)
    return known is not None and ("*" in known or _subcommand([word.text for word in run.words[1:]]) in known)


def _subcommand(words: Sequence[str]) -> str:
    skip = False
    for word in words:
        if skip or word.startswith("-"):
            skip = word in _OPTIONS_WITH_VALUES
            continue
        return word
    return ""
