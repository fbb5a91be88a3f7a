"""Changes of several files, tried out in memory before any of them is written."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from codeflow.tools.edits import elision, engine
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.edits.report import Difference, difference
from codeflow.tools.edits.transaction import Write, write_all
from codeflow.tools.encodings import doubtful
from codeflow.tools.text import Text
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

Check = Callable[[str, str], list[str]]
"""(path, content) -> the syntax errors of a file, one line each."""


@dataclass(slots=True)
class Draft:
    """A file as it is and as it shall be; None where there is no file."""

    real: Path
    name: str
    data: bytes | None = None
    before: Text | None = None
    after: Text | None = None
    mode: int | None = None
    """Permissions that the file shall have; None for those it has."""
    known: bool = True
    """Whether the model knows all of the file."""

    @property
    def difference(self) -> Difference:
        before, after = (text.lines if text else [] for text in (self.before, self.after))
        return difference(before, after)


class Changeset:
    """Drafts of a workspace's files; nothing is written before `commit`."""

    def __init__(self, ws: Workspace, check: Check) -> None:
        self._ws = ws
        self._check = check
        self._drafts: dict[Path, Draft] = {}

    @property
    def drafts(self) -> list[Draft]:
        """What changes, in the order of the first change."""
        return [
            draft for draft in self._drafts.values() if draft.before != draft.after or draft.mode is not None
        ]

    def draft(self, path: str) -> Draft:
        """The draft of a file that need not exist."""
        real = self._ws.writable(path)
        if real not in self._drafts:
            draft = Draft(real, self._ws.relative(real))
            if real.exists():
                _, data, text = self._ws.read(path)
                draft.data, draft.before, draft.after = data, text, text
                draft.known = self._ws.unseen(real, data, len(text.lines)) is None
            else:
                _refuse_foreign(path)
            self._drafts[real] = draft
        return self._drafts[real]

    def content(self, path: str) -> Text:
        """A file as the earlier changes left it; a Mistake when there is none."""
        draft = self.draft(path)
        if draft.after is None and draft.before is None:
            self._ws.read(path)
        if draft.after is None:
            raise Mistake(f"{path} was deleted by an earlier change.")
        return draft.after

    def edit(self, path: str, edit: Edit) -> None:
        """One edit against what the earlier ones made of the file."""
        text = self.content(path)
        self.replace(path, engine.apply(text.content, edit, text.newline, self.introduced(path)))

    def introduced(self, path: str) -> elision.Introduced:
        """What tells the syntax errors that a change of this file brings in."""
        return partial(new_problems, self._check, path)

    def replace(self, path: str, content: str) -> None:
        """Gives a file that is there other content."""
        old = self.content(path)
        self.draft(path).after = replace(old, content=content)

    def refuse_link(self, path: str) -> None:
        """A Mistake when a path is a symbolic link, in whose place the file would go that it leads to."""
        if (self._ws.root / path).is_symlink():
            raise Mistake(
                f"{path} is a symbolic link, and a patch would delete the file that it leads to. Remove it with run_command."
            )

    def problems(self) -> list[str]:
        """The syntax errors that the drafts bring in, with their files."""
        found = []
        for draft in self.drafts:
            before, after = (text.content if text else "" for text in (draft.before, draft.after))
            found += [
                f"{draft.name}: {problem}" for problem in new_problems(self._check, draft.name, before, after)
            ]
        return found

    def commit(self) -> None:
        """Writes every draft, or none."""
        writes = [Write(draft.real, draft.data, _encoded(draft), draft.mode) for draft in self.drafts]
        write_all(self._ws, writes)
        for draft, write in zip(self.drafts, writes, strict=True):
            if write.after is not None and draft.after and draft.known:
                self._ws.saw(draft.real, write.after, range(1, len(draft.after.lines) + 1))


def new_problems(check: Check, path: str, before: str, after: str) -> list[str]:
    """The problems of the content after a change that it did not have before."""
    known = Counter(_unnumbered(problem) for problem in check(path, before))
    found = []
    for problem in check(path, after):
        known[_unnumbered(problem)] -= 1
        if known[_unnumbered(problem)] < 0:
            found.append(problem)
    return found


def _unnumbered(problem: str) -> str:
    """A problem without its line, which other changes move."""
    return re.sub(r"\d+", "", problem)


def _refuse_foreign(path: str) -> None:
    """A Mistake when the name of a new file is one to a shell or a browser, and would make odd folders here."""
    if path.startswith("file://"):
        raise Mistake(f"{path} is a URL. Write the path alone: {unquote(urlsplit(path).path)}")
    if path.startswith("~/"):
        raise Mistake(
            f"~ is not the home folder here: {path} would make a folder of that name. Write a path relative to the workspace."
        )


def _encoded(draft: Draft) -> bytes | None:
    if draft.after is None:
        return None
    if "\0" in draft.after.content and "\0" not in (draft.before.content if draft.before else ""):
        raise Mistake(
            f"The text for {draft.name} has a NUL character, which would make it a binary file that no tool edits. "
            "Leave it out, or write it as an escape of the file's language."
        )
    if draft.after.others and draft.after != draft.before:
        possible = " or ".join([draft.after.encoding, *draft.after.others])
        raise Mistake(
            f"{draft.name} is not UTF-8, and it is not certain whether it is {possible}, so an edit could damage it. "
            f"Ask the user, then make it UTF-8: run_command with `iconv -f ENCODING -t UTF-8`."
        )
    try:
        data = draft.after.encode()
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise Mistake(
            f"{wrong!r} cannot be written in the encoding of {draft.name}, {draft.after.encoding}."
        ) from error
    if draft.after.guessed and (added := doubtful(draft.after.guessed, draft.after.content)):
        raise Mistake(
            f"{draft.name} is not UTF-8, and which encoding it has is not certain, so {added[:20]!r} could come out as "
            "other letters. Leave them out or write them as escapes; or ask the user, then make the file UTF-8: "
            "run_command with `iconv -f ENCODING -t UTF-8`."
        )
    return data
