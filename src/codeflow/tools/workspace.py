"""The folder that tools work in: what they may touch, and what of it the model has seen."""

import copy
import difflib
import errno
import hashlib
import mimetypes
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from codeflow.core.consulting import Consultant
from codeflow.core.errors import UsageError
from codeflow.core.messages import Post
from codeflow.core.notes import Notes
from codeflow.core.places import as_named, cache_home
from codeflow.core.redaction import Redactor
from codeflow.core.secret_files import holds_secrets, matches_any
from codeflow.core.settings import ToolSettings
from codeflow.core.text import printable
from codeflow.core.values import Seen
from codeflow.tools import beneath
from codeflow.tools.attachments import made_smaller
from codeflow.tools.environment import reading_environment, scrubbed_environment
from codeflow.tools.lsp.servers import Servers
from codeflow.tools.memory import command_memory_bytes
from codeflow.tools.process import Confine
from codeflow.tools.process_runs import Runs
from codeflow.tools.research import OFFLINE, Research
from codeflow.tools.sandbox.port import Confined, Sandbox, Unconfined
from codeflow.tools.text import Text, decode
from codeflow.tools.tool import Mistake

_LARGEST_FILE_BYTES = 10_000_000


@dataclass(slots=True)
class _Seen:
    digest: str
    lines: set[int] = field(default_factory=set)


