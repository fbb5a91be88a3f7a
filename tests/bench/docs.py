"""Prints how well docs_search and two plain searches find the answers to questions; run by `make bench`.

The packages that the questions are about are fetched by pip. `python -m tests.bench.docs FILE ...` takes other questions:
lines of package, question and the names that answer it, parted by tabs; a comment `# packages: NAME==VERSION ...` names the packages.
"""

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.settings import load_settings
from codeflow.tools.docs_index import bring_up_to_date, find, opened
from codeflow.tools.docs_sources import STANDARD_LIBRARY, Source, sources
from codeflow.tools.search import find_ripgrep
from codeflow.tools.workspace import Workspace

HELD_OUT = Path(__file__).with_name("docs_questions.tsv")
HITS = 8
"""As many as docs_search shows."""
NO_LIMIT_S = 600.0
Search = Callable[[str, str], list[str]]
"""Question and package, or "" for all, to what was found, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    package: str
    text: str
    answers: frozenset[str]
    """Dotted names, or headings."""


def read(file: Path) -> tuple[list[str], list[Question]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    packages = [name for line in lines if line.startswith("# packages: ") for name in line.split()[2:]]
    parts = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return packages, [
        Question(package=package, text=text, answers=frozenset(answers.split(", ")))
        for package, text, answers in parts
    ]


def project(folder: Path, packages: list[str]) -> Workspace:
    """A project with the packages in its virtual environment."""
    environment = folder / "project/.venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(environment / "bin/python")]
    subprocess.run([*pip, "install", "--no-deps", *packages], check=True)
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    return Workspace(folder / "project", load_settings(folder, env={}).tools, env)


class DocsSearch:
    """The tool's own index; what it finds are titles or, for a fair comparison with the others, files."""

    def __init__(self, folder: Path, known: list[Source], *, files: bool) -> None:
        self._folder, self._known, self._files = folder, known, files

    def __call__(self, question: str, package: str) -> list[str]:
        chosen = [source for source in self._known if package in ("", source.name)]
        with opened(self._folder) as database:
            ready, _ = bring_up_to_date(database, chosen, seconds=NO_LIMIT_S)
            found = [hit.entry for hit in find(database, question, ready, HITS * (3 if self._files else 1))]
        names = [_file(entry.place) if self._files else _name(entry.title) for entry in found]
        return list(dict.fromkeys(names))[:HITS]


class WholeFiles:
    """BM25 over files as they are, by SQLite."""

    def __init__(self, files: dict[str, dict[str, Path]]) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute(
            "CREATE VIRTUAL TABLE f USING fts5 (text, file UNINDEXED, package UNINDEXED, tokenize = 'porter unicode61')"
        )
        rows = (
            (path.read_text(encoding="utf-8", errors="replace"), name, package)
            for package, members in files.items()
            for name, path in members.items()
        )
        self._database.executemany("INSERT INTO f VALUES (?, ?, ?)", rows)

    def __call__(self, question: str, package: str) -> list[str]:
        match = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question.lower()))
        ranked = "SELECT file FROM f WHERE f MATCH ? AND ? IN ('', package) ORDER BY bm25(f), file LIMIT ?"
        return [file for (file,) in self._database.execute(ranked, (match, package, HITS))]


class Ripgrep:
    """The files that hold the most different words of the question, and of those the ones that hold them most often."""

    def __init__(self, files: dict[str, dict[str, Path]]) -> None:
        self._files = files
        self._program = find_ripgrep(os.environ) or "rg"

    def __call__(self, question: str, package: str) -> list[str]:
        chosen = {
            str(path): name
            for source, members in self._files.items()
            if package in ("", source)
            for name, path in members.items()
        }
        different: Counter[str] = Counter()
        all_together: Counter[str] = Counter()
        for word in set(re.findall(r"\w{3,}", question.lower())):
            for path, count in self._counts(word, list(chosen)):
                different[chosen[path]] += 1
                all_together[chosen[path]] += count
        return sorted(different, key=lambda file: (-different[file], -all_together[file], file))[:HITS]

    def _counts(self, word: str, paths: list[str]) -> Iterator[tuple[str, int]]:
        command = [self._program, "-ciw", "--with-filename", "--", word, *paths]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            path, _, count = line.rpartition(":")
            yield path, int(count)


