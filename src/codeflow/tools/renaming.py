"""What a rename must not break: a name that is taken, a list of exports, and words that no server understands."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeflow.syntax.tags import Definition, tags
from codeflow.tools.lsp.positions import apply_edits, split_lines, utf16_length
from codeflow.tools.lsp.values import Edits, Location, Position, TextEdit
from codeflow.tools.output import capped
from codeflow.tools.python_classes import binds, keywords, relatives
from codeflow.tools.symbols import Address, Hit
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

if TYPE_CHECKING:
    from codeflow.tools.lsp.server import Server  # imports lsprotocol, which takes a fifth of a second

_INSTALLED = {"node_modules", "site-packages"}
_MOST_PLACES = 20
_LONGEST_LINE = 120


@dataclass(frozen=True, slots=True)
class Renaming:
    """A symbol, what it is called now and shall be called, and the server's edits."""

    at: Address
    old: str
    new: str
    definitions: Sequence[Location]
    edits: Edits

    @property
    def complete(self) -> bool:
        """Whether the definition itself is renamed."""
        return bool(self.edits) and all(at.path in self.edits for at in self.definitions)


async def proposed(
    server: "Server", at: Address, old: str, new: str, mentions: Sequence[Path]
) -> tuple[Renaming, Sequence[Location]]:
    """The server's edits, and the places where it would lose or gain a use of the symbol by them.

    It gains or loses uses where the new name has a meaning already.
    """
    definitions = await server.definition(at.path, at.position)
    edits = await server.rename(at.path, at.position, new, mentions)
    renaming = Renaming(at, old, new, definitions, edits)
    if not renaming.complete:
        return renaming, ()
    before = (await server.references(at.path, at.position, mentions)).locations
    texts = {path: apply_edits(_source(path), made) for path, made in edits.items()}
    after = await server.references_if(texts, at.path, _moved(at, edits), before)
    return renaming, _differing(before, after)


def refuse_foreign(
    ws: Workspace, renaming: Renaming, differing: Sequence[Location], files: Collection[Path]
) -> None:
    """A Mistake when the rename reaches beyond the project's own files: a library that has the name goes by it."""
    reached = {*renaming.edits, *(at.path for at in differing)}
    foreign = sorted(path for path in reached if path not in files or not _INSTALLED.isdisjoint(path.parts))
    if foreign:
        names = [ws.relative(path) if path.is_relative_to(ws.root) else str(path) for path in foreign]
        headline = f"Nothing was renamed: {renaming.old} belongs to files too that are a library's, or that git ignores:"
        advice = (
            "What uses it there goes by the name, so it has to stay; for another name, add one that calls it."
        )
        raise Mistake("\n".join([headline, *capped(names, _MOST_PLACES, "more"), advice]))


def refuse_taken(ws: Workspace, renaming: Renaming, differing: Sequence[Location]) -> None:
    """A Mistake when the new name has a meaning already where the symbol is defined or used, or a use would be lost."""
    taken = [
        f"{ws.relative(place.path)}:{other.line}: {other.signature}"
        for place in renaming.definitions
        for other in _beside(place, renaming.new)
    ]
    taken += [
        f"{ws.relative(place.path)}:{place.start.line + 1}: {_line(place.path, place.start.line)}"
        for place in differing
    ]
    word = re.compile(rf"\b{re.escape(renaming.new)}\b")
    if taken and not any(word.search(_source(place.path)) for place in (*renaming.definitions, *differing)):
        headline = (
            f"Nothing was renamed: the language server would leave {renaming.old} as it is here, as where an import says "
            f"`{renaming.old} as {renaming.old}`:"
        )
        rows = capped(list(dict.fromkeys(taken)), _MOST_PLACES, "more; find_references shows them")
        raise Mistake("\n".join([headline, *rows, "Rename it by find_references and multi_edit."]))
    if taken:
        rows = list(dict.fromkeys(taken))[:_MOST_PLACES]
        raise Mistake(
            "\n".join(
                [
                    f"Nothing was renamed: {renaming.new} has another meaning already, here:",
                    *rows,
                    f"Choose another name, or rename what bears it first; where {renaming.old} overrides another, rename that.",
                ]
            )
        )


def refuse_relatives(
    ws: Workspace, renaming: Renaming, files: Collection[Path], mentions: Sequence[Path]
) -> None:
    """A Mistake when classes above or below have the member too: a server renames one of them, which parts them."""
    found = [
        member
        for place in renaming.definitions
        for member in relatives(files, mentions, renaming.old, place.path, place.start.line + 1)
    ]
    if found:
        rows = [f"{ws.relative(member.path)}:{member.line}: {member.owner}.{member.name}" for member in found]
        raise Mistake(
            "\n".join(
                [
                    f"Nothing was renamed: classes above or below have {renaming.old} too, and overriding goes by the name:",
                    *capped(rows, _MOST_PLACES, "more; find_references shows them"),
                    "Rename all of them at once: find_references of each, then multi_edit.",
                ]
            )
        )


