"""Aider's edit functions behind lines of JSON; run by the Python that aider is installed in.

Reads {"content", "old", "new"} per line, writes what the file would be, or null for a refusal.
`python aider_peer.py editblock|udiff`; needs nothing of codeflow.
"""

import difflib
import json
import sys
import tempfile
from collections.abc import Callable

from aider.coders import editblock_coder, udiff_coder  # type: ignore[import-not-found]


def editblock(path: str, content: str, old: str, new: str) -> str | None:
    return editblock_coder.do_replace(path, content, old, new, ("```", "```")) or None


def udiff(path: str, content: str, old: str, new: str) -> str | None:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    lines = list(difflib.unified_diff(before, after, n=len(before) + len(after)))[3:]
    hunk = udiff_coder.normalize_hunk(lines)
    try:
        return udiff_coder.do_replace(path, content, hunk) or None
    except udiff_coder.SearchTextNotUnique:
        return None


def main() -> None:
    apply: Callable[[str, str, str, str], str | None] = {"editblock": editblock, "udiff": udiff}[sys.argv[1]]
    with tempfile.NamedTemporaryFile(suffix=".py") as file:
        for line in sys.stdin:
            case = json.loads(line)
            try:
                result = apply(file.name, case["content"], case["old"], case["new"])
            except (ValueError, IndexError):
                result = None
            print(json.dumps(result), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