class Workspace:
    """A root folder with the settings and the environment of its tools; paths cannot leave it.

    `env` is scrubbed on the way in. `tests` is the command of run_tests: "auto", "off", or a shell line;
    it has its own time limit, that of other commands by default. `trusted`: programs that only look at the project may
    be the project's own. `sandbox` holds every command; None: they have the user's rights. `servers` are shared by every agent of a run and closed at its end.
    """

    def __init__(
        self,
        root: Path,
        settings: ToolSettings,
        env: Mapping[str, str],
        *,
        tests: str = "auto",
        tests_timeout_s: float | None = None,
        research: Research = OFFLINE,
        trusted: bool = False,
        sandbox: Sandbox | None = None,
    ) -> None:
        if not root.is_dir():
            raise UsageError(f"{root}: not a folder", hint="Name an existing folder with --workspace.")
        self.root = root.resolve()
        self.settings = settings
        self.redactor = Redactor(env)
        self.env = scrubbed_environment(env, self.root, settings.pass_env)
        self.reading_env = reading_environment(env, self.root, settings.pass_env)
        self.tests = tests
        self.tests_timeout_s = tests_timeout_s or settings.command_timeout_s
        self.research = research
        self.cache = cache_home(env)
        self.memory_bytes = command_memory_bytes(settings.command_memory_mb)
        self.sandbox = sandbox or Unconfined()
        self.servers = Servers(
            self.root, self.env if trusted else self.reading_env, trusted=trusted, confine=self.looking
        )
        self.runs = Runs(self.memory_bytes, self.confining(), redact=self.redactor.redact)
        self.notes: Notes | None = None
        """Where notes for later runs are kept; None: nowhere."""
        self.consultant: Consultant | None = None
        """Whom `consult` asks; None: nobody."""
        self.post: Post | None = None
        """Where messages to other agents go; None: nobody else is at work."""
        self.agent: str | None = None
        """Whose view this is; None: a person's."""
        self.warn: Callable[[str], None] = _nobody
        """Gets what a person should know of what a command left."""
        self._seen: dict[Path, _Seen] = {}
        self._shown: dict[Path, _Seen] = {}

    async def close(self) -> None:
        """Ends background commands, which are told, and language servers, and removes the outputs that were kept."""
        for command in self.runs.running():
            self.warn(f"stopped with the run, since it was still running in the background: {command}")
        await self.runs.end()
        self.runs.close()
        await self.servers.close()

    def confining(self, manager: str = "") -> Confine:
        """Puts commands into the sandbox, with the folders of codeflow's that they report to.

        `manager` is the package manager that they are: it has the network, and its own settings.
        """

        def confine(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Confined:
            place = cwd.resolve()
            outside = [] if place.is_relative_to(self.root) else [place]
            confined = self.sandbox.confine(
                command, cwd=place, env=env, writable=[self.runs.folder(), *outside], manager=manager
            )

            def ended() -> Sequence[str]:
                told = confined.ended()
                for text in told:
                    self.warn(text)
                return told

            return replace(confined, ended=ended)

        return confine

    def looking(self, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Confined:
        """Puts a program into the sandbox that only looks: it can change nothing."""
        return self.sandbox.confine(command, cwd=cwd, env=env, looks=True)

    def looking_at(self, folder: Path) -> Confine:
        """Likewise, for one that looks at a folder of codeflow's too."""

        def confine(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Confined:
            return self.sandbox.confine(command, cwd=cwd, env=env, writable=[folder], looks=True)

        return confine

    def for_agent(self, name: str) -> "Workspace":
        """The same workspace for an agent that has read nothing of it yet."""
        view = copy.copy(self)
        view.agent = name
        view.forget()
        return view

    def forget(self) -> None:
        """Take everything as not read."""
        self._seen, self._shown = {}, {}

    def resolve(self, path: str) -> Path:
        """The real path of a file that need not exist; a path that leaves the root is a Mistake."""
        path = as_named(self.root, path)
        try:
            real = (self.root / path).resolve()
        except (ValueError, RuntimeError) as error:
            raise Mistake(f"{path!r} is not a usable path: {error}.") from error
        if real.is_relative_to(self.root):
            return real
        if Path(os.path.normpath(self.root / path)).is_relative_to(self.root):
            raise Mistake(
                f"{path} leads through a symbolic link to {real}, outside the workspace {self.root}; use a path inside it."
            )
        raise Mistake(f"{path} is outside the workspace {self.root}; use a path inside it.")

    def entry(self, path: str) -> Path:
        """Like `resolve`, but a symbolic link is meant itself, not what it leads to: so git has it."""
        where = Path(as_named(self.root, path))
        if not (self.root / where).is_symlink():
            return self.resolve(path)
        return self.resolve(str(where.parent)) / where.name

    def writable(self, path: str) -> Path:
        """Like `resolve`, and refuses what only git or the user may change."""
        real = self.resolve(path)
        parts = [part.casefold() for part in real.relative_to(self.root).parts]
        if not parts:
            raise Mistake(f"{path or '.'} is the workspace itself; name a file in it.")
        if ".git" in parts or ".codeflow" in parts:
            raise Mistake(f"{path} belongs to git or to codeflow's own settings and cannot be written.")
        return real

    def relative(self, path: Path) -> str:
        """A resolved path as people and models write it."""
        return path.relative_to(self.root).as_posix()

    def read_bytes(self, path: str) -> tuple[Path, bytes]:
        """A regular file's real path and bytes; a Mistake for anything else and for what is too large."""
        real = self.resolve(path)
        if real.is_dir():
            raise Mistake(f"{path} is a folder; use list_directory.")
        self._refuse_below_file(real)
        if not real.exists():
            raise Mistake(f"{path} does not exist.{_nearest_names(real)}")
        with self._unswapped(real):
            about, data = beneath.read(self.root, real, at_most=_LARGEST_FILE_BYTES)
        if not stat.S_ISREG(about.st_mode):
            raise Mistake(
                f"{path} is {special_kind(about.st_mode)}, not a regular file, and has no content to read; "
                "name another file, or look at what uses it with search_files."
            )
        if about.st_size > _LARGEST_FILE_BYTES:
            media = _kind(real)
            instead = "Use search_files, or run_command with sed -n."
            if media == "application/pdf" or media.startswith("image/"):
                instead = made_smaller(media.rpartition("/")[2], self.relative(real), self.env)
            raise Mistake(f"{path} is too large to read ({about.st_size:,} bytes, {media}). {instead}")
        if kind := self.secret(path, data) or self.secret(self.relative(real), data):
            raise Mistake(
                f"{path} is {kind} and is not shown, so it cannot be changed either. Ask the user for what you need of "
                "it; they can allow the file with tools.readable_secrets in their own settings."
            )
        return real, data

    def secret(self, path: str, data: bytes | None = None) -> str | None:
        """What kind of credentials a file holds that models are not shown; None where they may read it."""
        kind = holds_secrets(path, data)
        return None if kind and matches_any(path, self.settings.readable_secrets) else kind

    def read(self, path: str) -> tuple[Path, bytes, Text]:
        """A text file's real path, bytes and text; a Mistake for anything else."""
        real, data = self.read_bytes(path)
        text = decode(data)
        if text is None:
            raise Mistake(
                f"{path} is a binary file ({len(data):,} bytes, {_kind(real)}) and cannot be shown as text."
            )
        return real, data, text

    def write(self, real: Path, data: bytes, mode: int | None = None) -> None:
        """Replaces or creates a file in one step; `mode`: its permissions, by default those of the one that was there."""
        if real.exists() and not os.access(real, os.W_OK):
            raise Mistake(f"{self.relative(real)} is read-only.")
        self._refuse_below_file(real)
        with self._unswapped(real):
            beneath.replace(self.root, real, data, mode)

    def remove(self, real: Path) -> None:
        """Removes a file that may be gone already."""
        with self._unswapped(real):
            beneath.remove(self.root, real)

    @contextmanager
    def _unswapped(self, real: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise Mistake(
                    f"{self.relative(real)} became a link, or lies behind one now: something changed it meanwhile. Look at "
                    "it again."
                ) from error
            raise

    def _refuse_below_file(self, real: Path) -> None:
        above = next(parent for parent in real.parents if parent.exists())
        if not above.is_dir():
            raise Mistake(
                f"{self.relative(above)} is a file, so there can be nothing below it such as {self.relative(real)}; "
                "choose another path."
            )

    def saw(self, real: Path, data: bytes, lines: Iterable[int]) -> None:
        """Remember that the model was shown these lines (from 1) of a file with this content."""
        digest, shown = hashlib.sha256(data).hexdigest(), set(lines)
        for known in (self._seen, self._shown):
            seen = known.get(real)
            if seen is None or seen.digest != digest:
                seen = known[real] = _Seen(digest)
            seen.lines.update(shown)

    def take_shown(self) -> tuple[Seen, ...]:
        """What the model was shown since this was last asked, for `remember`."""
        shown, self._shown = self._shown, {}
        return tuple(
            Seen(path=self.relative(real), digest=seen.digest, lines=_ranges(seen.lines))
            for real, seen in shown.items()
        )

    def remember(self, seen: Iterable[Seen]) -> None:
        """Take these lines as shown to the model, in an earlier process."""
        for each in seen:
            lines = {number for first, last in each.lines for number in range(first, last + 1)}
            self._seen[self.root / each.path] = _Seen(each.digest, lines)

    def unseen(self, real: Path, data: bytes, line_count: int) -> str | None:
        """Why the model cannot be said to know this content, or None when it was shown every line."""
        seen = self._seen.get(real)
        name = self.relative(real)
        if seen is None:
            return f"{name} exists and you have not read it."
        if seen.digest != hashlib.sha256(data).hexdigest():
            return f"{name} has changed since you read it."
        if len(seen.lines) < line_count:
            return f"You were shown {len(seen.lines)} of the {line_count} lines of {name} in full."
        return None


def _nobody(_text: str) -> None:
    pass


def _ranges(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Sorted runs of numbers as (first, last)."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return tuple(ranges)


def special_kind(mode: int) -> str:
    """What a file is, from its mode, when it is neither a regular one nor a folder."""
    kinds = {
        stat.S_IFIFO: "a FIFO (named pipe)",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")


def _kind(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or "unknown type"


def _nearest_names(missing: Path) -> str:
    folder = next(parent for parent in missing.parents if parent.is_dir())
    names = [entry.name for entry in folder.iterdir()]
    wanted = missing.relative_to(folder).parts[0]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    if not near:
        return " Find its name with list_directory or search_files."
    return f" In {printable(folder.name)}/ there is {' and '.join(map(printable, near))}."
