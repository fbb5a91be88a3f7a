"""The full-text index of documentation: one SQLite file for all projects, each version of a package once."""

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.places import private_file, private_folder
from codeflow.tools.docs_entries import Entry
from codeflow.tools.docs_sources import Source

_FORMAT = 3
_CANDIDATES = 8
"""Times the hits that are wanted: so many are ranked again."""
_WAIT_S = 20.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
    id INTEGER PRIMARY KEY, location TEXT UNIQUE, version TEXT
);
CREATE VIRTUAL TABLE IF NOT EXISTS entries USING fts5 (
    words, signature, body, name UNINDEXED, title UNINDEXED, place UNINDEXED, source UNINDEXED, tokenize = 'porter unicode61'
);
"""
_SEARCH = """
SELECT title, body, place, source, name, bm25(entries, 3.0, 1.0, 1.5) FROM entries
WHERE entries MATCH ? AND source IN (SELECT value FROM json_each(?))
ORDER BY 6, rowid LIMIT ?
"""
_IN_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_STOPWORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "get",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "my",
        "not",
        "of",
        "on",
        "or",
        "that",
        "the",
        "this",
        "to",
        "use",
        "using",
        "what",
        "when",
        "where",
        "which",
        "why",
        "with",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A hit and where it comes from."""

    source: Source
    entry: Entry


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """The index in a folder, made when there is none.

    Raises:
        sqlite3.Error: when it cannot be used.
    """
    try:
        file = private_file(private_folder(folder) / f"docs-{_FORMAT}.sqlite3")
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error
    database = sqlite3.connect(file, timeout=_WAIT_S)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(_SCHEMA)
        yield database
    finally:
        database.close()


def bring_up_to_date(
    database: sqlite3.Connection, sources: Iterable[Source], *, seconds: float
) -> tuple[dict[int, Source], list[Source]]:
    """Indexes what is missing until the time is up: the sources by their id, and those that have to wait."""
    deadline = time.monotonic() + seconds
    known: dict[int, Source] = {}
    waiting: list[Source] = []
    for source in sources:
        number = _number(database, source)
        if number is None and time.monotonic() < deadline:
            number = _add(database, source)
        if number is None:
            waiting.append(source)
        else:
            known[number] = source
    return known, waiting


def named_first(sources: Iterable[Source], query: str) -> list[Source]:
    """The sources, beginning with those whose whole name is in the query, then with those whose first word is."""
    asked = set(_words(query))

    def rank(source: Source) -> int:
        words = _words(source.name)
        return 0 if asked.issuperset(words) else 1 if asked.intersection(words[:1]) else 2

    return sorted(sources, key=rank)


def find(database: sqlite3.Connection, query: str, known: dict[int, Source], count: int) -> list[Found]:
    """The best entries of the known sources: the best by BM25, ranked again by how well their names fit."""
    asked = list(dict.fromkeys(word for word in _words(query) if word not in _STOPWORDS))
    if not asked:
        return []
    match = " OR ".join(f'"{word}"' for word in asked)
    numbers = f"[{','.join(map(str, known))}]"
    rows = database.execute(_SEARCH, (match, numbers, count * _CANDIDATES))
    ranked = [
        (score * _fit(asked, found), found)
        for title, body, place, number, name, score in rows
        for found in [
            Found(source=known[number], entry=Entry(name=name, title=title, body=body, place=place))
        ]
    ]
    ranked.sort(key=lambda item: item[0])
    return [found for _, found in ranked[:count]]


def _fit(asked: list[str], found: Found) -> float:
    """How much better than by its words alone an entry answers; tuned on tests/bench/docs_tuning.tsv.

    It counts how much of the query it holds, whether its name and the query are the same words, whether its package was
    named, and a little whether it stands alone or is a member of a class. A short name within a long question says
    nothing: "write" in "write a line to the log" does not ask for a method of that name.
    """
    entry = found.entry
    text = f"{entry.title} {entry.body}".lower()
    held = sum(_stem(word) in text for word in asked) / len(asked)
    own = [word for word in _words(entry.name) if word not in _STOPWORDS]
    named = sum(_is_among(word, asked) for word in own) / max(1, len(own))
    spent = sum(_is_among(word, own) for word in asked) / len(asked)
    package = found.source.name.lower()
    is_of_package = package in asked or package.partition("-")[0] in asked
    return (
        (0.4 + 0.6 * held)
        * (1 + named * spent)
        * (1.5 if is_of_package else 1)
        * (0.9 if "." in entry.name else 1)
    )


def _is_among(word: str, others: list[str]) -> bool:
    return any(word.startswith(_stem(one)) or one.startswith(_stem(word)) for one in others)


def _stem(word: str) -> str:
    """Enough of a word to recognise its other forms."""
    return word[: max(4, len(word) - 3)]


def _number(database: sqlite3.Connection, source: Source) -> int | None:
    known = "SELECT id FROM sources WHERE location = ? AND version = ?"
    row = database.execute(known, (source.location, source.version)).fetchone()
    return None if row is None else int(row[0])


def _add(database: sqlite3.Connection, source: Source) -> int:
    """Replaces what is known of another version at the same place, in one transaction."""
    rows = [
        (_text(entry.name), _text(entry.title), entry.body, entry.name, entry.title, entry.place)
        for entry in source.read()
    ]
    with database:
        database.execute("BEGIN IMMEDIATE")
        number = _number(database, source)
        if number is not None:  # another process was faster
            return number
        place = (source.location,)
        database.execute(
            "DELETE FROM entries WHERE source IN (SELECT id FROM sources WHERE location = ?)", place
        )
        database.execute("DELETE FROM sources WHERE location = ?", place)
        add = "INSERT INTO sources (location, version) VALUES (?, ?) RETURNING id"
        (number,) = database.execute(add, (source.location, source.version)).fetchone()
        insert = "INSERT INTO entries (words, signature, body, name, title, place, source) VALUES (?, ?, ?, ?, ?, ?, ?)"
        database.executemany(insert, ((*row, number) for row in rows))
    return int(number)


def _text(title: str) -> str:
    """A title with its identifiers and with their parts, so that either finds it."""
    return f"{title} {' '.join(_words(title))}"


def _words(text: str) -> list[str]:
    return [word.lower() for word in _IN_WORDS.findall(text)]
