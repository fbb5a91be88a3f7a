import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.values import ToolResult
from codeflow.tools.docs import docs_search
from codeflow.tools.docs_entries import Entry, markdown_entries, python_entries
from codeflow.tools.docs_index import bring_up_to_date, find, named_first, opened
from codeflow.tools.docs_sources import Source
from codeflow.tools.workspace import Workspace

MODULE = '''"""Baskets of fruit."""

class Basket:
    """Holds fruit."""

    def weigh_fruit(self, unit: str = "kg") -> float:
        """The weight of everything.

        Args:
            unit: In what.
        """

    def undocumented(self): pass

    def _private(self):
        """Hidden."""

async def pickAll(*trees, **options):
    """Harvest in parallel."""
'''


def install(ws: Workspace, name: str, version: str, module: str) -> None:
    """A package in the project's virtual environment, as an installer leaves it."""
    site = ws.root / f".venv/lib/python3.{sys.version_info.minor}/site-packages"
    (ws.root / ".venv/bin").mkdir(parents=True, exist_ok=True)
    (ws.root / ".venv/bin/python").touch()
    (site / name).mkdir(parents=True, exist_ok=True)
    (site / name / "__init__.py").write_text(module)
    for old in site.glob(f"{name}-*"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    information = site / f"{name}-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n# Orchard guide\n\nGrow {name}.\n"
    )
    (information / "RECORD").write_text(
        f"{name}/__init__.py,,\n{name}-{version}.dist-info/METADATA,,\n../../../../outside.py,,\n"
    )


@pytest.fixture
def project(make_workspace: Callable[..., Workspace], env: dict[str, str], tmp_path: Path) -> Workspace:
    env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    ws = make_workspace()
    (ws.root / ".gitignore").write_text(".venv/\n")
    install(ws, "fruit", "1.0", MODULE)
    return ws


async def search(ws: Workspace, query: str, package: str = "") -> ToolResult:
    return await docs_search.function(ws, query, package)


def first_line(result: ToolResult) -> str:
    return result.content.partition("\n")[0]


@pytest.mark.parametrize("query", ["weigh_fruit", "weight fruit", "how do I weigh the fruit?", "weighFruit"])
async def test_a_name_is_found_in_any_spelling_with_its_signature(project: Workspace, query: str):
    result = await search(project, query, "fruit")
    assert result.content.startswith(
        "fruit.Basket.weigh_fruit(self, unit: str='kg') -> float\n[fruit 1.0, fruit/__init__.py:6]\n"
        "The weight of everything.\n\nArgs:\n    unit: In what."
    )


async def test_the_readme_of_a_package_is_found(project: Workspace):
    result = await search(project, "orchard", "Fruit")
    assert result.content.startswith("Orchard guide\n[fruit 1.0, README:1]\nGrow fruit.")


async def test_nothing_of_the_package_runs_or_is_read_outside(project: Workspace):
    install(project, "trap", "1", '"""Trap."""\nopen("sprung", "w")\n')
    (project.root / "outside.py").write_text('"""Outside fruit."""')
    assert "trap\n[trap 1" in (await search(project, "trap", "trap")).content
    assert "Outside" not in (await search(project, "outside", "trap")).content
    assert not (project.root / "sprung").exists()


async def test_another_version_replaces_the_one_before(project: Workspace):
    assert "parallel" in (await search(project, "harvest", "fruit")).content
    install(project, "fruit", "2.0", 'def harvest():\n    """Harvest one by one."""\n')
    content = (await search(project, "harvest", "fruit")).content
    assert "[fruit 2.0, fruit/__init__.py:1]" in content
    assert "parallel" not in content


