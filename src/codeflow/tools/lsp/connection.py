"""A language server's process and the wire to it, on pygls.

What pygls leaves open is closed here: stderr is no pipe that fills up, every request has a deadline, an answer that
cannot be decoded fails its request at once, the server's own requests are answered, and nothing outlives codeflow.
"""

import asyncio
import contextlib
import json
import logging
import os
import re
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from lsprotocol import converters, types
from pygls.exceptions import JsonRpcException, PyglsError
from pygls.io_ import run_async
from pygls.lsp.client import LanguageClient
from pygls.protocol import LanguageServerProtocol
from typing_extensions import override

from codeflow import __version__
from codeflow.tools.guarded import Guarded, Limits, start
from codeflow.tools.lsp.values import NoAnswer, ServerGone
from codeflow.tools.tool import Mistake

logging.getLogger("pygls").addHandler(
    logging.NullHandler()
)  # what a server gets wrong is not the user's terminal's

_LAST_WORDS_BYTES = 2_000
_FAREWELL_S = 1.0
_TRY_AGAIN = frozenset({types.LSPErrorCodes.ContentModified, types.LSPErrorCodes.ServerCancelled})
_TRY_AGAIN_S = 30.0
_PAUSE_S = 0.2
_STATUS = "language/status"
"""How jdtls tells that it is still reading the project: `Starting`, and `ServiceReady` in the end."""
_CAUSE = re.compile(r"error|exception|unsupported|cannot|not found|no such", re.IGNORECASE)


class _Protocol(LanguageServerProtocol):
    @override
    def structure_message(self, data: dict[str, Any]) -> Any:
        try:
            return super().structure_message(data)
        except JsonRpcException:
            pending = self._request_futures.pop(data.get("id", ""), None)
            if pending and not pending.done():
                pending.set_exception(JsonRpcException("its answer does not follow the protocol"))
            raise


def _converter() -> Any:
    """The converter of lsprotocol, which alone fails on the notebook options that ty, ruff and others announce."""
    converter = converters.get_converter()
    converter.register_structure_hook(types.NotebookDocumentSyncOptions, lambda _, __: None)
    return converter


