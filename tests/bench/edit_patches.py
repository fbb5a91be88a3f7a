"""The same edits written as patches, as apply_patch takes them."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import partial

from tests.bench.edit_cases import Case

from codeflow.syntax.problems import problems
from codeflow.tools.edits import parsing
from codeflow.tools.edits.changeset import new_problems
from codeflow.tools.edits.patch import patched
from codeflow.tools.tool import Mistake

NAME = "file.py"
WRONG_BY = 7
"""Lines by which the numbers of a unified diff are off, as a model's are."""


def signed_lines(case: Case) -> Iterator[str]:
    """Kept, removed and added lines with their signs."""
    old, new = (text.removesuffix("\n").split("\n") if text else [] for text in (case.old, case.new))
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            yield from (f" {line}" for line in old[old_from:old_to])
        else:
            yield from (f"-{line}" for line in old[old_from:old_to])
            yield from (f"+{line}" for line in new[new_from:new_to])


def codex_style(case: Case) -> str:
    body = "\n".join(signed_lines(case))
    return f"*** Begin Patch\n*** Update File: {NAME}\n@@\n{body}\n*** End Patch\n"


def unified(case: Case) -> str:
    """With counts that are right and line numbers that are not."""
    lines = list(signed_lines(case))
    old, new = (sum(1 for line in lines if line[0] in signs) for signs in (" -", " +"))
    first = case.content.count("\n", 0, max(0, case.content.find(case.old))) + 1 + WRONG_BY
    body = "\n".join(lines)
    return f"--- a/{NAME}\n+++ b/{NAME}\n@@ -{first},{old} +{first},{new} @@\n{body}\n"


def applied(content: str, patch: str) -> str | None:
    """What apply_patch makes of a patch; None when it refuses, or has nothing to do."""
    newline = "\r\n" if "\r\n" in content else "\n"
    try:
        (file,) = parsing.parse(patch)
        after = patched(content, file, newline, partial(new_problems, problems, NAME))
    except Mistake:
        return None
    return None if after == content else after
