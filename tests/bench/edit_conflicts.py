"""Edits of a file that is not, or no longer, as the edit supposes."""

import random
import re
from dataclasses import replace
from difflib import SequenceMatcher

from tests.bench.edit_cases import Case, lead, shared_ends


def nested_in_file(case: Case, rng: random.Random) -> Case:
    """A line of the context stands deeper in the file than its neighbours now."""
    old = case.old.splitlines(keepends=True)
    head, tail = shared_ends(case)
    context = [n for n in (*range(head), *range(len(old) - tail, len(old))) if old[n].strip()]
    twins = [n for n in context if sum(lead(line) == lead(old[n]) for line in old if line.strip()) > 1]
    if not twins:
        return case
    chosen = rng.choice(twins)
    assert case.expected is not None
    moved = "    " + old[chosen]
    new = case.new.splitlines(keepends=True)
    new[chosen if chosen < head else chosen - len(old)] = old[chosen] = moved
    return replace(
        case,
        content=case.content.replace(case.old, "".join(old)),
        expected=case.expected.replace(case.new, "".join(new)),
    )


def crooked_old(case: Case, rng: random.Random) -> Case:
    """One line of the old text has three blanks too many."""
    old = case.old.splitlines(keepends=True)
    chosen = rng.randrange(len(old))
    old[chosen] = "   " + old[chosen]
    return replace(case, old="".join(old))


def stale_context(case: Case, _: random.Random) -> Case:
    """The outermost line of the context has another word in the file now."""
    first, rest = case.old.split("\n", 1)
    if shared_ends(case)[0] < 2 or not re.search(r"\w{3}", first) or case.content.count(first + "\n") != 1:
        return case
    there = re.sub(r"\w{3,}", "renamed", first, count=1)
    assert case.expected is not None
    return replace(
        case,
        content=case.content.replace(case.old, f"{there}\n{rest}"),
        expected=case.expected.replace(first + "\n", there + "\n"),
    )


def stale_target(case: Case, _: random.Random) -> Case:
    """A line that shall change has another word in the file now."""
    head, tail = shared_ends(case)
    old = case.old.splitlines(keepends=True)
    removed = [n for n in range(head, len(old) - tail) if re.search(r"\w{3}", old[n])]
    if not removed:
        return case
    old[removed[0]] = re.sub(r"\w{3,}", "elsewhere", old[removed[0]], count=1)
    return replace(case, content=case.content.replace(case.old, "".join(old)), expected=None)


def stale_target_with_twin(case: Case, rng: random.Random) -> Case:
    """As before, and another function has the lines as they were, under another first line."""
    stale = stale_target(case, rng)
    first, _, rest = case.old.partition("\n")
    if stale is case or not re.search(r"\w{3}", first) or shared_ends(case)[0] < 2:
        return case
    twin = re.sub(r"\w{3,}", "twin", first, count=1) + "\n" + rest
    return replace(stale, content=f"{stale.content}\n{twin}")


def half_made_already(case: Case, _: random.Random) -> Case:
    """One of the edit's two or more separate changes stands in the file already."""
    old, new = case.old.splitlines(keepends=True), case.new.splitlines(keepends=True)
    changes = [op for op in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if op[0] != "equal"]
    if len(changes) == 1:
        return case
    old_from, old_to, new_from, new_to = changes[0][1:]
    there = "".join([*old[:old_from], *new[new_from:new_to], *old[old_to:]])
    content = case.content.replace(case.old, there)
    return case if case.old in content else replace(case, content=content)


def between_twins(case: Case, _: random.Random) -> Case:
    """Two blocks differ in a word each from the old text, which is a mixture of both."""
    lines = case.old.splitlines(keepends=True)
    words = [n for n, line in enumerate(lines) if re.search(r"\w{3}", line)]
    if len(words) < 2:  # one for each twin
        return case
    twins = []
    for at in (words[0], words[-1]):
        twin = list(lines)
        twin[at] = re.sub(r"\w{3,}", "other", twin[at], count=1)
        twins.append("".join(twin))
    content = case.content.replace(case.old, "\n".join(twins))
    return case if case.old in content else replace(case, content=content, expected=None)


def twice(case: Case, _: random.Random) -> Case:
    return replace(case, content=f"{case.content}\n{case.old}", expected=None)


def made_already(case: Case, _: random.Random) -> Case:
    if case.expected is None or case.old in case.expected:
        return case
    return replace(case, content=case.expected, expected=None)


def target_missing(case: Case, _: random.Random) -> Case:
    """The old text lacks a line that shall go, inside those that are there."""
    old, kept = case.old.splitlines(keepends=True), case.new.splitlines(keepends=True)
    inside = [n for n in range(1, len(old) - 1) if old[n].strip() and old[n] not in kept]
    return _without_line(case, old, inside, None)


def context_missing(case: Case, _: random.Random) -> Case:
    """The old text lacks a line that the file and the new text have."""
    old, kept = case.old.splitlines(keepends=True), case.new.splitlines(keepends=True)
    inside = [n for n in range(1, len(old) - 1) if old[n].strip() and old[n] in kept]
    return _without_line(case, old, inside, case.expected)


def _without_line(case: Case, old: list[str], lines: list[int], expected: str | None) -> Case:
    """Without the middle one of the lines, where what is left does not stand in the file."""
    if not lines:
        return case
    at = lines[len(lines) // 2]
    rest = "".join([*old[:at], *old[at + 1 :]])
    return case if rest in case.content else replace(case, old=rest, expected=expected)


def lines_swapped(case: Case, _: random.Random) -> Case:
    old = case.old.splitlines(keepends=True)
    if len(old) < 4 or old[1].strip() == old[2].strip():
        return case
    return replace(case, old="".join([old[0], old[2], old[1], *old[3:]]))
