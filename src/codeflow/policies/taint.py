"""Whose words a session has read, and what a person is asked about because of it."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from codeflow.core.values import Effect


class Source(StrEnum):
    """Where words come from that nobody chose for this project."""

    WEB = "the web"
    DOWNLOAD = "what a command downloaded"


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

    def after(self, tool: str, effect: Effect, command: str = "") -> "Taint":
        """The taint once a tool has answered; `command` is the shell line of run_command."""
        if effect is Effect.NETWORK:
            return Taint(self.sources | {Source.WEB})
        if tool == "run_command" and _READERS & set(map(_program, _words(command))):
            return Taint(self.sources | {Source.DOWNLOAD})
        return self

    def why_asked(self, commands: Iterable[Sequence[str]]) -> str | None:
        """Why a person has to agree to simple commands, given as their words; None where the taint asks nothing."""
        if not self.sources:
            return None
        for words in commands:
            if reaches_out(words):
                read = " and ".join(sorted(self.sources))
                return f"`{_program(words[0])}` can send data out, and this session has read {read}"
        return None


def reaches_out(words: Sequence[str]) -> bool:
    """Whether a simple command talks to other machines, as far as its program and subcommand tell."""
    if not words:
        return False
    program = _program(words[0])
    if program in _TALKERS:
        return True
    known = _TALKING_SUBCOMMANDS.get(program)
    return bool(known) and ("*" in (known or ()) or _subcommand(words[1:]) in (known or ()))


def _subcommand(words: Sequence[str]) -> str:
    skip = False
    for word in words:
        if skip or word.startswith("-"):
            skip = word in _OPTIONS_WITH_VALUES
            continue
        return word
    return ""


def _words(line: str) -> list[str]:
    """The words of a shell line, roughly: more of them make a session tainted rather than less."""
    try:
        return shlex.split(re.sub(r"[;&|()`$<>]", " ", line), comments=False)
    except ValueError:
        return re.findall(r"[\w./-]+", line)


def _program(word: str) -> str:
    return word.rpartition("/")[2].lower()
