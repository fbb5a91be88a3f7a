"""From a patch's text to its files and hunks: unified diffs and `*** Begin Patch` ones."""

import re
from collections.abc import Sequence

from codeflow.tools.edits.hunks import add_line, open_hunk, trimmed, unreadable
from codeflow.tools.edits.patch import FilePatch
from codeflow.tools.edits.unified import unified
from codeflow.tools.tool import Mistake

_ENVELOPE = re.compile(r"(?:```.*|(?:apply_patch\s*)?<<\s*['\"]?\w+['\"]?|EOF|\s*)")
_DIRECTIVE = re.compile(r"\*\*\* (Add|Delete|Update) File: (.+)")
_MOVE = "*** Move to: "
_END = "*** End Patch"


def parse(patch: str) -> list[FilePatch]:
    """The files of a patch in either style; a Mistake names the line that cannot be read.

    Lines keep a carriage return at their end, unless every line of the patch has one.
    """
    every = patch.count("\r\n") == patch.count("\n")
    lines = (patch.replace("\r\n", "\n") if every else patch).split("\n")
    while lines and _ENVELOPE.fullmatch(lines[0]):
        del lines[0]
    while lines and _ENVELOPE.fullmatch(lines[-1]) and not lines[-1].startswith(" "):
        del lines[-1]
    has_directives = any(_DIRECTIVE.fullmatch(line.rstrip()) for line in lines)
    files = _directives(lines) if has_directives else unified(lines)
    if not files:
        raise Mistake(
            "The patch names no file. Begin each with `*** Update File: PATH`, or with `--- a/PATH` and `+++ b/PATH`."
        )
    return files


def _directives(lines: Sequence[str]) -> list[FilePatch]:
    if lines[-1].rstrip() != _END:
        raise Mistake(f"The patch does not end in `{_END}`; is it cut off? Send all of it.")
    files: list[FilePatch] = []
    anchors: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        if found := _DIRECTIVE.fullmatch(line.rstrip()):
            verb, path = found.groups()
            files.append(FilePatch(None if verb == "Add" else path, None if verb == "Delete" else path))
            anchors = ()
        elif line.rstrip() in ("*** Begin Patch", _END):
            continue
        elif not files:
            raise unreadable(number, line)
        elif line.startswith(_MOVE):
            files[-1].target = line.removeprefix(_MOVE).strip()
        elif line.rstrip() == "*** End of File" and files[-1].hunks:
            files[-1].hunks[-1].at_end = True
        elif line.startswith("@@"):
            anchors = open_hunk(files[-1], line, anchors)
        else:
            add_line(files[-1], number, line)
    return [trimmed(file) for file in files]