def broken_patterns(ws: Workspace, mentions: Sequence[Path], old: str) -> list[str]:
    """The class patterns, after a rename, that still name a member as it was."""
    rows = [f"{ws.relative(found.path)}:{found.line}: {found.text}" for found in keywords(mentions, old)]
    if not rows:
        return []
    headline = (
        f"NOT renamed, and no longer fitting if they mean the symbol, are patterns that take {old} by name:"
    )
    return [headline, *capped(rows, _MOST_PLACES, "more; search_files shows them")]


def with_exports(renaming: Renaming) -> dict[Path, tuple[TextEdit, ...]]:
    """The edits, and those of the strings in Python's `__all__` that name the symbol in a module that binds it."""
    return {path: (*made, *_export_edits(path, renaming, made)) for path, made in renaming.edits.items()}


def left_over(ws: Workspace, hits: Sequence[Hit], old: str) -> list[str]:
    """Where a word still stands after a rename: in comments, strings and documents, or as another's name."""
    if not hits:
        return []
    rows = [f"{ws.relative(hit.path)}:{hit.line + 1}: {hit.text.strip()[:_LONGEST_LINE]}" for hit in hits]
    return [
        f"The word {old} still stands here; change by edit_file what means the symbol:",
        *capped(rows, _MOST_PLACES, "more; search_files shows them"),
    ]


def _beside(place: Location, name: str) -> list[Definition]:
    """Definitions of that name in the scope in which the symbol is defined."""
    text = _source(place.path)
    found = tags(place.path.name, text).definitions
    line = split_lines(text)[place.start.line].encode("utf-16-le")
    own_name = line[2 * place.start.character : 2 * place.end.character].decode("utf-16-le", "ignore")
    around = [
        item for item in found if item.name == own_name and item.line <= place.start.line + 1 <= item.end_line
    ]
    if not around:
        return []
    scope = around[-1].qualified.rpartition(".")[0]
    return [item for item in found if item.name == name and item.qualified.rpartition(".")[0] == scope]


def _moved(at: Address, edits: Edits) -> Position:
    """Where the symbol's name stands after the edits, which leave the lines as they are."""
    before = [
        edit
        for edit in edits.get(at.path, ())
        if edit.end.line == at.position.line and edit.end <= at.position
    ]
    shift = sum(utf16_length(edit.new) - (edit.end.character - edit.start.character) for edit in before)
    return Position(at.position.line, at.position.character + shift)


def _differing(before: Iterable[Location], after: Iterable[Location]) -> list[Location]:
    """Places on lines that have more uses before than after, or the other way."""
    old, new = (Counter((at.path, at.start.line) for at in places) for places in (before, after))
    changed = {line for line in old.keys() | new.keys() if old[line] != new[line]}
    return sorted(
        {
            (at.path, at.start.line): at for at in (*after, *before) if (at.path, at.start.line) in changed
        }.values()
    )


def _export_edits(path: Path, renaming: Renaming, made: Sequence[TextEdit]) -> Iterator[TextEdit]:
    text = _source(path)
    if path.suffix not in {".py", ".pyi"} or "__all__" not in text:
        return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    edited = {edit.start.line + 1 for edit in made}
    if not any(binds(node, renaming.old) and _covers(node, edited) for node in tree.body):
        return
    lines = split_lines(text)
    done = {edit.start for edit in made}
    for string in _exports(tree):
        if (edit := _string_edit(string, lines, renaming)) and edit.start not in done:
            yield edit


def _covers(node: ast.stmt, lines: Iterable[int]) -> bool:
    return any(node.lineno <= line <= (node.end_lineno or node.lineno) for line in lines)


def _exports(tree: ast.Module) -> Iterator[ast.Constant]:
    """The strings that a module's `__all__` is given."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.List | ast.Tuple | ast.Set) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in targets
        ):
            yield from (item for item in value.elts if isinstance(item, ast.Constant))


def _string_edit(string: ast.Constant, lines: Sequence[str], renaming: Renaming) -> TextEdit | None:
    """The edit of a plain string that is the old name; columns of `ast` are bytes of UTF-8."""
    if string.value != renaming.old or string.end_lineno != string.lineno or string.end_col_offset is None:
        return None
    line = lines[string.lineno - 1].encode()
    quoted = line[string.col_offset : string.end_col_offset].decode()
    if quoted[1:-1] != renaming.old:
        return None
    start = utf16_length(line[: string.col_offset].decode()) + 1
    row = string.lineno - 1
    return TextEdit(Position(row, start), Position(row, start + utf16_length(renaming.old)), renaming.new)


def _source(path: Path) -> str:
    from codeflow.tools.lsp.documents import source

    return source(path)


def _line(path: Path, number: int) -> str:
    lines = split_lines(_source(path))
    return lines[number].strip()[:_LONGEST_LINE] if number < len(lines) else ""
