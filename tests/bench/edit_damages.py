"""What goes wrong with an edit between a file and a model, applied to an edit that is right."""

import html
import random
import re
import textwrap
from collections.abc import Callable
from dataclasses import replace
from difflib import SequenceMatcher, ndiff

from tests.bench import edit_conflicts as conflicts
from tests.bench.edit_cases import Case, Damage, Label, lead, shared_ends


def both(change: Callable[[str], str]) -> Damage:
    """The same damage to the old and the new text; what leaves the old text whole could be meant."""

    def damage(case: Case, _: random.Random) -> Case:
        old = change(case.old)
        return case if old == case.old else replace(case, old=old, new=change(case.new))

    return damage


def in_file(change: Callable[[str], str]) -> Damage:
    """The file is written otherwise than the edit, and the old text shows it."""

    def damage(case: Case, _: random.Random) -> Case:
        if change(case.old) == case.old:
            return case
        return replace(case, content=change(case.content), expected=change(case.expected or ""))

    return damage


def each_line(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: re.sub(r"[^\n]+", lambda line: change(line[0]), text)


def dedent(case: Case, _: random.Random) -> Case:
    """Old and new lose the indentation that all their lines have."""
    lines = case.old.count("\n")
    flat = textwrap.dedent(case.old + case.new).splitlines(keepends=True)
    return replace(case, old="".join(flat[:lines]), new="".join(flat[lines:]))


def new_dedented(case: Case, rng: random.Random) -> Case:
    """Not where the edit changes blanks only: then to move the lines could be meant."""
    old, new = ([line.strip() for line in text.splitlines()] for text in (case.old, case.new))
    return case if old == new else replace(case, new=dedent(case, rng).new)


def scaled(unit: str) -> Callable[[str], str]:
    return each_line(lambda line: re.sub(r"^(?: {4})+", lambda lead: unit * (len(lead[0]) // 4), line))


def curly(text: str) -> str:
    text = re.sub(r'"([^"\n]*)"', "\u201c\\1\u201d", text)
    return re.sub(r"'([^'\n]*)'", "\u2018\\1\u2019", text)


def double_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def line_numbers(form: str) -> Damage:
    def number(case: Case, _: random.Random) -> Case:
        first = case.content.count("\n", 0, case.content.index(case.old)) + 1
        old, new = (
            "".join(form % (n, line) + "\n" for n, line in enumerate(text.splitlines(), first))
            for text in (case.old, case.new)
        )
        return replace(case, old=old, new=new)

    return number


def elided(dots: str) -> Damage:
    """A shared line in the middle of the context gives way to dots."""

    def elide(case: Case, _: random.Random) -> Case:
        old, new = case.old.splitlines(keepends=True), case.new.splitlines(keepends=True)
        head, tail = shared_ends(case)
        if head >= 3:
            return replace(case, old="".join([old[0], dots, *old[2:]]), new="".join([new[0], dots, *new[2:]]))
        if tail >= 3:
            return replace(
                case, old="".join([*old[:-2], dots, old[-1]]), new="".join([*new[:-2], dots, new[-1]])
            )
        return case

    return elide


def elided_new(case: Case, _: random.Random) -> Case:
    lines = case.new.splitlines(keepends=True)
    if len(lines) < 4:
        return case
    return replace(
        case, new="".join([*lines[:2], "    # ... rest of the code unchanged ...\n"]), expected=None
    )


def without_blank_lines(text: str) -> str:
    """Not where only the outer ones would go: what is left could be meant."""
    if "\n\n" not in text.strip("\n"):
        return text
    return re.sub(r"\n(?:[ \t]*\n)+", "\n", text)


def with_more_blank_lines(text: str) -> str:
    return re.sub(r"\n\n+", "\n\n\n\n", text)


def keeping_the_edit(damage: Damage) -> Damage:
    """Not where the edit removes blank lines: the damage would undo a part of it."""

    def keep(case: Case, rng: random.Random) -> Case:
        removed = (
            line for line in ndiff(case.old.splitlines(), case.new.splitlines()) if line.startswith("- ")
        )
        return damage(case, rng) if all(line[2:].strip() for line in removed) else case

    return keep


def twice_dedented(case: Case, rng: random.Random) -> Case:
    flat = dedent(case, rng)
    if flat.old == case.old:
        return case
    return replace(flat, content=f"{case.content}\n{textwrap.indent(case.old, '  ')}", expected=None)


def old_only(change: Callable[[str], str]) -> Damage:
    return lambda case, _: replace(case, old=change(case.old))


def new_only(change: Callable[[str], str]) -> Damage:
    return lambda case, _: replace(case, new=change(case.new))


def then(*damages: Damage) -> Damage:
    def chain(case: Case, rng: random.Random) -> Case:
        for damage in damages:
            case = damage(case, rng)
        return case

    return chain


def without_final_newline(text: str) -> str:
    """Not where the last line is blank: then a line would be gone."""
    return text if text.endswith("\n\n") else text.removesuffix("\n")


def fenced(text: str) -> str:
    return f"```python\n{text.removesuffix(chr(10))}\n```"


def on_shared_lines(change: Callable[[str], str]) -> Damage:
    """The same damage to the unchanged lines of old and new; the others stay as they should be."""

    def damage(case: Case, _: random.Random) -> Case:
        old, new = case.old.splitlines(keepends=True), case.new.splitlines(keepends=True)
        for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            for n in range(block.size):
                old[block.a + n] = new[block.b + n] = change(old[block.a + n])
        return replace(case, old="".join(old), new="".join(new))

    return damage


def mixed_line_endings(case: Case, _: random.Random) -> Case:
    """The file ends its lines in LF but for those of the edit, which end in CRLF."""
    assert case.expected is not None
    old, new = (text.replace("\n", "\r\n") for text in (case.old, case.new))
    at = case.content.index(case.old)
    head, tail = case.content[:at], case.content[at + len(case.old) :]
    return replace(case, content=head + old + tail, expected=head + new + tail)


def at_the_open_end(case: Case, _: random.Random) -> Case:
    """The edit's lines are the file's last ones, and the file has no final newline."""
    head = case.content[: case.content.index(case.old)]
    if case.old.endswith("\n\n") or case.new.endswith("\n\n"):
        return case
    return replace(
        case, content=head + case.old.removesuffix("\n"), expected=head + case.new.removesuffix("\n")
    )


GENUINE = (r'log("a\n")', r'path = "C:\new"', r"parts = re.split(r'\n+', text)", r'sep = "\t"', r'end = "\n"')


def escaped_beside_an_escape(case: Case, rng: random.Random) -> Case:
    """Line breaks are escaped, and the new text has an escape that belongs to the code."""
    lines = case.new.splitlines(keepends=True)
    at = max(shared_ends(case)[0], 1)
    if at >= len(lines) or not lines[at - 1].strip():
        return case
    lines.insert(at, f"{lead(lines[at - 1])}{rng.choice(GENUINE)}\n")
    new = "".join(lines)
    assert case.expected is not None
    start = case.content.index(case.old)
    expected = case.content[:start] + new + case.content[start + len(case.old) :]
    old, escaped = (text.replace("\n", "\\n") for text in (case.old, new))
    return replace(case, old=old, new=escaped, expected=expected)


MARKERS = (
    "# (unchanged)",
    "// ... existing code ...",
    "/* ... rest of the function ... */",
    "# rest of the code remains the same",
    "<!-- ... -->",
    "... (rest of the methods)",
    "[... unchanged ...]",
    "# same as before",
)


def left_out_of_new(case: Case, rng: random.Random) -> Case:
    lines = case.new.splitlines(keepends=True)
    if len(lines) < 4:  # two lines and what is left out
        return case
    return replace(case, new="".join([*lines[:2], f"    {rng.choice(MARKERS)}\n"]), expected=None)


def entities_in_new(case: Case, _: random.Random) -> Case:
    """Where an unchanged line bears witness; in the others an entity could be meant."""
    shared = set(case.old.splitlines()) & set(case.new.splitlines())
    if all(html.escape(line) == line for line in shared):
        return case
    return replace(case, new=html.escape(case.new))


TRAILING = each_line(lambda line: f"{line}  ")
STRIPPED = each_line(str.rstrip)
DEEPER = each_line(lambda line: f"    {line}")

DAMAGES: dict[str, tuple[Label, Damage]] = {
    "none": ("apply", lambda case, _: case),
    "crlf in the edit": ("apply", both(lambda text: text.replace("\n", "\r\n"))),
    "crlf in the file": ("apply", in_file(lambda text: text.replace("\n", "\r\n"))),
    "no final newline in the file": ("apply", in_file(lambda text: text.removesuffix("\n"))),
    "both stripped": ("apply", both(str.strip)),
    "trailing blanks in the edit": ("apply", both(TRAILING)),
    "trailing blanks in old": ("apply", old_only(TRAILING)),
    "dedented": ("apply", dedent),
    "indented deeper": ("apply", both(DEEPER)),
    "tabs in the edit": ("apply", both(scaled("\t"))),
    "two-blank units": ("apply", both(scaled("  "))),
    "tabs in the file": ("apply", in_file(scaled("\t"))),
    "dedented, trailing blanks": ("apply", then(dedent, both(TRAILING))),
    "curly quotes": ("apply", both(curly)),
    "dashes": ("apply", both(lambda text: text.replace("-", "\u2013"))),
    "no-break blanks": ("apply", both(lambda text: re.sub(r"(?<=\w) (?=\w)", "\u00a0", text))),
    "curly quotes, dedented": ("apply", then(dedent, both(curly))),
    "elided": ("apply", elided("...\n")),
    "elided in a comment": ("apply", elided("# ... existing code ...\n")),
    "code fence": ("apply", both(fenced)),
    "line numbers, tab": ("apply", line_numbers("%6d\t%s")),
    "line numbers, bar": ("apply", line_numbers("%d | %s")),
    "line numbers, colon": ("apply", line_numbers("%d: %s")),
    "line numbers, arrow": ("apply", line_numbers("%6d\u2192%s")),
    "inner blanks lost": ("apply", on_shared_lines(lambda line: re.sub(r"(?<=\S) {2,}(?=\S)", " ", line))),
    "inner blanks more": ("apply", on_shared_lines(lambda line: re.sub(r"(?<=\S) (?=[=#])", "  ", line))),
    "tabs in the file, as 8 blanks": ("apply", then(in_file(scaled("\t")), both(scaled(" " * 8)))),
    "mixed line endings": ("apply", mixed_line_endings),
    "at the open end": ("apply", at_the_open_end),
    "elided in // comment": ("apply", elided("// ... existing code ...\n")),
    "elided in /* comment": ("apply", elided("/* ... */\n")),
    "elided in <!-- comment": ("apply", elided("<!-- ... rest ... -->\n")),
    "backslashes doubled": ("apply", both(lambda text: text.replace("\\", "\\\\"))),
    "escaped once more": ("apply", both(double_escaped)),
    "escaped quotes": ("apply", both(lambda text: text.replace('"', '\\"'))),
    "entities": ("apply", both(lambda text: html.escape(text, quote=True))),
    "line breaks escaped": ("either", both(lambda text: text.replace("\n", "\\n"))),
    "line breaks, beside an escape": ("either", escaped_beside_an_escape),
    "escapes undone": ("either", both(lambda text: text.replace("\\n", "\n").replace('\\"', '"'))),
    "half made already": ("either", conflicts.half_made_already),
    "entities in new": ("either", entities_in_new),
    "old with line numbers": (
        "either",
        lambda case, rng: replace(case, old=line_numbers("%6d\t%s")(case, rng).old),
    ),
    "blank lines lost": ("either", keeping_the_edit(both(without_blank_lines))),
    "blank lines more": ("either", keeping_the_edit(both(with_more_blank_lines))),
    "outer blank lines": ("either", both(lambda text: f"\n\n{text}\n\n")),
    "context line missing in old": ("either", conflicts.context_missing),
    "lines swapped in old": ("either", conflicts.lines_swapped),
    "stale context": ("either", conflicts.stale_context),
    "context deeper in the file": ("either", conflicts.nested_in_file),
    "one crooked line in old": ("either", conflicts.crooked_old),
    "old stripped": ("either", old_only(str.strip)),
    "old without final newline": ("either", old_only(without_final_newline)),
    "new without final newline": ("either", new_only(without_final_newline)),
    "old dedented": ("either", lambda case, rng: replace(case, old=dedent(case, rng).old)),
    "new dedented": ("either", new_dedented),
    "new in a fence": ("either", new_only(fenced)),
    "new escaped": ("either", new_only(double_escaped)),
    "new with line numbers": (
        "either",
        lambda case, rng: replace(case, new=line_numbers("%6d\t%s")(case, rng).new),
    ),
    "elided in new": ("refuse", elided_new),
    "left out of new": ("refuse", left_out_of_new),
    "mixture of two twins": ("refuse", conflicts.between_twins),
    "stale target": ("refuse", conflicts.stale_target),
    "stale target, twin": ("refuse", conflicts.stale_target_with_twin),
    "two places": ("refuse", conflicts.twice),
    "two places, dedented": ("refuse", twice_dedented),
    "made already": ("refuse", conflicts.made_already),
    "target line missing in old": ("refuse", conflicts.target_missing),
}
