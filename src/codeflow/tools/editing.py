"""Tools that change files. Each reads and writes without awaiting between, so parallel calls cannot interleave."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from typing_extensions import TypedDict  # pydantic refuses typing's before Python 3.12

from codeflow.core.values import Effect, ToolResult
from codeflow.syntax.problems import problems as syntax_errors
from codeflow.tools.code import new_diagnostics
from codeflow.tools.edits import elision, parsing
from codeflow.tools.edits.changeset import Changeset, Draft
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.edits.patch import FilePatch, patched
from codeflow.tools.edits.refusal import Ambiguous
from codeflow.tools.text import Text
from codeflow.tools.tool import Arguments, Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_LONGEST_PROBLEMS = 20_000
_MOST_PROBLEMS = 10
_MOST_DIAGNOSED = 3
_Step = TypeVar("_Step")


class TextEdit(TypedDict):
    path: str
    old_text: str
    new_text: str


@tool(effect=Effect.WRITE, summary=argument("path"))
async def write_file(ws: Workspace, path: str, content: str) -> ToolResult:
    """Create a file, or replace one that you have read completely. Missing folders are made.

    Args:
        path: File, relative to the workspace.
        content: The whole new content.
    """
    if path.endswith("/"):
        raise Mistake(f"{path} names a folder. Leave out the slash, or add the file's name.")
    changes = Changeset(ws, syntax_errors)
    draft = changes.draft(path)
    if draft.before is None or draft.data is None:
        draft.after = Text(content)
        return await committed(ws, changes, "created.", shown=False)
    if problem := ws.unseen(draft.real, draft.data, len(draft.before.lines)):
        raise Mistake(f"{problem} Read the whole file first, or use edit_file.")
    new = content.replace("\r\n", "\n")
    old = draft.before.content.replace("\r\n", "\n")
    elision.refuse_added(old, new, old, new, changes.introduced(path))
    changes.replace(path, new.replace("\n", draft.before.newline))
    return await committed(ws, changes, "replaced.", shown=False)


@tool(effect=Effect.WRITE, summary=argument("path"))
async def edit_file(
    ws: Workspace, path: str, old_text: str, new_text: str, replace_all: bool = False
) -> ToolResult:
    """Replace a piece of a file. Copy `old_text` exactly; it must occur once.

    Args:
        path: File.
        old_text: What stands there now, with its indentation, without line numbers.
        new_text: What shall stand there.
        replace_all: Replace every occurrence.
    """
    changes = Changeset(ws, syntax_errors)
    try:
        changes.edit(path, _edit(old_text, new_text, replace_all=replace_all))
    except Ambiguous as mistake:
        every = (
            "replace_all needs it as it stands there, with its indentation: edit the places one by one."
            if replace_all
            else "Or set replace_all to mean every one."
        )
        raise Mistake(f"{mistake} {every}") from mistake
    return await committed(ws, changes, "edited.")


def _edited(arguments: Arguments) -> list[str]:
    edits = arguments.get("edits")
    named = [edit["path"] for edit in edits if isinstance(edit, dict) and "path" in edit] if edits else []
    return list(dict.fromkeys(map(str, named)))


@tool(effect=Effect.WRITE, summary=lambda given: ", ".join(_edited(given)), names=_edited)
async def multi_edit(ws: Workspace, edits: list[TextEdit]) -> ToolResult:
    """Make several replacements in one or more files, all or none, each as by edit_file.

    Args:
        edits: In the order in which they are made.
    """
    if not edits:
        raise Mistake("There is no edit in edits, so nothing would change.")
    changes = Changeset(ws, syntax_errors)
    problems = [
        f"Edit {number} ({edit['path']}): {problem}"
        for number, edit in enumerate(edits, 1)
        if (problem := _attempt(_make_edit, changes, edit))
    ]
    _refuse(problems, len(edits), "edits")
    return await committed(ws, changes, "edited.")


def _make_edit(changes: Changeset, edit: TextEdit) -> None:
    changes.edit(edit["path"], _edit(edit["old_text"], edit["new_text"]))


def _patched(arguments: Arguments) -> list[str]:
    try:
        files = parsing.parse(str(arguments.get("patch") or ""))
    except Mistake:
        return []  # the call itself says what is wrong
    return list(dict.fromkeys(name for file in files for name in (file.source, file.target) if name))


@tool(effect=Effect.WRITE, summary=lambda given: ", ".join(_patched(given)), names=_patched)
async def apply_patch(ws: Workspace, patch: str) -> ToolResult:
    """Apply a patch to one or more files, all of it or nothing.

    Args:
        patch: A unified diff, or `*** Begin Patch` with `*** Add|Update|Delete File: PATH` and `*** Move to: PATH`.
    """
    files = parsing.parse(patch)
    changes = Changeset(ws, syntax_errors)
    refused: dict[str, list[FilePatch]] = {}
    problems: list[str] = []
    for file in files:
        name = file.source or file.target or ""
        if file.source is None and any(earlier.target is None for earlier in refused.get(name, ())):
            continue  # made anew in place of a file whose deletion was refused, which is said already
        if problem := _attempt(_make_patch, changes, file):
            refused.setdefault(name, []).append(file)
            problems.append(f"{name}: {problem}")
    _refuse(problems, len(files), "files")
    return await committed(ws, changes, "patched.")


def _make_patch(changes: Changeset, patch: FilePatch) -> None:
    if patch.source is None:
        _create(changes, patch, Text(patch.new_content), 0o755 if patch.executable else None)
        return
    if patch.target != patch.source:
        changes.refuse_link(patch.source)
    text = changes.content(patch.source)
    content = patched(text.content, patch, text.newline, changes.introduced(patch.source))
    source = changes.draft(patch.source)
    mode = source.real.stat().st_mode & 0o7777 if source.real.exists() else 0o644
    if patch.target is None:
        _refuse_blind_delete(source, content, patch)
        source.after = None
    elif patch.target != patch.source:
        source.after = None
        _create(changes, patch, replace(text, content=content), mode)
    else:
        changes.replace(patch.source, content)
    if patch.target and patch.executable is not None:
        changes.draft(patch.target).mode = mode | 0o111 if patch.executable else mode & ~0o111


def _create(changes: Changeset, patch: FilePatch, text: Text, mode: int | None) -> None:
    draft = changes.draft(patch.target or "")
    if draft.after is not None:
        raise Mistake("This file exists already; update it, or delete it first.")
    draft.after, draft.mode = text, mode


def _refuse_blind_delete(draft: Draft, rest: str, patch: FilePatch) -> None:
    if patch.hunks and rest:
        raise Mistake("The patch deletes the file but does not remove all of its lines. Read the file again.")
    if not patch.hunks and not draft.known:
        raise Mistake("Read the whole file before you delete it.")


def _edit(old: str, new: str, *, replace_all: bool = False) -> Edit:
    return Edit(old.replace("\r\n", "\n"), new.replace("\r\n", "\n"), replace_all=replace_all)


def _attempt(make: Callable[[Changeset, _Step], None], changes: Changeset, step: _Step) -> Mistake | None:
    """Why a step cannot be made, or None when it was."""
    try:
        make(changes, step)
    except Mistake as mistake:
        return mistake
    return None


def _refuse(problems: Sequence[str], count: int, what: str) -> None:
    """A Mistake with every problem there is."""
    if problems:
        text = "\n\n".join(problems)
        if len(text) > _LONGEST_PROBLEMS:
            text = f"{text[:_LONGEST_PROBLEMS]}\n[cut; correct these first]"
        raise Mistake(f"Nothing was changed: {len(problems)} of {count} {what} cannot be made.\n{text}")


async def committed(ws: Workspace, changes: Changeset, verb: str, *, shown: bool = True) -> ToolResult:
    """What was written, with the diff and what is wrong now that was not before."""
    drafts = changes.drafts
    if not drafts:
        return ToolResult(content="Nothing to do: everything is like that already.", display="no change")
    parts = [_described(draft, verb, shown=shown) for draft in drafts]
    parts += _parted_links(drafts)
    problems = changes.problems()
    changes.commit()
    if problems:
        parts += ["New syntax errors; correct them:", *problems[:_MOST_PROBLEMS]]
    elif found := await _diagnosed(ws, drafts):
        parts += ["New problems, by the language server:", *found[:_MOST_PROBLEMS]]
    differences = [draft.difference for draft in drafts]
    added, removed = (
        sum(counts) for counts in zip(*((d.added, d.removed) for d in differences), strict=True)
    )
    return ToolResult(
        content="\n".join(parts),
        display=f"+{added} -{removed}" if shown else verb.rstrip("."),
        changed=tuple(draft.name for draft in drafts),
    )


async def _diagnosed(ws: Workspace, drafts: Sequence[Draft]) -> list[str]:
    """What running language servers find in the changed files that they did not find before."""
    return [
        f"{draft.name}:{problem}"
        for draft in drafts[:_MOST_DIAGNOSED]
        if draft.before is not None and draft.after is not None
        for problem in await new_diagnostics(ws, draft.real, draft.before.content)
    ]


def _parted_links(drafts: Sequence[Draft]) -> list[str]:
    """A line for each file that has other names, which keep the old content: a write in one step makes a new file."""
    kept = [draft for draft in drafts if draft.before is not None and draft.after not in (None, draft.before)]
    return [
        f"[{draft.name} was one of {count} hard links to a file; the others keep what it was]"
        for draft in kept
        if (count := draft.real.stat().st_nlink) > 1
    ]


def _described(draft: Draft, verb: str, *, shown: bool) -> str:
    if draft.after is None:
        return f"{draft.name} deleted."
    if draft.before is None:
        return f"{draft.name} created."
    return f"{draft.name} {verb}\n{_shown(draft)}" if shown else f"{draft.name} {verb}"


def _shown(draft: Draft) -> str:
    """The difference; where lines say nothing of it, in words."""
    if shown := draft.difference.shown:
        return shown
    return "(only line endings changed)" if draft.before != draft.after else "(only permissions changed)"
