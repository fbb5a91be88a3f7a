"""From a patch's text to its files and hunks: unified diffs and `*** Begin Patch` ones."""

import re
from collections.abc import Sequence

from codeflow.tools.edits.patch import FilePatch, Hunk
from codeflow.tools.tool import Mistake

_ENVELOPE = re.compile(r"(?:```.*|(?:apply_patch\s*)?<<\s*['\"]?\w+['\"]?|EOF|\s*)")
_NUMBERS = re.compile(r"@@+ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@+.*")
_GIT_HEADER = re.compile(r"diff --git a/(.+) b/(.+)")
_MODE = re.compile(r"new (file )?mode (\d+)")
_DIRECTIVE = re.compile(r"\*\*\* (Add|Delete|Update) File: (.+)")
_MOVE = "*** Move to: "


def parse(patch: str) -> list[FilePatch]:
    """The files of a patch in either style; a Mistake names the line that cannot be read."""
    lines = patch.replace("\r\n", "\n").split("\n")
    while lines and _ENVELOPE.fullmatch(lines[0]):
        del lines[0]
    while lines and _ENVELOPE.fullmatch(lines[-1]) and not lines[-1].startswith(" "):
        del lines[-1]
    files = _directives(lines) if any(map(_DIRECTIVE.fullmatch, lines)) else _unified(lines)
    if not files:
        raise Mistake(
            "The patch names no file. Begin each with `*** Update File: PATH`, or with `--- a/PATH` and `+++ b/PATH`."
        )
    return files


def _directives(lines: Sequence[str]) -> list[FilePatch]:
    files: list[FilePatch] = []
    anchors: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        if found := _DIRECTIVE.fullmatch(line.rstrip()):
            verb, path = found.groups()
            files.append(FilePatch(None if verb == "Add" else path, None if verb == "Delete" else path))
            anchors = ()
        elif line.rstrip() in ("*** Begin Patch", "*** End Patch"):
            continue
        elif not files:
            raise _unreadable(number, line)
        elif line.startswith(_MOVE):
            files[-1].target = line.removeprefix(_MOVE).strip()
        elif line.rstrip() == "*** End of File" and files[-1].hunks:
            files[-1].hunks[-1].at_end = True
        elif line.startswith("@@"):
            anchors = _open_hunk(files[-1], line, anchors)
        else:
            _add(files[-1], number, line)
    return [_trimmed(file) for file in files]


def _open_hunk(file: FilePatch, line: str, anchors: tuple[str, ...]) -> tuple[str, ...]:
    """Begins a hunk; anchors on lines that follow each other belong to one hunk."""
    if numbers := _NUMBERS.fullmatch(line):
        file.hunks.append(Hunk(line=int(numbers[1])))
        return ()
    stacked = file.hunks and file.hunks[-1].is_empty
    anchor = line.strip("@").strip()
    anchors = (*(anchors if stacked else ()), *([anchor] if anchor else []))
    if stacked:
        file.hunks.pop()
    file.hunks.append(Hunk(anchors=anchors))
    return anchors


def _unified(lines: Sequence[str]) -> list[FilePatch]:
    files: list[FilePatch] = []
    in_hunk = has_git_header = renames = False
    for number, line in enumerate(lines, 1):
        following = lines[number] if number < len(lines) else ""
        if found := _GIT_HEADER.fullmatch(line):
            files.append(FilePatch(found[1], found[2]))
            in_hunk, has_git_header, renames = False, True, False
        elif line.startswith("--- ") and following.startswith("+++ "):
            source, target = _names(line, following)
            if None not in (source, target) and source != target and not renames:
                raise _two_names(source, target)
            if has_git_header:
                files.pop()
            files.append(FilePatch(source, target))
            in_hunk = has_git_header = renames = False
        elif line.startswith("@@") and files:
            _open_hunk(files[-1], line, ())
            in_hunk = True
        elif in_hunk:
            _add(files[-1], number, line)
        elif files:
            renames |= line.startswith("rename from ")
            _git_detail(files[-1], line)
    return [_trimmed(file) for file in files]


def _two_names(source: str | None, target: str | None) -> Mistake:
    return Mistake(
        f"The patch turns {source} into {target}. To change a file, name the same path twice; to move it, say so with "
        "`rename from` and `rename to` lines below a `diff --git` line, or use `*** Update File` and `*** Move to`."
    )


def _names(old: str, new: str) -> tuple[str | None, str | None]:
    """The paths of a file before and after; git's `a/` and `b/` go when both are there."""
    source, target = (line[4:].split("\t")[0].strip().strip('"') for line in (old, new))
    if source.startswith(("a/", "/dev/null")) and target.startswith(("b/", "/dev/null")):
        source, target = source.removeprefix("a/"), target.removeprefix("b/")
    return (None if source == "/dev/null" else source), (None if target == "/dev/null" else target)


def _git_detail(file: FilePatch, line: str) -> None:
    """A line between `diff --git` and the first hunk."""
    if line.startswith(("GIT binary patch", "Binary files ")):
        raise Mistake("Binary files cannot be patched. Leave them out of the patch.")
    if line.startswith("copy from "):
        raise Mistake(
            "A patch cannot copy a file here. Write the copy with write_file, and leave it out of the patch."
        )
    if line.startswith("deleted file mode"):
        file.target = None
    elif mode := _MODE.fullmatch(line):
        file.source = None if mode[1] else file.source
        file.executable = mode[2].endswith("755")


def _add(file: FilePatch, number: int, line: str) -> None:
    """One line of a hunk: kept, removed or added; a kept blank line may have lost its sign."""
    if not file.hunks:
        file.hunks.append(Hunk())
    hunk, sign, text = file.hunks[-1], line[:1] or " ", line[1:]
    if sign == "\\":
        hunk.old_open |= hunk.last_sign in " -"
        hunk.new_open |= hunk.last_sign in " +"
        return
    if sign not in " +-":
        raise _unreadable(number, line)
    if sign in " -":
        hunk.old.append(text)
    if sign in " +":
        hunk.new.append(text)
    hunk.last_sign = line[:1]


def _unreadable(number: int, line: str) -> Mistake:
    return Mistake(
        f"Line {number} of the patch, {line[:100]!r}, cannot be read: "
        "begin kept lines with a blank, removed ones with - and added ones with +."
    )


def _trimmed(file: FilePatch) -> FilePatch:
    """The file without empty hunks and without the empty lines that only part them."""
    for hunk in file.hunks:
        while hunk.last_sign == "" and hunk.old and hunk.new and not hunk.old[-1] and not hunk.new[-1]:
            del hunk.old[-1], hunk.new[-1]
    file.hunks = [hunk for hunk in file.hunks if not hunk.is_empty]
    return file
