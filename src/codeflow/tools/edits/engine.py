"""One edit of one text: applied where it certainly belongs, else refused."""

import re
from dataclasses import replace
from difflib import SequenceMatcher

from codeflow.tools.edits import depth, done, elision, ladder, refusal, undo
from codeflow.tools.edits.delta import as_splices
from codeflow.tools.edits.elision import Introduced
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.edits.splices import Splice, occurrences, substitute
from codeflow.tools.tool import Mistake

_WORD = re.compile(r"\w{3}|\S{8}")


def apply(content: str, edit: Edit, newline: str, introduced: Introduced) -> str:
    """The content after an edit; a Mistake unless there is exactly one place and one way to do it.

    `content` has its own line endings; `newline` ends lines added where there were none.
    """
    _refuse_damage(edit)
    if damage := undo.damage_of_new(edit.old, edit.new):
        edit = _mended(content, edit, damage, newline, introduced)
    after = _applied(content, edit, newline)
    elision.refuse_added(edit.old, edit.new, content, after, introduced)
    if undo.traces(edit.new) - undo.traces(edit.old) and (problems := introduced(content, after)):
        raise Mistake(
            f"new_text has escapes or typographic characters that old_text lacks, and the file would not parse: "
            f"{problems[0]}. Write new_text as it shall stand in the file."
        )
    return after


def _applied(content: str, edit: Edit, newline: str) -> str:
    open_end = not content.endswith("\n")
    closed = content + newline if open_end else content
    splices = _splices(closed.replace("\r\n", "\n"), edit, open_end=open_end)
    edited = substitute(closed, splices, newline)
    if edited == closed:
        raise Mistake("The file already is as this edit would make it.")
    return edited.removesuffix(newline) if open_end else edited


def _mended(content: str, edit: Edit, damage: undo.Damage, newline: str, introduced: Introduced) -> Edit:
    """The edit as it was meant, when the file parses with that and would not with new_text as it is."""
    text = content.replace("\r\n", "\n")
    if text.count(edit.old) == 1 and introduced(text, text.replace(edit.old, edit.new)):
        for meant in damage.meant:
            mended = replace(edit, new=meant)
            if meant != edit.old and not introduced(content, _applied(content, mended, newline)):
                return mended
    raise Mistake(f"new_text {damage.what}, old_text is not. Write new_text as it shall stand in the file.")


def _refuse_damage(edit: Edit) -> None:
    if not edit.old.strip():
        raise Mistake("old_text is empty. Copy the text to replace; to create a file use write_file.")
    if edit.old == edit.new:
        raise Mistake("old_text and new_text are the same, so nothing would change.")


def _splices(text: str, edit: Edit, *, open_end: bool) -> list[Splice]:
    edit = _whole_lines_again(text, edit)
    found = [] if edit.whole_lines else list(occurrences(text, edit.old))
    if edit.replace_all and found:
        return _all(found, edit)
    if len(found) > 1:
        raise refusal.ambiguous([text.count("\n", 0, start) for start in found])
    if found and (splices := _literal(text, found[0], edit, open_end=open_end)):
        return splices
    file = text.removesuffix("\n").split("\n")
    changes = ladder.changes(file, edit)
    if changes is None:
        raise refusal.missing(file, edit.old, edit.new)
    return as_splices(file, changes)


def _whole_lines_again(text: str, edit: Edit) -> Edit:
    """The edit with the blanks that old_text lost at its ends, where those of new_text prove that it lost them."""
    start = text.find(edit.old)
    indent = text[text.rfind("\n", 0, start) + 1 : start] if start > 0 else ""
    old, new = edit.old.split("\n"), edit.new.split("\n")
    ending = edit.new[len(edit.new.rstrip("\n")) :]
    if (
        not indent.isspace()
        or old[0][:1].isspace()
        or new[0] != indent + new[0].lstrip()
        or {line for line in old[1:] if line.strip()}.isdisjoint(new[1:])
        or not ending
        or edit.old.endswith("\n")
        or not text.startswith(ending, start + len(edit.old))
    ):
        return edit
    return replace(edit, old=f"{indent}{edit.old}{ending}")


def _all(found: list[int], edit: Edit) -> list[Splice]:
    """Every place that does not overlap an earlier one."""
    splices: list[Splice] = []
    for start in found:
        if not splices or start >= splices[-1].end:
            splices.append(Splice(start, start + len(edit.old), edit.new))
    return splices


def _literal(text: str, start: int, edit: Edit, *, open_end: bool) -> list[Splice]:
    """The one literal occurrence replaced; nothing when its indentation has to be learnt first."""
    old, new = edit.old, edit.new
    end = start + len(old)
    indent = text[text.rfind("\n", 0, start) + 1 : start]
    ends_line = text[end : end + 1] == "\n"
    if indent.isspace():
        if old[0].isspace() or old.split("\n")[0] in new.split("\n")[1:]:
            return []
        _refuse_lost_indent(old, new)
    if not indent and (ends_line or old.endswith("\n")):
        depth.refuse_other(ladder.lines(old), ladder.lines(new), drifts=())
    if not new and not indent.strip() and ends_line and not old.endswith("\n"):
        return [Splice(start - len(indent), end + 1, "")]
    at_end = open_end and end == len(text) - 1
    if new.endswith("\n") and not old.endswith("\n") and ends_line and not at_end:
        raise refusal.one_line_break_more()
    _refuse_line_twice(text[:start], old, new, text[end:])
    new = _with_line_breaks_of(old, new, after_blank=text[start - 1 : start] == "\n")
    done.refuse(text, start, old, new)
    return _lines_that_differ(start, old, new)


def _refuse_line_twice(above: str, old: str, new: str, below: str) -> None:
    """A Mistake when new_text copied a line more of the file than old_text did."""
    before, after = ([line for line in text.split("\n") if line.strip()] for text in (old, new))
    if len(after) <= len(before):
        return
    last = next((line for line in reversed(above.split("\n")) if line.strip()), "")
    first = next((line for line in below.split("\n") if line.strip()), "")
    for line, ours, theirs in ((last, after[0], before[0]), (first, after[-1], before[-1])):
        if line == ours != theirs and _WORD.search(line):
            raise Mistake(
                f"new_text has {line.strip()[:200]!r}, which the file has right beside old_text, so it would stand "
                "there twice. Put that line into old_text too, or leave it out of new_text."
            )


def _with_line_breaks_of(old: str, new: str, *, after_blank: bool) -> str:
    """The new text, which must not glue a line to its neighbours that the old text kept apart."""
    if new and old.startswith("\n") and not new.startswith("\n") and not after_blank:
        raise Mistake("new_text lacks the line break that old_text begins with. Begin both the same way.")
    return f"{new}\n" if new and old.endswith("\n") and not new.endswith("\n") else new


def _refuse_lost_indent(old: str, new: str) -> None:
    one_line = "\n" not in old.strip("\n")
    if new[:1].isspace() or (one_line and "\n" in new.strip("\n")):
        raise Mistake(
            "old_text begins after the indentation of its line, so the depth of the new lines is unclear. "
            "Begin old_text and new_text with the indentation that the file has there."
        )


def _lines_that_differ(start: int, old: str, new: str) -> list[Splice]:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    offsets = [start]
    for line in before:
        offsets.append(offsets[-1] + len(line))
    operations = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [
        Splice(offsets[old_from], offsets[old_to], "".join(after[new_from:new_to]))
        for operation, old_from, old_to, new_from, new_to in operations
        if operation != "equal"
    ]