async def test_the_repositorys_documents_follow_their_changes(project: Workspace):
    guide = project.root / "docs/guide.md"
    guide.parent.mkdir()
    guide.write_text("intro\n\n```sh\n# no heading\n```\n## Deploying\n\nUse a zeppelin.\n")
    result = await search(project, "zeppelin", "repository")
    assert result.content.startswith("Deploying\n[this repository, docs/guide.md:6]\nUse a zeppelin.\n")
    guide.write_text("## Deploying now\n\nUse a balloon.\n")
    assert "zeppelin" not in (await search(project, "zeppelin", "repository")).content
    assert first_line(await search(project, "balloon", "repository")) == "Deploying now"
    guide.unlink()
    assert "is not installed" in (await search(project, "balloon", "repository")).content


async def test_documents_that_git_ignores_are_not_the_repositorys(project: Workspace):
    for folder, ignored in ((".pytest_cache", "*\n"), ("notes", "")):
        (project.root / folder).mkdir()
        (project.root / folder / ".gitignore").write_text(ignored)
        (project.root / folder / "README.md").write_text(f"# Cache\n\nA zeppelin of {folder}.\n")
    content = (await search(project, "zeppelin", "repository")).content
    assert "notes/README.md" in content
    assert ".pytest_cache" not in content


@pytest.mark.parametrize(
    "query", ["pytest.mark.parametrize", "PYTEST parametrize", "how to parametrize with pytest"]
)
def test_what_a_query_names_is_indexed_first(query: str):
    names = ["repository", "boto3", "pytest-cov", "PyYAML", "pytest", "python"]
    known = [Source(name=name, version="1", location=name, read=lambda: iter(())) for name in names]
    order = [source.name for source in named_first(known, query)]
    assert order == ["pytest", "pytest-cov", "repository", "boto3", "PyYAML", "python"]
    assert next(source.name for source in named_first(known, "boto3 client")) == "boto3"


async def test_pythons_own_modules_are_documented(project: Workspace, tmp_path: Path):
    library = tmp_path / "lib/python3.99"
    library.mkdir(parents=True)
    (library / "zebra.py").write_text('def gallop(speed):\n    """Run."""\n')
    program = tmp_path / "bin/python3"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho {tmp_path}/nowhere\necho {library}\n")
    program.chmod(0o755)
    project.reading_env["PATH"] = f"{program.parent}:{project.reading_env['PATH']}"
    result = await search(project, "gallop", "python")
    assert result.content.startswith("zebra.gallop(speed)\n[python 3.99, zebra.py:1]\nRun.")
    everything = await search(project, "gallop")
    assert first_line(everything) == "zebra.gallop(speed)"


async def test_a_virtual_environment_has_the_library_it_was_made_from(project: Workspace, tmp_path: Path):
    library = tmp_path / f"base/lib/python3.{sys.version_info.minor}"
    library.mkdir(parents=True)
    (library / "os.py").write_text('"""Stripes."""\n')
    (project.root / ".venv/pyvenv.cfg").write_text(f"home = {tmp_path}/base/bin\nversion = 3\n")
    assert (await search(project, "stripes", "python")).content.startswith("os\n[python 3.")


async def test_a_package_that_is_not_there_names_its_neighbours(project: Workspace):
    result = await search(project, "x", "fruits")
    assert result.is_error
    assert result.content == "fruits is not installed for this project. There is fruit."
    assert "web_search" in (await search(project, "x", "zzz")).content


@pytest.mark.parametrize("query", ["zzz", "the of", '"', "AND OR NEAR(", "*", "日本語"])
async def test_nothing_found_is_no_error_and_no_syntax(project: Workspace, query: str):
    result = await search(project, query, "fruit")
    assert result.content.startswith("Nothing found; use other words.")
    assert "try web_search" in result.content
    assert not result.is_error


async def test_an_empty_query_and_a_broken_index_are_explained(project: Workspace):
    assert (await search(project, " ")).content == "The query is empty."
    project.cache.mkdir(parents=True)
    (project.cache / "docs-3.sqlite3").write_text(
        "this is no database, but long enough to be read as one" * 20
    )
    assert "use search_files" in (await search(project, "x", "fruit")).content


def source(name: str, *entries: Entry) -> Source:
    return Source(name=name, version="1", location=name, read=lambda: iter(entries))


