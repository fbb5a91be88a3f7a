"""Which definitions of a repository matter for a task: PageRank over who refers to whom."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import log, sqrt
from pathlib import PurePosixPath

from codeflow.syntax.index import FileTags
from codeflow.syntax.languages import language_of
from codeflow.syntax.tags import Definition

_DAMPING = 0.85
_ROUNDS = 20
_MOST_DEFINERS = 8
"""A name that more files define tells nothing about which of them is meant."""
_WANTED_NAME = 4.0
_PRIVATE_NAME = 0.3
_PLAIN_MEMBER = 0.1
"""For `.join()` and its like: most often a method of the language's own types."""
_WORD_IN_PATH = 2.0
_EXACT_NAME = 20.0
_NAMED_FILE = 50.0
_EVERYWHERE = 0.1
"""The share of attention that goes to all files alike when the task names some."""
_UNREFERENCED = 0.001
_UNKNOWN = 1.0
"""Weight of what a file uses beyond the repository; without it, a file with one doubtful reference would vouch for it."""

_IDENTIFIER = re.compile(r"[A-Za-z_]\w+")
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SHORTEST_WORD = 3
_STOP_WORDS = frozenset(
    {"add", "all", "and", "are", "but", "can", "for", "from", "has", "have", "into", "make", "new", "not"}
    | {"should", "that", "the", "this", "use", "when", "with"}
)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A definition with its place; the higher the score, the more it matters."""

    path: str
    definition: Definition
    score: float


@dataclass(frozen=True, slots=True)
class _Edge:
    """A file's use of a name that another one defines."""

    user: str
    definer: str
    name: str
    weight: float


def words(text: str) -> frozenset[str]:
    """The lower-case words of prose and of snake_case and camelCase names, without the most common."""
    parts = (part.lower() for part in _PART.findall(text))
    return frozenset(part for part in parts if len(part) >= _SHORTEST_WORD) - _STOP_WORDS


@dataclass(frozen=True, slots=True)
class _Focus:
    """What a task asks for: its words with their weights, the identifiers and files that it names."""

    words: Mapping[str, float]
    names: frozenset[str]
    files: frozenset[str]

    def of_name(self, name: str) -> float:
        """How well a definition's name answers the task."""
        exact = _EXACT_NAME if name in self.names else 0.0
        return exact + sum(self.words[word] for word in _words(name) & self.words.keys())

    def of_path(self, path: str) -> float:
        """How well a file's path answers the task."""
        named = path in self.files or PurePosixPath(path).name in self.files
        found = sum(self.words[word] for word in _words(path) & self.words.keys())
        return _WORD_IN_PATH * found + _NAMED_FILE * named


def rank(files: Mapping[str, FileTags], task: str) -> list[Ranked]:
    """All definitions, the most important first; the same files and task give the same order."""
    focus = _focus(files, task)
    edges = list(_edges(files, focus))
    sent: dict[str, float] = defaultdict(float)
    for edge in edges:
        sent[edge.user] += edge.weight
    importance = _page_rank(edges, sent, _attention(files, focus))
    received: dict[tuple[str, str], float] = defaultdict(float)
    for edge in edges:
        received[edge.definer, edge.name] += (
            importance[edge.user] * edge.weight / (sent[edge.user] + _UNKNOWN)
        )
    answers = {
        (path, item.name): focus.of_name(item.name) + focus.of_path(path)
        for path, file in files.items()
        for item in file.definitions
    }
    best = max(answers.values(), default=0.0) or 1.0
    ranked = [
        Ranked(
            path,
            item,
            received[path, item.name] + importance[path] * (answers[path, item.name] / best + _UNREFERENCED),
        )
        for path, file in files.items()
        for item in file.definitions
    ]
    return sorted(ranked, key=lambda item: (-item.score, item.path, item.definition.line))


def _focus(files: Mapping[str, FileTags], task: str) -> _Focus:
    """A word weighs the more, the fewer files have it in a name."""
    asked = words(task)
    holders = Counter(
        chain.from_iterable(_names_words(path, file) & asked for path, file in files.items()) if asked else ()
    )
    return _Focus(
        words={word: log(1 + len(files) / count) for word, count in sorted(holders.items())},
        names=frozenset(name for name in _IDENTIFIER.findall(task) if not _is_plain(name)),
        files=frozenset(word.strip("`'\"()[],.:;!?") for word in task.split()),
    )


def _names_words(path: str, file: FileTags) -> set[str]:
    return set(_words(path)).union(*(_words(item.name) for item in file.definitions))


def _is_plain(name: str) -> bool:
    """Whether it could be a word of prose as well."""
    return name.isalpha() and name[1:].islower()


_words = lru_cache(maxsize=200_000)(words)


def _edges(files: Mapping[str, FileTags], focus: _Focus) -> Iterator[_Edge]:
    """A name that a file defines itself is taken to mean its own; a bare name is never taken for a method."""
    anywhere, outermost = _definers(files, nested=True), _definers(files, nested=False)
    for user, file in files.items():
        for reference, count in file.references.items():
            name = reference.removeprefix(".")
            known = (outermost if name == reference else anywhere).get((_family(user), name))
            if known is None or user in known or len(known) > _MOST_DEFINERS:
                continue
            weight = sqrt(count) / len(known) * _trust(reference)
            weight *= _WANTED_NAME if focus.of_name(name) else 1.0
            for definer in known:
                yield _Edge(user, definer, name, weight)


def _definers(files: Mapping[str, FileTags], *, nested: bool) -> dict[tuple[str, str], dict[str, None]]:
    """The files that define a name in a family of languages, in order, each once."""
    definers: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for path, file in files.items():
        for item in file.definitions:
            if nested or item.name == item.qualified:
                definers[_family(path), item.name][path] = None
    return definers


@lru_cache(maxsize=100_000)
def _family(path: str) -> str:
    language = language_of(path)
    return language.family if language else ""


def _trust(reference: str) -> float:
    """How likely a reference means what the repository defines by that name."""
    name = reference.removeprefix(".")
    if name.startswith("_"):
        return _PRIVATE_NAME
    return _PLAIN_MEMBER if name != reference and _is_plain(name) and name.islower() else 1.0


def _attention(files: Mapping[str, FileTags], focus: _Focus) -> dict[str, float]:
    """How much of the reader's interest begins at each file; one in all."""
    direct: dict[str, float] = {}
    for path, file in files.items():
        best = max((focus.of_name(item.name) for item in file.definitions), default=0.0)
        direct[path] = (best + focus.of_path(path)) ** 2  # few clear hits before many faint ones
    total = sum(direct.values())
    if not total:
        return dict.fromkeys(files, 1 / max(len(files), 1))
    base = _EVERYWHERE / len(files)
    return {path: base + (1 - _EVERYWHERE) * value / total for path, value in direct.items()}


def _page_rank(
    edges: Collection[_Edge], sent: Mapping[str, float], attention: Mapping[str, float]
) -> dict[str, float]:
    """Where a reader ends up who follows references, and now and then begins again where the attention is."""
    shares: dict[tuple[str, str], float] = defaultdict(float)
    for edge in edges:
        shares[edge.user, edge.definer] += edge.weight / (sent[edge.user] + _UNKNOWN)
    importance = dict(attention)
    for _ in range(_ROUNDS):
        after: dict[str, float] = dict.fromkeys(attention, 0.0)
        for (user, definer), share in shares.items():
            after[definer] += _DAMPING * share * importance[user]
        restart = 1 - sum(after.values())
        importance = {path: value + restart * attention[path] for path, value in after.items()}
    return importance
