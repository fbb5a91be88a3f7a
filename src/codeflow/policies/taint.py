"""Whose words a session has read, and what a person is asked about because of it."""

import re
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
_TALKERS = frozenset({
    *_READERS,
    "nc", "ncat", "netcat", "socat", "telnet", "ssh", "ssh-copy-id", "mosh", "rsh", "scp", "sftp", "rsync", "ftp", "lftp",
    "tftp", "mail", "sendmail", "dig", "nslookup", "host", "ping", "traceroute", "whois", "openssl", "rclone", "s3cmd", "hub",
    "psql", "mysql", "mongosh", "redis-cli", "twine", "vault",
    "aws", "gcloud", "gsutil", "az", "doctl", "hcloud", "oci", "kubectl", "oc", "helm", "skaffold", "argocd", "flux",
    "terraform", "tofu", "terragrunt", "pulumi", "ansible", "ansible-playbook",
    "vercel", "netlify", "wrangler", "firebase", "flyctl", "fly", "heroku", "railway", "eb", "sam", "cdk", "serverless", "sls",
    "npx", "uvx", "pipx", "bunx", "pacman",
    "xdg-open", "open", "sensible-browser", "chromium", "google-chrome", "firefox",
})  # fmt: skip
_TALKING_SUBCOMMANDS = {
    "git": frozenset({
        "push", "fetch", "pull", "clone", "ls-remote", "remote", "remote-http", "remote-https", "submodule", "send-email",
        "request-pull", "svn", "lfs", "subtree", "annex", "p4", "send-pack", "fetch-pack", "http-push", "imap-send",
    }),
    "hg": frozenset({"push", "pull", "clone", "incoming", "outgoing", "email"}),
    "svn": frozenset({"commit", "ci", "checkout", "co", "update", "up", "import", "export"}),
    **dict.fromkeys(("docker", "podman"), frozenset({"push", "pull", "login", "run", "build", "compose", "buildx"})),
    **dict.fromkeys(
        ("npm", "pnpm", "yarn", "bun"),
        frozenset({
            "publish", "install", "i", "in", "ci", "add", "exec", "x", "dlx", "login", "create", "init", "update", "up",
            "upgrade", "view", "info", "audit", "outdated",
        }),
    ),
    **dict.fromkeys(
        ("pip", "poetry", "pdm", "hatch"),
        frozenset({"install", "download", "publish", "add", "update", "wheel", "index", "lock", "sync"}),
    ),
    "uv": frozenset({"pip", "add", "sync", "publish", "tool", "run", "lock"}),
    "cargo": frozenset({"publish", "install", "add", "fetch", "update", "login", "search"}),
    "go": frozenset({"get", "install", "mod"}),
    "deno": frozenset({"add", "install", "publish", "cache"}),
    "gem": frozenset({"push", "install", "fetch", "update"}),
    "bundle": frozenset({"install", "update", "add", "outdated"}),
    "composer": frozenset({"install", "update", "require", "create-project"}),
    "mix": frozenset({"deps.get", "deps.update", "hex.publish"}),
    "dotnet": frozenset({"nuget", "add", "restore"}),
    "mvn": frozenset({"deploy"}),
    "gradle": frozenset({"publish"}),
    **dict.fromkeys(
        ("apt", "apt-get", "dnf", "yum", "zypper", "apk", "brew", "conda", "mamba", "snap", "flatpak"),
        frozenset({"install", "upgrade", "update", "dist-upgrade", "download", "fetch", "add", "create", "tap", "search"}),
    ),
}  # fmt: skip
_ALONE = frozenset({"yarn", "bundle"})
"""Programs that install without a subcommand."""
_RUNNING_WHAT_IS_ELSEWHERE = {"git": "archive", "go": "run", "deno": "run"}
_ELSEWHERE = re.compile(r"--remote\b|.*://|.+@|(npm|jsr):")
_VERSION = re.compile(r"(?<=[a-z])[\d.]+$")
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
    name, words = _started(run)
    subcommand = _subcommand(words)
    return (
        name in _TALKERS
        or subcommand in _TALKING_SUBCOMMANDS.get(name, ())
        or (name in _ALONE and not subcommand)
        or (_RUNNING_WHAT_IS_ELSEWHERE.get(name) == subcommand and any(map(_ELSEWHERE.match, words)))
    )


def _started(run: Run) -> tuple[str, Sequence[str]]:
    """The program with its arguments, however it is called: git-lfs, pip3.11, python3 -m pip."""
    name, arguments = program(run.words[0]), [word.text for word in run.words[1:]]
    if name.startswith("git-"):
        return "git", [name.removeprefix("git-"), *arguments]
    name = name if name in _TALKERS else _VERSION.sub("", name)
    if name == "python" and "-m" in arguments[:-1]:
        module = arguments.index("-m") + 1
        return arguments[module], arguments[module + 1 :]
    return name, arguments


def _subcommand(words: Sequence[str]) -> str:
    skip = False
    for word in words:
        if skip or word.startswith("-"):
            skip = word in _OPTIONS_WITH_VALUES
            continue
        return word
    return ""