def test_what_does_not_fit_into_the_time_waits(tmp_path: Path):
    apple = source("apple", Entry(name="apple", title="apple", body="red", place="a:1"))
    with opened(tmp_path) as database:
        assert bring_up_to_date(database, [apple], seconds=0) == ({}, [apple])
        known, waiting = bring_up_to_date(database, [apple], seconds=60)
        assert waiting == []
        assert [hit.entry.body for hit in find(database, "apple", known, 5)] == ["red"]
        assert find(database, "apple", {}, 5) == []


def test_two_processes_can_index_the_same(tmp_path: Path):
    apple = source("apple", Entry(name="apple", title="apple", body="red", place="a:1"))
    with opened(tmp_path) as one, opened(tmp_path) as two:
        bring_up_to_date(one, [apple], seconds=60)
        known, _ = bring_up_to_date(two, [apple], seconds=60)
        assert len(find(two, "apple", known, 5)) == 1
    assert sqlite3.connect(tmp_path / "docs-3.sqlite3").execute(
        "SELECT count(*) FROM entries"
    ).fetchone() == (1,)


@given(st.text("#` \n~ab", max_size=60))
def test_every_word_of_a_document_is_in_one_of_its_sections(text: str):
    found = "\n".join(f"{entry.title}\n{entry.body}" for entry in markdown_entries(text, "file"))
    bodies = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert all(line in found for line in bodies)


@pytest.mark.parametrize("text", ["def broken(:", "a = '\0'", "(" * 5000, "x = '\\d'\n", ""])
def test_modules_that_cannot_be_parsed_hold_nothing(text: str):
    assert list(python_entries(text, "a.py")) == []


def test_private_and_undocumented_names_are_left_out():
    titles = [entry.title for entry in python_entries(MODULE, "fruit/__init__.py")]
    assert titles == [
        "fruit",
        "class fruit.Basket",
        "fruit.Basket.weigh_fruit(self, unit: str='kg') -> float",
        "fruit.pickAll(*trees, **options)",
    ]


def test_what_annotated_adds_to_a_type_is_no_part_of_a_signature():
    text = 'def ask(word: Annotated[str, Doc("pages of text")], n: list[int]) -> typing.Annotated[int, 1]:\n    """Ask."""'
    (entry,) = python_entries(text, "shop/quiz.py")
    assert (entry.name, entry.title) == ("ask", "shop.quiz.ask(word: str, n: list[int]) -> int")


def test_names_that_were_asked_for_and_packages_that_were_named_come_first(tmp_path: Path):
    def entry(name: str, body: str) -> Entry:
        return Entry(name=name, title=f"mod.{name}()", body=body, place="mod.py:1")

    rich = source(
        "rich",
        entry("Column.copy", "A column of a table."),
        entry("Table", "A console renderable to draw a table. " + "Long words about rows and columns. " * 20),
        entry("Progress", "A bar."),
    )
    other = source("other", entry("Progress", "A bar."))
    with opened(tmp_path) as database:
        known, _ = bring_up_to_date(database, [other, rich], seconds=60)
        assert find(database, "draw a table with columns", known, 5)[0].entry.name == "Table"
        assert find(database, "rich progress bar", known, 1)[0].source.name == "rich"


def test_a_short_name_within_a_long_question_is_not_its_answer(tmp_path: Path):
    def entry(name: str, body: str) -> Entry:
        return Entry(name=name, title=f"mod.{name}()", body=body, place="mod.py:1")

    log = source(
        "log",
        entry("write", "Write bytes."),
        entry("before_sleep", "Write a line to a logger ahead of each pause between two attempts."),
    )
    with opened(tmp_path) as database:
        known, _ = bring_up_to_date(database, [log], seconds=60)
        question = "write a line to the log ahead of every pause"
        assert find(database, question, known, 1)[0].entry.name == "before_sleep"
        assert find(database, "write", known, 1)[0].entry.name == "write"
