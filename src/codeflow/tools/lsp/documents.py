"""Keeps a server's view of the files equal to the disk: open documents by text, the others by notice of change."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lsprotocol import types

from codeflow.tools.lsp.connection import Connection
from codeflow.tools.text import decode
from codeflow.tools.tool import Mistake

_NOT_SOURCES = frozenset({"node_modules", "__pycache__", "target", "venv"})
_Stamp = tuple[int, int]
"""Time of change and size."""


@dataclass(slots=True)
class _Document:
    text: str
    version: int = 1


class Documents:
    """The files of one project, whose language ids are known by suffix, as its server has been told of them."""

    def __init__(self, connection: Connection, root: Path, language_ids: Mapping[str, str]) -> None:
        self._connection = connection
        self._root = root
        self._language_ids = language_ids
        self._open: dict[Path, _Document] = {}
        self._stamps: dict[Path, _Stamp] = {}

    async def remember(self) -> None:
        """Take what is on disk as known: a server that starts now will find it by itself."""
        self._stamps = await asyncio.to_thread(_scan, self._root, self._language_ids.keys())

    async def refresh(self, path: Path) -> None:
        """Tell the server what changed on disk since the last time, and open `path`."""
        before = self._stamps
        await self.remember()
        events = list(_events(before, self._stamps))
        if events:
            self._connection.tell(
                types.WORKSPACE_DID_CHANGE_WATCHED_FILES, types.DidChangeWatchedFilesParams(changes=events)
            )
        for opened in list(self._open):
            if not opened.exists():
                self._close(opened)
            elif self._stamps.get(opened) != before.get(opened):
                self.show(opened, source(opened))
                self._tell_saved(opened)
        self.show(path, source(path))

    def show(self, path: Path, text: str) -> None:
        """Make a document's text what the server sees, whatever the disk says."""
        document = self._open.get(path)
        if document is None:
            self._open[path] = _Document(text)
            language_id = self._language_ids.get(path.suffix, "plaintext")
            item = types.TextDocumentItem(uri=path.as_uri(), language_id=language_id, version=1, text=text)
            self._connection.tell(types.TEXT_DOCUMENT_DID_OPEN, types.DidOpenTextDocumentParams(item))
        elif document.text != text:
            document.text = text
            self.touch(path)

    def touch(self, path: Path) -> int:
        """Send an open document's text again, as a new version, which is returned."""
        document = self._open[path]
        document.version += 1
        self._connection.tell(
            types.TEXT_DOCUMENT_DID_CHANGE,
            types.DidChangeTextDocumentParams(
                text_document=types.VersionedTextDocumentIdentifier(document.version, path.as_uri()),
                content_changes=[types.TextDocumentContentChangeWholeDocument(document.text)],
            ),
        )
        return document.version

    def version(self, path: Path) -> int:
        """The version of an open document that the server was sent last."""
        return self._open[path].version

    def _tell_saved(self, path: Path) -> None:
        """Some servers look at what depends on a document, or run their checks, only then."""
        params = types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(path.as_uri()))
        self._connection.tell(types.TEXT_DOCUMENT_DID_SAVE, params)

    def _close(self, path: Path) -> None:
        del self._open[path]
        params = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(path.as_uri()))
        self._connection.tell(types.TEXT_DOCUMENT_DID_CLOSE, params)


def source(path: Path) -> str:
    """A file's text, without its byte order mark.

    Raises:
        Mistake: when it is no text.
    """
    text = decode(path.read_bytes())
    if text is None:
        raise Mistake(f"{path.name} is a binary file; language servers read text.")
    return text.content


def _scan(root: Path, suffixes: Iterable[str]) -> dict[Path, _Stamp]:
    """Every source file below a folder; hidden folders and installed packages are left out."""
    wanted = tuple(suffixes)
    found: dict[Path, _Stamp] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_SOURCES]
        found.update(_stamps(folder, [name for name in files if name.endswith(wanted)]))
    return found


def _stamps(folder: str, names: list[str]) -> Iterator[tuple[Path, _Stamp]]:
    for name in names:
        path = Path(folder, name)
        try:
            status = path.stat()
        except OSError:
            continue  # gone since it was listed, or a dangling link
        yield path, (status.st_mtime_ns, status.st_size)


def _events(before: Mapping[Path, _Stamp], after: Mapping[Path, _Stamp]) -> Iterator[types.FileEvent]:
    for path in before.keys() | after.keys():
        if path not in after:
            yield types.FileEvent(path.as_uri(), types.FileChangeType.Deleted)
        elif path not in before:
            yield types.FileEvent(path.as_uri(), types.FileChangeType.Created)
        elif after[path] != before[path]:
            yield types.FileEvent(path.as_uri(), types.FileChangeType.Changed)
