"""Unified diffs, as diff and git print them and as models write them."""

import re
from collections.abc import Sequence

from codeflow.tools.edits.hunks import add_line, counts, open_hunk, trimmed
from codeflow.tools.edits.patch import FilePatch
from codeflow.tools.tool import Mistake

_GIT_HEADER = "diff --git "
_ONE_NAME = re.compile(
    r'a/(?P<bare>.+) b/(?P=bare)|"a/(?P<quoted>.+)" "b/(?P=quoted)"|(?P<plain>.+) (?P=plain)'
)
_MODE = re.compile(r"(old mode|new mode|new file mode|deleted file mode|index \S+) (\d{6})")
_RENAME = re.compile(r"rename (from|to) (.+)")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPED = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
_NO_FILE = {"120": "a symbolic link", "160": "a submodule"}
"""What it is, by how its mode begins."""
_SIGNATURE = "--"
"""Ends the diff in a mail that git has formatted."""


def unified(lines: Sequence[str]) -> list[FilePatch]:
    """The files of a diff. Lines that the numbers after @@ count belong to the hunk, whatever they look like."""
    files: list[FilePatch] = []
    in_hunk = False
    for number, line in enumerate(lines, 1):
        following = lines[number] if number < len(lines) else ""
        hunk = files[-1].hunks[-1] if in_hunk else None
        if hunk and hunk.wants(line):
            add_line(files[-1], number, line)
        elif line.startswith(_GIT_HEADER):
            files.append(_from_header(line.rstrip()))
            in_hunk = False
        elif line.startswith("--- ") and following.startswith("+++ "):
            _name(files, line.rstrip(), following.rstrip())
            in_hunk = False
        elif line.startswith("@@") and files:
            open_hunk(files[-1], line, ())
            files[-1].hunks[-1].counts = counts(line)
            in_hunk = True
        elif hunk and hunk.is_full and line.rstrip() in ("", _SIGNATURE):
            in_hunk = not line.rstrip()
        elif hunk:
            add_line(files[-1], number, line)
        elif files:
            _read_detail(files[-1], line.rstrip())
    for file in files:
        _refuse_cut(file)
    return [trimmed(file) for file in files]


def _from_header(line: str) -> FilePatch:
    """The file of a `diff --git` line; without a name when it has two, which other lines must tell apart."""
    found = _ONE_NAME.fullmatch(line.removeprefix(_GIT_HEADER))
    if not found:
        return FilePatch("", "")
    name = found["bare"] or _unquoted(f'"{found["quoted"]}"' if found["quoted"] else found["plain"])
    return FilePatch(name, name)


def _name(files: list[FilePatch], old: str, new: str) -> None:
    """Takes the names of `---` and `+++`, which belong to the `diff --git` line above or begin a file."""
    source, target = _names(old, new)
    moves = False
    if files and not files[-1].has_names:
        moves = files[-1].source != files[-1].target
    else:
        files.append(FilePatch(source, target))
    if None not in (source, target) and source != target and not moves:
        raise _two_names(source, target)
    files[-1].source, files[-1].target, files[-1].has_names = source, target, True


def _two_names(source: str | None, target: str | None) -> Mistake:
    return Mistake(
        f"The patch turns {source} into {target}. To change a file, name the same path twice; to move it, say so with "
        "`rename from` and `rename to` lines below a `diff --git` line, or use `*** Update File` and `*** Move to`."
    )


def _names(old: str, new: str) -> tuple[str | None, str | None]:
    """The paths of a file before and after; git's `a/` and `b/` go when both are there."""
    source, target = (_unquoted(line[4:].split("\t")[0].strip()) for line in (old, new))
    if source.startswith(("a/", "/dev/null")) and target.startswith(("b/", "/dev/null")):
        source, target = source.removeprefix("a/"), target.removeprefix("b/")
    return (None if source == "/dev/null" else source), (None if target == "/dev/null" else target)


def _unquoted(name: str) -> str:
    """A path as git quotes it: other bytes than those of plain characters as octal numbers."""
    if not re.fullmatch(r'".*"', name):
        return name

    def byte(found: re.Match[bytes]) -> bytes:
        escape = found[1]
        return bytes([int(escape, 8) & 0xFF if len(escape) > 1 else _ESCAPED.get(escape[0], escape[0])])

    return _ESCAPE.sub(byte, name[1:-1].encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _read_detail(file: FilePatch, line: str) -> None:
    """A line between `diff --git` and the first hunk."""
    if line.startswith(("GIT binary patch", "Binary files ")):
        raise Mistake("Binary files cannot be patched. Leave them out of the patch.")
    if line.startswith("copy from "):
        raise Mistake(
            "A patch cannot copy a file here. Write the copy with write_file, and leave it out of the patch."
        )
    if renamed := _RENAME.fullmatch(line):
        side = "source" if renamed[1] == "from" else "target"
        setattr(file, side, _unquoted(renamed[2]))
    elif mode := _MODE.fullmatch(line):
        _read_mode(file, *mode.groups())


def _read_mode(file: FilePatch, what: str, mode: str) -> None:
    if kind := _NO_FILE.get(mode[:3]):
        raise Mistake(
            f"{file.target or file.source} is {kind}, and apply_patch only changes files. Leave it out of the patch; "
            "run_command can change it (ln -s, rm, git submodule)."
        )
    if what == "deleted file mode":
        file.target = None
    elif what in ("new mode", "new file mode"):
        file.source = None if what == "new file mode" else file.source
        file.executable = mode.endswith("755")


def _refuse_cut(file: FilePatch) -> None:
    """A Mistake unless the file has all that its lines announce."""
    name = file.target or file.source
    if "" in (file.source, file.target):
        raise Mistake(
            "A `diff --git` line names two files, and no line below says which is which. Add `rename from` and "
            "`rename to`, or `---` and `+++` with the same path."
        )
    if file.has_names and not file.hunks:
        raise Mistake(f"The patch says nothing of what changes in {name}; is it cut off? Send all of it.")
    for number, hunk in enumerate(file.hunks, 1):
        if hunk.counts and not hunk.is_full:
            old, new = hunk.counts
            raise Mistake(
                f"Hunk {number} of {name} announces {old} old and {new} new lines after @@ but has {len(hunk.old)} and "
                f"{len(hunk.new)}; is it cut off? Send all of it, with right counts or with @@ alone."
            )
