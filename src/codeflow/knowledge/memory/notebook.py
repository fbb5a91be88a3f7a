"""The notes that a run or a person has to do with: written, changed, found and removed."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from codeflow.core.errors import CodeflowError, UsageError
from codeflow.core.notes import Draft, Note, Outcome, Remembered, Scope
from codeflow.core.secrets import find_secret
from codeflow.core.text import printable
from codeflow.knowledge.memory.freshness import noted, renewed
from codeflow.knowledge.memory.identity import project_home
from codeflow.knowledge.memory.relevance import most_similar
from codeflow.knowledge.memory.shelf import Shelf, Shelves
from codeflow.knowledge.project import top_of

MAX_CHARS = 600
"""Of a note's text, and of its evidence."""
MAX_NOTES = 500
"""Of one session, project or user."""

Now = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """Notes, and why others are missing."""

    notes: tuple[Note, ...]
    problems: tuple[str, ...] = ()


class Notebook:
    """The notes of a user, seen from one workspace, and from a session when `session_id` names one."""

    def __init__(
        self,
        home: Path,
        workspace: Path,
        *,
        ttl_days: float,
        env: Mapping[str, str],
        session_id: str | None = None,
        now: Now = utc_now,
    ) -> None:
        """`home` is the folder of all notes; `ttl_days` how long an agent's note lives; `env` may hold credentials."""
        self.shelves = Shelves(home)
        self.top = top_of(workspace.resolve()) or workspace.resolve()
        """Where the paths of noted files begin."""
        self._project = project_home(workspace)
        self._ttl_days = ttl_days
        self._env = env
        self._session_id = session_id
        self._now = now

    def shelf(self, scope: Scope) -> Shelf:
        """Where notes of a scope are kept.

        Raises:
            UsageError: for those of a session where there is none.
        """
        match scope:
            case Scope.USER:
                return self.shelves.of_user()
            case Scope.PROJECT:
                return self.shelves.of_project(self._project)
            case Scope.SESSION if self._session_id is not None:
                return self.shelves.of_session(self._session_id)
            case _:
                raise UsageError(
                    "there is no session whose note this could be",
                    hint="Name it with --session, or use scope project or user.",
                )

    def valid(self) -> Found:
        """Every note that is meant for here and has not expired; a file that cannot be read is a problem."""
        scopes = [Scope.PROJECT, Scope.USER, *([Scope.SESSION] if self._session_id else [])]
        return self._read(self.shelf(scope) for scope in scopes)

    def everywhere(self) -> Found:
        """The notes of all projects and sessions that have not expired."""
        return self._read(self.shelves.all())

    def secret_in(self, note: Note) -> str | None:
        """What kind of secret a note holds, which a person may have written into the file; usually None."""
        return find_secret(f"{note.text}\n{note.evidence}", self._env)

    def remember(self, draft: Draft) -> Remembered:
        """Keep a note; the same text in the same scope is one note, which lives on from now.

        Raises:
            UsageError: when the note cannot be kept as it is, with what to do.
            CodeflowError: when its file cannot be read or written.
        """
        self._refuse_secret(draft.text, draft.evidence)
        shelf, note = self.shelf(draft.scope), self._note(draft)
        done: list[Remembered] = []

        def put(notes: Sequence[Note]) -> Sequence[Note]:
            living = self._living(notes)
            old, outcome = _place_of(draft, note, living)
            kept = note if old is None else _renewed(old, note, outcome)
            if old is None and len(living) >= MAX_NOTES:
                raise UsageError(
                    f"there are {MAX_NOTES} notes of scope {draft.scope} already",
                    hint="Replace one of them; the user can remove notes with `codeflow memory`.",
                )
            others = [other for other in living if other.id != kept.id]
            done.append(Remembered(note=kept, outcome=outcome, similar=most_similar(kept, others)))
            return [*others, kept]

        shelf.change(put)
        return done[0]

    def find(self, beginning: str) -> tuple[Note, Shelf]:
        """The note whose id begins so, wherever it is kept.

        Raises:
            UsageError: when there is none, or more than one.
        """
        found = [
            (note, shelf)
            for shelf in self.shelves.all()
            for note in self._read([shelf]).notes
            if note.id.startswith(beginning)
        ]
        if len(found) == 1 and beginning:
            return found[0]
        problem = f"{len(found)} notes have ids that begin so" if found else "no such note"
        raise UsageError(
            f"{beginning or repr('')}: {problem}", hint="`codeflow memory --all` lists every note."
        )

    def rewrite(self, beginning: str, text: str) -> Note:
        """Give a note another text; it is then a person's, about its files as they are now, without the old evidence.

        Raises:
            UsageError: when there is no such note, or the text cannot be kept.
        """
        note, shelf = self.find(beginning)
        self._refuse_secret(text)
        own = note.scope is Scope.PROJECT and shelf.path == self.shelf(Scope.PROJECT).path
        files = renewed(note.files, self.top) if own else note.files
        changed = replace(
            note, text=_one_paragraph(text), author=None, evidence="", files=files, updated=self._now()
        )
        shelf.change(lambda notes: [changed if one.id == note.id else one for one in notes])
        return changed

    def remove(self, beginnings: Iterable[str]) -> list[Note]:
        """Remove notes, all or none.

        Raises:
            UsageError: when one of them cannot be found.
        """
        found = {note.id: (note, shelf) for note, shelf in map(self.find, beginnings)}
        for note_id, (_, shelf) in found.items():
            shelf.change(lambda notes, gone=note_id: [one for one in notes if one.id != gone])  # type: ignore[misc] # mypy cannot type a lambda's default
        return [note for note, _ in found.values()]

    def clear(self, scope: Scope) -> int:
        """Remove every note of a scope; returns how many there were."""
        shelf = self.shelf(scope)
        count = len(shelf.read().notes)
        shelf.change(lambda _: ())
        return count

    def prune(self) -> int:
        """Remove what has expired, everywhere; returns how many notes that were.

        Raises:
            CodeflowError: when a file cannot be read or written; the others are done.
        """
        return prune(self.shelves, self._now)

    def _read(self, shelves: Iterable[Shelf]) -> Found:
        notes: list[Note] = []
        problems: list[str] = []
        for shelf in shelves:
            try:
                contents = shelf.read()
            except CodeflowError as error:
                problems.append(str(error))
                continue
            notes.extend(self._living(contents.notes))
            if contents.unreadable:
                problems.append(f"{shelf.path}: {len(contents.unreadable)} damaged lines are left out")
        return Found(tuple(notes), tuple(problems))

    def _living(self, notes: Iterable[Note]) -> list[Note]:
        return [note for note in notes if not _is_over(note, self._now())]

    def _refuse_secret(self, *texts: str) -> None:
        if kind := find_secret("\n".join(texts), self._env):
            raise UsageError(
                f"the note seems to hold {kind}, and notes are kept and sent to models",
                hint="Say where the secret is found, not what it is.",
            )

    def _note(self, draft: Draft) -> Note:
        if draft.scope is Scope.USER and draft.files:
            raise UsageError(
                "a note for every project cannot be about files of one", hint="Leave the files out."
            )
        now = self._now()
        return Note(
            id=secrets.token_hex(3),
            scope=draft.scope,
            text=_one_paragraph(draft.text),
            author=draft.author,
            session_id=self._session_id,
            created=now,
            updated=now,
            expires=self._end(draft, now),
            evidence=_one_paragraph(draft.evidence) if draft.evidence.strip() else "",
            files=noted(draft.files, self.top),
        )

    def _end(self, draft: Draft, now: datetime) -> datetime | None:
        """A person's note stays until it is removed, unless they said otherwise."""
        if draft.ttl_days is None and draft.author is None:
            return None
        try:
            return now + timedelta(days=self._ttl_days if draft.ttl_days is None else draft.ttl_days)
        except OverflowError:
            return None