class Connection(LanguageClient):
    """One server process, which `settings` answers when it asks how it is configured.

    `published` holds the diagnostics that it sent by itself, by URI, `working` its running jobs.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__("codeflow", __version__, _Protocol, _converter)
        self.published: dict[str, types.PublishDiagnosticsParams] = {}
        self.counts_versions = False
        """Whether it says which version of a document its diagnostics are about."""
        self.working: set[str | int] = set()
        self.complaint = ""
        """The last error that it showed to people."""
        self.news = asyncio.Event()
        """Set whenever diagnostics arrive."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._guarded: Guarded | None = None
        self._listen(settings)

    def _listen(self, settings: Mapping[str, Any]) -> None:
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.published[params.uri] = params
            self.counts_versions = self.counts_versions or params.version is not None
            self.news.set()

        def progress(params: types.ProgressParams) -> None:
            kind = params.value.get("kind") if isinstance(params.value, dict) else None
            if kind == "begin":
                self.working.add(params.token)
            elif kind == "end":
                self.working.discard(params.token)

        def message(params: types.ShowMessageParams) -> None:
            if params.type is types.MessageType.Error:
                self.complaint = " ".join(params.message.split())

        answers = {
            types.WINDOW_SHOW_MESSAGE: message,
            types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS: published,
            types.PROGRESS: progress,
            _STATUS: partial(_note_status, self.working),
            types.WORKSPACE_CONFIGURATION: partial(_configuration, settings),
            types.WORKSPACE_APPLY_EDIT: _no_edit,
        }
        for method in _ACKNOWLEDGED:
            answers[method] = lambda _: None
        for method, answer in answers.items():
            self.feature(method)(answer)

    async def start(self, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        """Start the process.

        Raises:
            OSError: when it cannot be started.
        """
        self._guarded = await start(
            command,
            cwd=cwd,
            env=env,
            limits=Limits(memory_bytes=0),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._errors,
        )
        process = self._server = self._guarded.process
        self.protocol.set_writer(cast("asyncio.StreamWriter", process.stdin))
        self._async_tasks += [
            asyncio.create_task(self._read(process)),
            asyncio.create_task(self._server_exit()),  # type: ignore[no-untyped-call]  # pygls gives no type
        ]

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Handles what the server says; one that stops talking, or talks something else, is ended."""
        try:
            await run_async(
                self._stop_event,
                cast("asyncio.StreamReader", process.stdout),
                self.protocol,
                error_handler=self._report_server_error,
            )
        except (ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            self._kill()

    @override
    def report_server_error(
        self, error: Exception, source: type[PyglsError] | type[JsonRpcException]
    ) -> None:
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            self._kill()

    async def ask(self, method: str, params: Any, timeout_s: float) -> Any:
        """The answer to a request; while the server reads the project, it may take half a minute.

        Raises:
            ServerGone: when the process has ended or ends meanwhile.
            NoAnswer: when time runs out.
            Mistake: when the server refuses.
        """
        loop = asyncio.get_running_loop()
        limit = loop.time() + _TRY_AGAIN_S
        while loop.time() < limit:
            try:
                return await self._ask_once(method, params, timeout_s)
            except JsonRpcException as error:
                if error.code not in _TRY_AGAIN:
                    raise Mistake(f"The language server refused: {error.message}") from error
            except NoAnswer:
                if not self.working or loop.time() > limit:
                    raise
            await asyncio.sleep(_PAUSE_S)
        raise NoAnswer("The language server is busy with changed files; try again.")

    async def _ask_once(self, method: str, params: Any, timeout_s: float) -> Any:
        if not self.alive:
            raise ServerGone(self.last_words())
        number = uuid.uuid4().hex
        try:
            async with asyncio.timeout(timeout_s):
                return await self.protocol.send_request_async(method, params, number)
        except TimeoutError as error:
            self.protocol.notify(types.CANCEL_REQUEST, types.CancelParams(id=number))
            raise NoAnswer(
                f"The language server did not answer within {timeout_s:g} s; try again later."
            ) from error
        except RuntimeError as error:  # pygls fails what was asked of a process that ended
            raise ServerGone(self.last_words()) from error

    def tell(self, method: str, params: Any) -> None:
        """Send a notification; a server that has ended misses nothing."""
        if self.alive:
            self.protocol.notify(method, params)

    async def diagnostics(
        self, uri: str, version: int, quiet_s: float, *, revised: bool = False
    ) -> list[types.Diagnostic]:
        """What the server tells by itself of a document's version; of one that counts none, its last word.

        `revised`: the last word of one that counts, too, since what it tells first may rest on stale headers.
        """
        while (told := self.published.get(uri)) is None or told.version not in {None, version}:
            await self._hear()
        while (revised or told.version is None) and await self._heard_within(quiet_s):
            told = self.published[uri]
        return list(told.diagnostics)

    async def _hear(self) -> None:
        self.news.clear()
        await self.news.wait()

    async def _heard_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._hear(), seconds)
        except TimeoutError:
            return False
        return True

    @property
    def alive(self) -> bool:
        return not self.stopped and self._server is not None and self._server.returncode is None

    def last_words(self) -> str:
        """Why the server ended, as far as the end of its stderr tells."""
        size = os.fstat(self._errors.fileno()).st_size
        data = os.pread(self._errors.fileno(), _LAST_WORDS_BYTES, max(0, size - _LAST_WORDS_BYTES))
        lines = [line.strip() for line in data.decode(errors="replace").strip().splitlines()]
        if not lines:
            return "it ended without a word"
        return next((line for line in lines if _CAUSE.search(line)), lines[-1])

    async def close(self) -> None:
        """Ends the process and everything that it started."""
        if self.alive:
            with contextlib.suppress(ServerGone, Mistake):
                await self.ask(types.SHUTDOWN, None, _FAREWELL_S)
            self.tell(types.EXIT, None)
        self._kill()
        if self._guarded is not None:
            await self.stop()  # type: ignore[no-untyped-call]  # pygls gives no type
            await self._guarded.end()
        self._errors.close()

    def _kill(self) -> None:
        if self._guarded is not None:
            self._guarded.kill()


_ACKNOWLEDGED = (
    types.CLIENT_REGISTER_CAPABILITY,
    types.CLIENT_UNREGISTER_CAPABILITY,
    types.WINDOW_SHOW_MESSAGE_REQUEST,
    types.WINDOW_LOG_MESSAGE,
    types.WINDOW_WORK_DONE_PROGRESS_CREATE,
    types.WORKSPACE_CODE_LENS_REFRESH,
    types.WORKSPACE_DIAGNOSTIC_REFRESH,
    types.WORKSPACE_INLAY_HINT_REFRESH,
    types.WORKSPACE_SEMANTIC_TOKENS_REFRESH,
    types.TELEMETRY_EVENT,
)


def _configuration(settings: Mapping[str, Any], params: types.ConfigurationParams) -> list[Any]:
    return [_section(settings, item.section or "") for item in params.items]


def _no_edit(_: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
    return types.ApplyWorkspaceEditResult(applied=False, failure_reason="codeflow writes files itself")


def _note_status(working: set[str | int], params: Any) -> None:
    """Parameters that lsprotocol does not know come as they were sent."""
    kind = params.get("type") if isinstance(params, dict) else None
    if kind == "ServiceReady":
        working.discard(_STATUS)
    elif kind == "Starting":
        working.add(_STATUS)


def _section(settings: Mapping[str, Any], name: str) -> Any:
    """The part of the settings at a dotted name; None where there is none."""
    value: Any = settings
    for key in filter(None, name.split(".")):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