def places(known: list[Source]) -> tuple[dict[str, dict[str, Path]], dict[tuple[str, str], str]]:
    """The files of each source that document something, and the file of each name."""
    files: dict[str, dict[str, Path]] = {}
    where: dict[tuple[str, str], str] = {}
    for source in known:
        location = Path(source.location)
        root = location if source.name == STANDARD_LIBRARY else location.parent
        for entry in source.read():
            file = _file(entry.place)
            where[source.name, _name(entry.title)] = file
            if (root / file).is_file():
                files.setdefault(source.name, {})[file] = root / file
    return files, where


def _name(title: str) -> str:
    return title.partition("(")[0].removeprefix("class ")


def _file(place: str) -> str:
    return place.rpartition(":")[0]


def by_name(known: list[Source], packages: set[str]) -> list[Question]:
    """Every fortieth documented name of the packages that is unique there, asked for by its words."""
    entries = [
        (source.name, entry)
        for source in known
        if source.name in packages
        for entry in source.read()
        if not entry.place.startswith("README:")
    ]
    how_many = Counter((package, entry.name) for package, entry in entries)
    unique = [(package, entry) for package, entry in entries if how_many[package, entry.name] == 1]
    return [
        Question(
            package=package,
            text=" ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", entry.name)).lower(),
            answers=frozenset([_name(entry.title)]),
        )
        for package, entry in unique[::40]
    ]


def report(name: str, search: Search, questions: list[Question], wanted: list[frozenset[str]]) -> None:
    for kind in ("named", "all"):
        started = time.perf_counter()
        ranks = [
            next((rank for rank, hit in enumerate(found, 1) if hit in answers), 0)
            for question, answers in zip(questions, wanted, strict=True)
            for found in [search(question.text, question.package if kind == "named" else "")]
        ]
        count = len(ranks)
        mean = sum(1 / rank for rank in ranks if rank) / count
        first, any_place = sum(rank == 1 for rank in ranks) / count, sum(map(bool, ranks)) / count
        milliseconds = (time.perf_counter() - started) / count * 1000
        sys.stdout.write(
            f"{name:32} {kind:8} {mean:6.3f} {first:7.1%} {any_place:8.1%} {milliseconds:8.0f} ms\n"
        )


def measure(file: Path, folder: Path) -> None:
    packages, questions = read(file)
    ws = project(folder, packages)
    known = asyncio.run(sources(ws))
    files, where = places(known)
    answers = [question.answers for question in questions]
    if missing := [
        (one.package, name) for one in questions for name in one.answers if (one.package, name) not in where
    ]:
        raise SystemExit(f"Not documented: {missing}")
    in_files = [frozenset(where[one.package, answer] for answer in one.answers) for one in questions]
    sys.stdout.write(f"{len(questions)} questions about {' '.join(packages)}\n")
    sys.stdout.write(f"{'':32} package     MRR   first  among {HITS}\n")
    entries = DocsSearch(folder, known, files=False)
    entries("everything is indexed first", "")
    report("docs_search, entries", entries, questions, answers)
    named = by_name(known, {question.package for question in questions})
    report(
        f"docs_search, {len(named)} by their names", entries, named, [question.answers for question in named]
    )
    report("docs_search, files", DocsSearch(folder, known, files=True), questions, in_files)
    report("BM25 over whole files, files", WholeFiles(files), questions, in_files)
    report("ripgrep, words, files", Ripgrep(files), questions, in_files)


def main() -> None:
    for file in [Path(argument) for argument in sys.argv[1:]] or [HELD_OUT]:
        with tempfile.TemporaryDirectory() as name:
            measure(file, Path(name))


if __name__ == "__main__":
    main()
