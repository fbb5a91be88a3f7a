"""The language servers of a run: found, started on first use, kept warm, restarted once, and ended together."""

import asyncio
import os
import shutil
import sysconfig
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from codeflow.core.text import printable
from codeflow.tools.lsp.languages import Language, ServerCommand, language_name, load_languages
from codeflow.tools.lsp.values import Deadlines, Diagnostic, NoAnswer, ServerGone
from codeflow.tools.process import Confine
from codeflow.tools.sandbox.port import Confined

if TYPE_CHECKING:
    from codeflow.tools.lsp.server import Server  # imports lsprotocol, which takes a fifth of a second

T = TypeVar("T")

_MOST_RUNNING = 4
_MOST_DEATHS = 2
_Key = tuple[str, Path]
"""A language and the root of a project."""


def _unconfined(command: Sequence[str], _cwd: Path, _env: Mapping[str, str]) -> Confined:
    return Confined(argv=command)


class Servers:
    """One server for each language and project below `top`.

    `trusted`: whether programs that the project brings along, and servers that run its code, may be started. `confine`
    puts them into the sandbox, where they can change nothing.
    """

    def __init__(
        self,
        top: Path,
        env: Mapping[str, str],
        *,
        trusted: bool = False,
        deadlines: Deadlines | None = None,
        confine: Confine = _unconfined,
    ) -> None:
        self._top = top
        self._env = env
        self._trusted = trusted
        self._deadlines = deadlines or Deadlines()
        self._confine = confine
        self._running: dict[_Key, Server] = {}
        """The least recently used first."""
        self._endings: list[Callable[[], object]] = []
        """What the sandbox does when all have ended."""
        self._deaths: Counter[_Key] = Counter()
        self._refusals: dict[_Key, str] = {}
        self._starting = asyncio.Lock()

    @cached_property
    def languages(self) -> dict[str, Language]:
        return load_languages(self._env)

    async def ask(self, path: Path, question: "Callable[[Server], Awaitable[T]]") -> T:
        """What the server for a file answers; one that dies is started again once, and asked again.

        Raises:
            NoAnswer: when there is no server, or it does not answer in time.
            Mistake: when the server refuses.
        """
        key = self._key(path)
        while True:
            server = await self._server(key)
            try:
                return await question(server)
            except ServerGone as gone:
                self._deaths[key] += 1
                if self._deaths[key] >= _MOST_DEATHS:
                    self._refusals[key] = (
                        f"{server.name} keeps ending ({gone}) and is left alone for this run."
                    )

    async def introduced(self, path: Path, before: str, timeout_s: float) -> list[Diagnostic]:
        """Problems that an edit of a file brought; none when no server is warm, or it takes longer than that."""
        known = language_name(self.languages, path) and _can_be_told(path)
        server = self._running.get(self._key(path)) if known else None
        if server is None or not server.alive:
            return []
        try:
            async with asyncio.timeout(timeout_s):
                return await server.introduced(path, before)
        except (TimeoutError, ServerGone, NoAnswer):
            return []

    async def close(self) -> None:
        """End every server; the next question would start one again."""
        running, self._running = list(self._running.values()), {}
        await asyncio.gather(*(server.close() for server in running))
        while self._endings:
            self._endings.pop()()

    def _key(self, path: Path) -> _Key:
        if not _can_be_told(path):
            raise NoAnswer(
                f"{printable(str(path))} is no name in UTF-8, so language servers cannot be told of it; "
                "git mv or mv in run_command gives it another name."
            )
        name = language_name(self.languages, path)
        if name is None:
            raise NoAnswer(f"No language server is known for {path.suffix or path.name} files.")
        return name, self.languages[name].root(path, self._top)

    async def _server(self, key: _Key) -> "Server":
        async with self._starting:
            server = self._running.pop(key, None)
            if server is not None and not server.alive:
                await server.close()
                server = None
            if server is None:
                await self._make_room()
                server = await self._start(key)
            self._running[key] = server
            return server

    async def _make_room(self) -> None:
        idle = [key for key, server in self._running.items() if not server.busy]
        surplus = len(self._running) + 1 - _MOST_RUNNING
        for key in idle[: max(0, surplus)]:
            await self._running.pop(key).close()

    async def _start(self, key: _Key) -> "Server":
        """The first of the language's servers that is installed and starts."""
        if key in self._refusals:
            raise NoAnswer(self._refusals[key])
        problems = []
        for command, program in self._installed(key):
            server, problem = await self._try(key, command, program)
            if server is not None:
                return server
            problems.append(f"{program}: {problem}")
        self._refusals[key] = self._explain(key, problems)
        raise NoAnswer(self._refusals[key])

    async def _try(self, key: _Key, command: ServerCommand, program: str) -> "tuple[Server | None, str]":
        from codeflow.tools.lsp.server import Server

        name, root = key
        server = Server(self.languages[name], command, root, self._deadlines)
        started = False
        try:
            argv, env = command.started_as(program, self._env)
            confined = self._confine(argv, root, env)
            self._endings.append(confined.ended)
            await server.start(confined.argv, env)
            started = True
        except (OSError, ServerGone, NoAnswer) as error:
            return None, str(error)
        else:
            return server, ""
        finally:
            if not started:
                await server.close()

    def _installed(self, key: _Key) -> Iterator[tuple[ServerCommand, str]]:
        """The servers that may run here with their programs, the nearest first."""
        name, root = key
        for folders in self._places(root):
            for command in self.languages[name].servers:
                program = shutil.which(command.name, path=folders)
                if program and (self._trusted or not command.runs_project_code):
                    yield command, program

    def _places(self, root: Path) -> Iterator[str]:
        """Search paths: the project's own programs, then the machine's, then those beside codeflow."""
        if self._trusted:
            yield os.pathsep.join(_own_programs(root, self._top))
        yield self._env.get("PATH", os.defpath)
        yield sysconfig.get_path("scripts")

    def _explain(self, key: _Key, problems: list[str]) -> str:
        name, _ = key
        install = self.languages[name].install
        barred = self._barred(key)
        failed = f"{'; '.join(problems).rstrip('.')}."
        if problems and barred:
            return f"{barred} No other language server for {name} starts here: {failed}"
        if problems:
            return f"No language server for {name} starts here: {failed} If it is not installed: {install}."
        return barred or f"No language server for {name} is installed; get one with: {install}."

    def _barred(self, key: _Key) -> str:
        """Which server is installed that may not run here, and why; empty when there is none."""
        if self._trusted:
            return ""
        name, root = key
        own = os.pathsep.join(_own_programs(root, self._top))
        tried = {command.name for command, _ in self._installed(key)}
        for path in (own, self._env.get("PATH")):
            for command in self.languages[name].servers:
                if command.name not in tried and shutil.which(command.name, path=path):
                    return f"{command.name} may not run, as the user has not trusted this folder (trusted_folders, or `codeflow trust`)."
        return ""


def own_servers(folder: Path, env: Mapping[str, str]) -> list[str]:
    """The language servers that a folder brings along, or that would run its code, as far as they are installed."""
    own = os.pathsep.join(_own_programs(folder, folder))
    found: list[str] = []
    for name, language in load_languages(env).items():
        for command in language.servers:
            path = shutil.which(command.name, path=own)
            if path is None and command.runs_project_code:
                path = shutil.which(command.name, path=env.get("PATH"))
            if path:
                found.append(f"{command.name} for {name} ({path})")
    return found


def _own_programs(root: Path, top: Path) -> Iterator[str]:
    for folder in (root, *root.parents):
        if folder.is_relative_to(top):
            yield from (str(folder / place) for place in ("node_modules/.bin", ".venv/bin", "venv/bin"))


def _can_be_told(path: Path) -> bool:
    """Whether a path is UTF-8, without which there is no URI for it that every server survives."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
