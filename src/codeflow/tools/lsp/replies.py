"""Servers' replies, which may take several shapes each, as plain values."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from codeflow.tools.lsp.values import Diagnostic, Edits, Location, Position, Symbol, TextEdit
from codeflow.tools.tool import Mistake


def path_of(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def locations(reply: Any) -> list[Location]:
    """From `Location`, `Location[]`, `LocationLink[]` or null."""
    found = reply if isinstance(reply, list | tuple) else [reply] if reply else []
    return [
        _location(item.target_uri, item.target_selection_range)
        if isinstance(item, types.LocationLink)
        else _location(item.uri, item.range)
        for item in found
    ]


def hover(reply: types.Hover | None) -> str:
    """From marked-up text in one piece or several."""
    if reply is None:
        return ""
    contents: Any = reply.contents
    pieces = contents if isinstance(contents, list | tuple) else [contents]
    return "\n\n".join(piece if isinstance(piece, str) else piece.value for piece in pieces).strip()


def symbols(reply: Any, path: Path) -> list[Symbol]:
    """From a tree of one document's symbols, or a flat list that names their containers; in order of appearance."""
    return [symbol for item in sorted(reply or (), key=_start) for symbol in _symbols(item, path, ())]


def _start(item: Any) -> tuple[int, int]:
    """Where a symbol begins; some servers order them by name."""
    span = item.range if isinstance(item, types.DocumentSymbol) else getattr(item.location, "range", None)
    return (span.start.line, span.start.character) if span else (0, 0)


def _symbols(item: Any, path: Path, around: tuple[str, ...]) -> Iterator[Symbol]:
    kind = item.kind.name.lower()
    if not isinstance(item, types.DocumentSymbol):
        span = getattr(item.location, "range", types.Range(types.Position(0, 0), types.Position(0, 0)))
        name = f"{item.container_name}.{item.name}" if item.container_name else item.name
        at = _location(item.location.uri, span)
        yield Symbol(name=name, kind=kind, depth=0, at=at, last_line=span.end.line)
        return
    names = (*around, item.name)
    yield Symbol(
        name=".".join(names),
        kind=kind,
        depth=len(around),
        at=Location(path, _position(item.selection_range.start), _position(item.selection_range.end)),
        last_line=item.range.end.line,
    )
    for child in sorted(item.children or (), key=_start):
        yield from _symbols(child, path, names)


def diagnostic(item: types.Diagnostic) -> Diagnostic:
    severity = item.severity or types.DiagnosticSeverity.Error
    return Diagnostic(
        line=item.range.start.line,
        severity=severity.name.lower(),
        message=item.message,
        code=" ".join(str(part) for part in (item.source, item.code) if part is not None),
    )


def edits(reply: types.WorkspaceEdit | None) -> Edits:
    """The text edits of a workspace edit.

    Raises:
        Mistake: when it would also create, rename or delete files.
    """
    found: dict[Path, list[TextEdit]] = defaultdict(list)
    for uri, texts in _documents(reply):
        found[path_of(uri)] += [
            TextEdit(_position(edit.range.start), _position(edit.range.end), _new_text(edit))
            for edit in texts
        ]
    return {path: tuple(items) for path, items in found.items() if items}


def _documents(reply: types.WorkspaceEdit | None) -> Iterable[tuple[str, Iterable[Any]]]:
    if reply is None:
        return
    for document in reply.document_changes or ():
        if not isinstance(document, types.TextDocumentEdit):
            raise Mistake(
                "The language server would also create, rename or delete files; do this step by step."
            )
        yield document.text_document.uri, document.edits
    if not reply.document_changes:
        yield from (reply.changes or {}).items()


def _new_text(edit: Any) -> str:
    return edit.snippet.value if isinstance(edit, types.SnippetTextEdit) else edit.new_text


def _location(uri: str, span: types.Range) -> Location:
    return Location(path_of(uri), _position(span.start), _position(span.end))


def _position(position: types.Position) -> Position:
    return Position(position.line, position.character)