def prune(shelves: Shelves, now: Now = utc_now) -> int:
    """Remove expired notes from every file; see `Notebook.prune`."""
    gone: list[Note] = []
    faults: list[CodeflowError] = []
    for shelf in shelves.all():
        try:
            if not any(_is_over(note, now()) for note in shelf.read().notes):
                continue
            shelf.change(lambda notes: _without_expired(notes, now(), gone))
        except CodeflowError as fault:
            faults.append(fault)
    if faults:
        raise faults[0]
    return len(gone)


def _without_expired(notes: Sequence[Note], now: datetime, gone: list[Note]) -> Sequence[Note]:
    gone.extend(note for note in notes if _is_over(note, now))
    return [note for note in notes if not _is_over(note, now)]


def _is_over(note: Note, now: datetime) -> bool:
    return note.expires is not None and note.expires <= now


def _place_of(draft: Draft, note: Note, notes: Sequence[Note]) -> tuple[Note | None, Outcome]:
    """The note that a draft confirms or replaces, and which of the two it does.

    Raises:
        UsageError: when the note that it names is not there, or an agent may not replace it.
    """
    same = next((one for one in notes if _folded(one.text) == _folded(note.text)), None)
    named = next((one for one in notes if one.id == draft.replaces), None) if draft.replaces else None
    if draft.replaces and named is None:
        raise UsageError(
            f"no note of scope {draft.scope} has the id {draft.replaces}",
            hint="recall shows the notes with their ids.",
        )
    old = named or same
    if named is not None and named.author is None and draft.author is not None:
        raise UsageError(
            f"note {named.id} is the user's own",
            hint="Tell the user in your answer what has changed about it.",
        )
    outcome: Outcome = "new" if old is None else "replaced" if named and named != same else "confirmed"
    return old, outcome


def _renewed(old: Note, note: Note, outcome: Outcome) -> Note:
    """A note under the id of the one whose place it takes; what the user said stays theirs when an agent says it too."""
    if old.author is None and note.author is not None:
        return old
    if outcome == "confirmed":
        note = replace(note, evidence=note.evidence or old.evidence, files=note.files or old.files)
    return replace(note, id=old.id, created=old.created)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .`")


def _one_paragraph(text: str) -> str:
    """The text on one line.

    Raises:
        UsageError: when it is empty or too long.
    """
    line = printable(" ".join(text.encode("utf-8", "replace").decode().split()))
    if not line:
        raise UsageError("the note is empty", hint="Say one fact in a sentence or two.")
    if len(line) > MAX_CHARS:
        raise UsageError(
            f"the note has {len(line)} characters, {MAX_CHARS} are the most", hint="Say one fact, briefly."
        )
    return line
