"""Patches as values, whichever way they were written, and how a hunk finds its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from codeflow.tools.edits import depth, done, elision, engine
from codeflow.tools.edits.headings import Section, is_heading
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.edits.places import Place
from codeflow.tools.edits.splices import occurrences
from codeflow.tools.tool import Mistake


@dataclass(slots=True)
class Hunk:
    """Lines to find and the lines that shall stand there instead; one may end in a carriage return."""

    line: int | None = None
    """Where the new lines shall begin, from 1."""
    heading: str = ""
    """The line above it that heads its section in the old file, maybe cut."""
    anchors: tuple[str, ...] = ()
    """Lines above it, each within the block that the one before opens."""
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    at_end: bool = False
    """It ends where the file ends."""
    old_open: bool = False
    """The last of the old lines has no line ending."""
    new_open: bool = False
    """The last of the new lines has none."""
    last_sign: str = " "
    """Of the line read last; empty for a blank line without one."""
    counts: tuple[int, int] | None = None
    """How many old and new lines it shall have; None when it does not say."""

    @property
    def is_empty(self) -> bool:
        return not (self.old or self.new)

    @property
    def is_full(self) -> bool:
        """Whether it has the lines that it shall have."""
        return self.counts == (len(self.old), len(self.new))

    @property
    def ends_blank(self) -> bool:
        """Whether its last line is a blank one without a sign."""
        lines = [*self.old[-1:], *self.new[-1:]]
        return self.last_sign == "" and len(lines) > 1 and not "".join(lines).strip("\r")

    @property
    def mixes_endings(self) -> bool:
        """Whether some of its lines end in CRLF and others in LF, or in nothing, so that it is about line endings too."""
        old, new = self.old[: len(self.old) - self.old_open], self.new[: len(self.new) - self.new_open]
        endings = {line.endswith("\r") for line in (*old, *new)}
        return len(endings) > 1 or (not old and True in endings)

    def wants(self, line: str) -> bool:
        """Whether a line of the patch still belongs to it, by its counts."""
        if self.counts is None:
            return False
        old, new = self.counts[0] - len(self.old), self.counts[1] - len(self.new)
        wanted = {" ": min(old, new), "-": old, "+": new, "\\": 1}
        return wanted.get(line[:1].strip("\r") or " ", 0) > 0

    def without_returns(self) -> "Hunk":
        old, new = ([line.removesuffix("\r") for line in lines] for lines in (self.old, self.new))
        return replace(self, old=old, new=new)


@dataclass(slots=True)
class FilePatch:
    """What happens to one file: `source` is None when it is created, `target` when it is deleted."""

    source: str | None
    target: str | None
    hunks: list[Hunk] = field(default_factory=list)
    executable: bool | None = None
    has_names: bool = False
    """Whether `---` and `+++` named it, so that a hunk must follow."""

    @property
    def new_content(self) -> str:
        """The content of a created file."""
        lines = [line for hunk in self.hunks for line in hunk.new]
        ending = "" if not lines or self.hunks[-1].new_open else "\n"
        return "\n".join(lines) + ending


def patched(content: str, patch: FilePatch, newline: str, introduced: elision.Introduced) -> str:
    """The content after all hunks, each against the result of the one before.

    Raises:
        Mistake: naming the first hunk that does not certainly fit.
    """
    for number, hunk in enumerate(patch.hunks, 1):
        try:
            section = _section(hunk, patch.hunks[: number - 1])
            if hunk.mixes_endings:
                content = _apply_to_the_byte(content, hunk, section)
            else:
                content = _apply(content, hunk.without_returns(), section, newline, introduced)
        except Mistake as mistake:
            raise Mistake(
                f"hunk {number} (old_text is its kept and removed lines, new_text its kept and added ones): {mistake}"
            ) from mistake
    return content


def _section(hunk: Hunk, earlier: Sequence[Hunk]) -> Section | None:
    """The section that a hunk must be in; None when it names none, or has the heading among its own lines."""
    if not hunk.heading or any(is_heading(line, hunk.heading) for line in hunk.old):
        return None
    old = {line.strip() for other in earlier for line in other.old}
    new = {line.strip() for other in earlier for line in other.new}
    return Section(hunk.heading, any(is_heading(line, hunk.heading) for line in old - new), new - old)


def _apply(
    content: str, hunk: Hunk, section: Section | None, newline: str, introduced: elision.Introduced
) -> str:
    was_open = not content.endswith("\n")
    if hunk.old:
        if hunk.old != hunk.new:
            content = engine.apply(content, _edit(hunk, section), newline, introduced)
    elif content and not hunk.at_end:
        raise Mistake("It only adds lines. Put unchanged lines before and after them to say where they go.")
    else:
        lines = newline.join(hunk.new) + newline
        closed = content + (newline if content and not content.endswith("\n") else "")
        if f"{newline}{closed}".endswith(f"{newline}{lines}"):
            raise Mistake("The file ends with the lines that it adds; is it done already?")
        content = closed + lines
    if hunk.new_open and not hunk.old_open:
        return content.removesuffix("\n").removesuffix("\r")
    if hunk.old_open and not hunk.new_open and was_open and (hunk.new or content):
        return content + newline
    return content


def _apply_to_the_byte(content: str, hunk: Hunk, section: Section | None) -> str:
    """For a hunk that changes line endings, of which the engine knows nothing."""
    old, new = ("".join(f"{line}\n" for line in lines) for lines in (hunk.old, hunk.new))
    old, new = old.removesuffix("\n" * hunk.old_open), new.removesuffix("\n" * hunk.new_open)
    if not old and not content:
        return new
    closed = [at for at in occurrences(content, old) if at == 0 or content[at - 1] == "\n"] if old else []
    found = [at for at in closed if not hunk.old_open or at + len(old) == len(content)]
    places = [(content.count("\n", 0, at),) for at in found]
    held = _in_section(content.split("\n"), places, hunk, section)
    found = [at for at, place in zip(found, places, strict=True) if place in held]
    hinted = [at for at in found if content.count("\n", 0, at) + 1 == hunk.line]
    if len(hinted or found) != 1:
        raise Mistake(
            "Some of its lines end in CRLF and others in LF, so the file must have its old lines just so, and in one "
            "place; it does not. End all lines alike to change text and keep the file's line endings."
        )
    start = (hinted or found)[0]
    done.refuse(content, start, old, new)
    return content[:start] + new + content[start + len(old) :]


def _edit(hunk: Hunk, section: Section | None) -> Edit:
    def choose(file: Sequence[str], places: Sequence[Place]) -> Sequence[Place]:
        return _chosen(file, _in_section(file, places, hunk, section), hunk)

    old, new = ("".join(f"{line}\n" for line in lines) for lines in (hunk.old, hunk.new))
    return Edit(old, new, whole_lines=True, choose=choose)


def _in_section(
    file: Sequence[str], found: Sequence[Place], hunk: Hunk, section: Section | None
) -> Sequence[Place]:
    if section is None or not found:
        return found
    starts = [next(at for at in place if at is not None) for place in found]
    held = [
        place
        for place, first in zip(found, starts, strict=True)
        if section.holds(file, first, numbered=place[0] == (hunk.line or 0) - 1)
    ]
    if not held:
        raise Mistake(
            f"old_text stands in the file, but not in the section of {section.heading!r}, which the line after @@ "
            "names. Read the file again."
        )
    return held


def _chosen(file: Sequence[str], found: Sequence[Place], hunk: Hunk) -> Sequence[Place]:
    if hunk.anchors:
        scopes = _scopes(file, hunk.anchors)
        found = [place for place in found if any(_meets(place, scope) for scope in scopes)]
    hints = (
        [place for place in found if hunk.at_end and place[-1] == len(file) - 1],
        [place for place in found if hunk.line and place[0] == hunk.line - 1],
    )
    return next((hinted for hinted in hints if hinted), found)


def _meets(place: Place, scope: range) -> bool:
    return any(number in scope for number in place if number is not None)


def _scopes(file: Sequence[str], anchors: Sequence[str]) -> list[range]:
    """The blocks that the last of the anchors opens, within those of the others."""
    scopes = [range(len(file))]
    for anchor in anchors:
        scopes = [_block(file, at) for scope in scopes for at in scope if file[at].strip() == anchor.strip()]
        if not scopes:
            raise Mistake(
                f"The line {anchor.strip()!r} after @@ is not in the file. Copy it from there, whole."
            )
    return scopes


def _block(file: Sequence[str], first: int) -> range:
    """The lines indented deeper than the first, with closing brackets; all that follow when there are none."""
    outer = depth.of(file[first])
    for number in range(first + 1, len(file)):
        line = file[number]
        if line.strip() and depth.of(line) <= outer and line.strip()[0] not in ")]}":
            return range(first, number if number > first + 1 else len(file))
    return range(first, len(file))
