"""One running language server: it is told what is on disk before each question, and answers in plain values."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types

from codeflow.tools.lsp import replies
from codeflow.tools.lsp.capabilities import CLIENT
from codeflow.tools.lsp.connection import Connection
from codeflow.tools.lsp.documents import Documents, source
from codeflow.tools.lsp.languages import Language, ServerCommand
from codeflow.tools.lsp.positions import split_lines, utf16_length
from codeflow.tools.lsp.values import (
    CodeAction,
    Deadlines,
    Diagnostic,
    Edits,
    Location,
    NoAnswer,
    Position,
    References,
    Symbol,
)

T = TypeVar("T")

_MOST_OPENED = 200
_SETTLING_PAUSE_S = 0.3
_SAME_ANSWERS = 3
_QUIET_S = 0.5


class Server:
    """A server for one project. Its questions run one after another, so that each sees one state of the files.

    Paths are resolved, positions as in the protocol. Besides what each method says, all may raise ServerGone when the
    process has ended, NoAnswer when time ran out, and Mistake when the server refuses.
    """

    def __init__(self, language: Language, command: ServerCommand, root: Path, deadlines: Deadlines) -> None:
        self.name = command.name
        self._settled = False
        self._command = command
        self._root = root
        self._deadlines = deadlines
        self._connection = Connection(command.settings)
        self._documents = Documents(self._connection, root, language.extensions)
        self._pulls = False
        self._turn = asyncio.Lock()

    async def start(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start the process and greet it."""
        await self._documents.remember()
        await self._connection.start(command, self._root, env)
        folder = types.WorkspaceFolder(uri=self._root.as_uri(), name=self._root.name)
        greeting = types.InitializeParams(
            capabilities=CLIENT,
            root_uri=folder.uri,
            workspace_folders=[folder],
            initialization_options=dict(self._command.options),
        )
        limit = self._command.start_s or self._deadlines.start
        reply = await self._connection.ask(types.INITIALIZE, greeting, limit)
        self._pulls = reply.capabilities.diagnostic_provider is not None
        self._connection.tell(types.INITIALIZED, types.InitializedParams())
        self._connection.tell(
            types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            types.DidChangeConfigurationParams(settings=dict(self._command.settings)),
        )

    @property
    def alive(self) -> bool:
        return self._connection.alive

    @property
    def busy(self) -> bool:
        return self._turn.locked()

    async def close(self) -> None:
        """End the process and all that it started."""
        await self._connection.close()

    async def definition(self, path: Path, position: Position) -> list[Location]:
        params = types.DefinitionParams(_document(path), _position(position))

        async def ask() -> list[Location]:
            reply = await self._ask(types.TEXT_DOCUMENT_DEFINITION, path, params, self._deadlines.place)
            return replies.locations(reply)

        return await self._unless_empty(ask)

    async def hover(self, path: Path, position: Position) -> str:
        """What a reader of the code is shown about a name; empty where there is nothing to say."""
        params = types.HoverParams(_document(path), _position(position))

        async def ask() -> str:
            return replies.hover(
                await self._ask(types.TEXT_DOCUMENT_HOVER, path, params, self._deadlines.place)
            )

        return await self._unless_empty(ask)

    async def references(self, path: Path, position: Position, mentions: Sequence[Path] = ()) -> References:
        """Every use of a name, its definition too, sorted. `mentions`: the files in which the word stands."""
        all_open = await self._open(mentions)
        context = types.ReferenceContext(include_declaration=True)
        params = types.ReferenceParams(context, _document(path), _position(position))

        async def ask() -> list[Location]:
            reply = await self._ask(types.TEXT_DOCUMENT_REFERENCES, path, params, self._deadlines.project)
            return sorted(set(replies.locations(reply)))

        found = self._believed(await self._when_settled(ask))
        return References(tuple(found), complete=self._settled and all_open)

    async def document_symbols(self, path: Path) -> list[Symbol]:
        params = types.DocumentSymbolParams(_document(path))

        async def ask() -> list[Symbol]:
            limit = self._deadlines.listing
            reply = await self._ask(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, path, params, limit)
            return replies.symbols(reply, path)

        return await self._unless_empty(ask)

    async def workspace_symbols(self, path: Path, query: str) -> list[Symbol]:
        """Symbols of the project of `path`, which is opened first: some servers know no project without a file."""
        params = types.WorkspaceSymbolParams(query)

        async def ask() -> list[Symbol]:
            reply = await self._ask(types.WORKSPACE_SYMBOL, path, params, self._deadlines.project)
            return replies.symbols(reply, path)

        return await self._when_settled(ask)

    async def rename(
        self, path: Path, position: Position, new_name: str, mentions: Sequence[Path] = ()
    ) -> Edits:
        """The edits that rename what stands at a position; NoAnswer while the server may not know every place.

        `mentions`: the files in which the word stands.
        """
        all_open = await self._open(mentions)
        params = types.RenameParams(_document(path), _position(position), new_name)

        async def ask() -> Edits:
            return replies.edits(
                await self._ask(types.TEXT_DOCUMENT_RENAME, path, params, self._deadlines.project)
            )

        edits = await self._when_settled(ask)
        if not self._settled:
            raise NoAnswer(
                f"{self.name} is still reading the project, so nothing was renamed; try again later."
            )
        if not all_open:
            raise NoAnswer(
                f"The word stands in {len(mentions)} files, too many for {self.name}; nothing was renamed."
            )
        return edits

    async def references_if(
        self, texts: Mapping[Path, str], path: Path, position: Position, expected: Collection[Location]
    ) -> list[Location]:
        """What `references` would say if the files had these texts, as soon as it is the expected, or stays another."""
        context = types.ReferenceContext(include_declaration=True)
        params = types.ReferenceParams(context, _document(path), _position(position))

        async def ask() -> list[Location]:
            limit = self._deadlines.project
            reply = await self._connection.ask(types.TEXT_DOCUMENT_REFERENCES, params, limit)
            return sorted(set(replies.locations(reply)))

        async with self._turn:
            try:
                for file, text in texts.items():
                    self._documents.show(file, text)
                return await _expected_or_steady(ask, expected)
            finally:
                for file in texts:
                    self._documents.show(file, source(file))

    async def definitions_if(
        self, text: str, path: Path, positions: Sequence[Position]
    ) -> list[list[Location]]:
        """What `definition` would say of each position if the file had this text."""
        params = [types.DefinitionParams(_document(path), _position(position)) for position in positions]
        limit = self._deadlines.place
        async with self._turn:
            try:
                self._documents.show(path, text)
                replied = [
                    await self._connection.ask(types.TEXT_DOCUMENT_DEFINITION, each, limit) for each in params
                ]
            finally:
                self._documents.show(path, source(path))
        return [replies.locations(reply) for reply in replied]

    async def _open(self, mentions: Sequence[Path]) -> bool:
        """Shows a server that sees open files only the files it needs; False when they are too many."""
        if not self._command.sees_open_files_only:
            return True
        async with self._turn:
            for path in mentions[:_MOST_OPENED]:
                self._documents.show(path, source(path))
        return len(mentions) <= _MOST_OPENED

    async def code_actions(self, path: Path, line: int) -> list[CodeAction]:
        """What the server offers for a line (from 0), as far as it consists of edits."""
        async with self._turn:
            await self._documents.refresh(path)
            problems = [
                p for p in await self._problems(path) if p.range.start.line <= line <= p.range.end.line
            ]
            end = utf16_length(split_lines(source(path))[line])
            params = types.CodeActionParams(
                _document(path),
                types.Range(types.Position(line, 0), types.Position(line, end)),
                types.CodeActionContext(problems),
            )
            limit = self._deadlines.project  # what could be imported is looked for in every module there is
            offered = await self._connection.ask(types.TEXT_DOCUMENT_CODE_ACTION, params, limit) or []
            literal = [action for action in offered if isinstance(action, types.CodeAction)]
            complete = [await self._resolved(action) for action in literal if not action.disabled]
        return [CodeAction(action.title, replies.edits(action.edit)) for action in complete if action.edit]

    async def _resolved(self, action: types.CodeAction) -> types.CodeAction:
        if action.edit is not None or action.data is None:
            return action
        resolved = await self._connection.ask(types.CODE_ACTION_RESOLVE, action, self._deadlines.listing)
        return resolved if isinstance(resolved, types.CodeAction) else action

    async def diagnostics(self, path: Path) -> list[Diagnostic]:
        """The problems of a file as it is on disk, by line."""
        async with self._turn:
            await self._documents.refresh(path)
            return sorted(
                map(replies.diagnostic, await self._problems(path)), key=lambda problem: problem.line
            )

    async def introduced(self, path: Path, before: str) -> list[Diagnostic]:
        """The problems that a file has now and did not have with its text of before."""
        async with self._turn:
            self._documents.show(path, before)
            old = _told(await self._problems(path))
            await self._documents.refresh(path)
            new = _told(await self._problems(path))
        known = Counter((problem.severity, problem.message) for problem in old)
        fresh = []
        for problem in new:
            known[problem.severity, problem.message] -= 1
            if known[problem.severity, problem.message] < 0:
                fresh.append(problem)
        return fresh

    async def _problems(self, path: Path) -> list[types.Diagnostic]:
        """Asks for them, or, where the server only tells by itself, has it look again and waits until it does."""
        if self._pulls:
            params = types.DocumentDiagnosticParams(_document(path))
            limit = self._deadlines.listing
            report = await self._connection.ask(types.TEXT_DOCUMENT_DIAGNOSTIC, params, limit)
            return list(report.items)
        return await self._told_by_itself(path)

    async def _told_by_itself(self, path: Path) -> list[types.Diagnostic]:
        symbols = types.DocumentSymbolParams(_document(path))
        limit = self._deadlines.listing
        await self._connection.ask(
            types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, symbols, limit
        )  # it has read the file now
        if self._command.skips_same_text:
            return await self._last_word(path)
        before = self._connection.published.pop(path.as_uri(), None)
        version = self._documents.touch(path)
        try:
            async with asyncio.timeout(self._deadlines.diagnostics):
                return await self._connection.diagnostics(path.as_uri(), version, _QUIET_S)
        except TimeoutError as error:
            if self._connection.counts_versions:
                raise NoAnswer(
                    f"{self.name} said nothing within {self._deadlines.diagnostics:g} s."
                ) from error
            return list(before.diagnostics) if before else []  # such a server is silent when nothing changed

    async def _last_word(self, path: Path) -> list[types.Diagnostic]:
        version = self._documents.version(path)
        try:
            async with asyncio.timeout(self._deadlines.diagnostics):
                return await self._connection.diagnostics(path.as_uri(), version, _QUIET_S, revised=True)
        except TimeoutError as error:
            raise NoAnswer(f"{self.name} said nothing within {self._deadlines.diagnostics:g} s.") from error

    async def _ask(self, method: str, path: Path, params: Any, timeout_s: float) -> Any:
        async with self._turn:
            await self._documents.refresh(path)
            return await self._connection.ask(method, params, timeout_s)

    async def _unless_empty(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer; an empty one is believed only of a server that has read the project."""
        answer = await ask()
        return self._believed(answer if answer or self._settled else await self._when_settled(ask))

    def _believed(self, answer: T) -> T:
        """The answer, unless it is empty and the server complained, as of a project that it could not load."""
        if not answer and self._connection.complaint:
            raise NoAnswer(f"{self.name} knows nothing of it and says: {self._connection.complaint}")
        return answer

    async def _when_settled(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer that was given twice in a row with nothing else going on, or the last one before time ran out."""
        if self._command.sees_open_files_only:
            self._settled = False  # it reads on whenever it is shown a text
        answer = await ask()
        loop = asyncio.get_running_loop()
        start = loop.time()
        while not self._settled and loop.time() - start < (
            self._deadlines.project if self._connection.working else self._deadlines.settle
        ):
            await asyncio.sleep(_SETTLING_PAUSE_S)
            again = await ask()
            self._settled = again == answer and not self._connection.working
            answer = again
        return answer


async def _expected_or_steady(
    ask: Callable[[], Awaitable[list[Location]]], expected: Iterable[Location]
) -> list[Location]:
    """The answer as soon as it is on the expected lines, or was the same several times in a row."""
    wanted = _lines(expected)
    last, times = await ask(), 1
    while times < _SAME_ANSWERS and _lines(last) != wanted:
        await asyncio.sleep(_SETTLING_PAUSE_S)
        again = await ask()
        times = times + 1 if again == last else 1
        last = again
    return last


def _lines(locations: Iterable[Location]) -> Counter[tuple[Path, int]]:
    return Counter((location.path, location.start.line) for location in locations)


def _told(problems: Iterable[types.Diagnostic]) -> list[Diagnostic]:
    """Problems by line, without hints, which are there to grey text out."""
    told = [replies.diagnostic(p) for p in problems if p.severity is not types.DiagnosticSeverity.Hint]
    return sorted(told, key=lambda problem: problem.line)


def _document(path: Path) -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(path.as_uri())


def _position(position: Position) -> types.Position:
    return types.Position(position.line, position.character)
