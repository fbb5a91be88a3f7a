"""Which notes matter most for a task, without asking a model."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from codeflow.core.notes import Note

_WORD = re.compile(r"[^\W_]{2,}")
_FILE_WEIGHT = 2.0
"""Of a file that the task names, in words that only one note has."""
_SIMILAR = 0.5
"""Share of the words of two notes that both have."""


def ranked(notes: Sequence[Note], task: str, stale: Collection[str]) -> list[Note]:
    """Notes for a task, the best first: the user's own, then what it has in common with the task, then the newest.

    `stale` are the ids of notes that come last.
    """
    words = {note.id: _words(_all_text(note)) for note in notes}
    spread = Counter(word for found in words.values() for word in found)
    asked = _words(task)

    def order(note: Note) -> tuple[bool, bool, float, float]:
        shared = sum(1 / spread[word] for word in words[note.id] & asked)
        named = sum(_FILE_WEIGHT for file in note.files if _names(task, file.path))
        return note.id in stale, note.author is not None, -round(shared + named, 6), -note.updated.timestamp()

    return sorted(notes, key=order)


def matching(notes: Sequence[Note], query: str) -> list[Note]:
    """The notes that have a word of the query, or all of them when it has none."""
    asked = _words(query)
    return [note for note in notes if not asked or asked & _words(f"{note.id} {_all_text(note)}")]


def most_similar(note: Note, others: Sequence[Note]) -> Note | None:
    """The note that says much the same, if there is one."""
    own = _words(note.text)

    def likeness(other: Note) -> float:
        words = _words(other.text)
        return len(own & words) / max(len(own | words), 1)

    best = max(others, key=likeness, default=None)
    return best if best is not None and likeness(best) >= _SIMILAR else None


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _all_text(note: Note) -> str:
    return " ".join([note.text, note.evidence, *(file.path for file in note.files)])


def _names(task: str, path: str) -> bool:
    return path in task or path.rpartition("/")[2] in task
