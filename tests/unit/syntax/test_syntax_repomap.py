import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.syntax import index as indexing
from codeflow.syntax.index import FileTags, Index, index
from codeflow.syntax.ranking import rank, words
from codeflow.syntax.repomap import repository_map
from codeflow.syntax.tags import Definition

CHAIN = {
    "core.py": "class Engine:\n    def start(self, key): ...\ndef spark(): ...\n",
    "car.py": "from core import Engine\nclass Car:\n    engine = Engine()\n    def go(self): self.engine.start(1)\n",
    "main.py": "from car import Car\nfrom core import Engine\ndef drive(): return Car(), Engine()\n",
    "retry.py": "def wait_longer(): ...\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def make(root: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return sorted(files)


def draw(root: Path, paths: list[str], task: str = "", tokens: int = 500) -> str:
    return repository_map(root, paths, task=task, tokens=tokens, cache=root.parent / "cache")


def database(root: Path) -> Path:
    return next((root.parent / "cache" / "maps").glob("*.sqlite3"))


def test_what_others_refer_to_comes_first_with_line_and_signature(root):
    lines = draw(root, make(root, CHAIN)).splitlines()
    assert lines[:3] == ["core.py", " 1: class Engine", " 2: Engine: def start(self, key)"]
    assert lines.index("core.py") < lines.index("car.py") < lines.index("main.py")


@pytest.mark.parametrize("task", ["fix the retry", "Longer waits!", "`wait_longer` hangs", "see retry.py."])
def test_the_words_names_and_files_of_the_task_decide(root, task):
    assert draw(root, make(root, CHAIN), task).startswith("retry.py\n 1: def wait_longer()")


def test_a_plain_method_name_is_not_taken_for_a_definition_elsewhere(root):
    users = {f"user{n}.py": "def use(x): return list(x), str(x).join(x)\n" for n in range(9)}
    files = {**users, "paths.py": "class Path:\n    def list(self): ...\n", **CHAIN}
    assert draw(root, make(root, files)).startswith("core.py")


def test_languages_do_not_refer_to_each_other(root):
    files = {
        "a.py": "render()\n",
        "b.py": "render()\n",
        "c.js": "function render() {}\n",
        "d.py": "def alone(): ...\n",
    }
    ranked = draw(root, make(root, files))
    assert ranked.index("c.js") < ranked.index("d.py")  # by name: both are unreferenced
    files["e.py"] = "def render(): ...\n"
    assert draw(root, make(root, files)).startswith("e.py")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    root = tmp_path_factory.mktemp("large") / "source"
    make(root, {f"m{n}.py": "".join(f"def f{n}_{k}(): ...\n" for k in range(40)) for n in range(8)})
    return root


@given(tokens=st.integers(0, 400))
def test_the_map_stays_in_its_budget(large, tokens):
    found = repository_map(
        large,
        sorted(file.name for file in large.iterdir()),
        task="",
        tokens=tokens,
        cache=large.parent / "cache",
    )
    assert len(found) <= tokens * 4


def test_no_file_takes_the_whole_map(root):
    found = draw(
        root, make(root, {"a.py": "".join(f"def f{k}(): ...\n" for k in range(40)), "b.py": "def g(): ...\n"})
    )
    assert len(found.splitlines()) == 1 + 12 + 2


def test_the_order_of_the_paths_and_the_state_of_the_cache_change_nothing(root):
    paths = make(root, CHAIN)
    first = draw(root, paths, "start the car")
    shuffled = random.Random(1).sample(paths, len(paths))
    assert draw(root, shuffled, "start the car") == first
    database(root).unlink()
    assert draw(root, paths, "start the car") == first


def test_an_edit_a_new_file_and_a_deleted_one_are_seen(root):
    paths = make(root, CHAIN)
    draw(root, paths)
    (root / "retry.py").write_text("def brand_new(): ...\n")
    (root / "car.py").unlink()
    paths = [*make(root, {"extra.py": "class Extra: ...\n"}), *paths]
    found = draw(root, paths)
    assert "brand_new" in found
    assert "class Extra" in found
    assert "Car" not in found
    with sqlite3.connect(database(root)) as connection:
        stored = {path for (path,) in connection.execute("SELECT path FROM files")}
    connection.close()
    assert stored == {"core.py", "main.py", "retry.py", "extra.py"}


def test_what_has_not_changed_is_not_parsed_again(root):
    paths = make(root, CHAIN)
    draw(root, paths)
    with sqlite3.connect(database(root)) as connection:
        connection.execute(
            """UPDATE files SET tags = '[[["class", "Kept", "Kept", 1, 1, "class Kept"]], {}]'"""
        )
    connection.close()
    os.utime(root / "core.py", ns=(1, 1))  # another time, the same content
    (root / "car.py").write_text("class Parsed: ...\n")
    found = draw(root, paths)
    assert found.count("class Kept") == 3
    assert found.count("class Parsed") == 1


@pytest.mark.parametrize("damage", [b"this is no database, but long enough to look like one" * 100, b""])
def test_a_broken_cache_is_made_anew(root, damage):
    paths = make(root, CHAIN)
    first = draw(root, paths)
    database(root).write_bytes(damage)
    assert draw(root, paths) == first
    assert database(root).read_bytes().startswith(b"SQLite format 3")


def test_a_cache_of_another_version_is_made_anew(root):
    paths = make(root, CHAIN)
    first = draw(root, paths)
    with sqlite3.connect(database(root)) as connection:
        connection.executescript("DROP TABLE files; CREATE TABLE files (other); PRAGMA user_version = 1")
    connection.close()
    assert draw(root, paths) == first


def test_without_a_place_for_the_cache_the_map_is_the_same(root, tmp_path):
    paths = make(root, CHAIN)
    (tmp_path / "file").write_text("")
    assert repository_map(root, paths, task="", tokens=500, cache=tmp_path / "file") == draw(root, paths)


def test_two_processes_at_once_agree(root):
    paths = make(root, {f"m{n}.py": f"def f{n}(): ...\nclass C{n}: ...\n" for n in range(300)})
    script = (
        "import sys; from pathlib import Path; from codeflow.syntax.repomap import repository_map as draw\n"
        "root = Path(sys.argv[1]); paths = sorted(file.name for file in root.iterdir())\n"
        "print(draw(root, paths, task='', tokens=9000, cache=root.parent / 'cache'))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE, text=True)
        for _ in "ab"
    ]
    answers = [process.communicate()[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1] == draw(root, paths, tokens=9000)


def test_a_huge_repository_is_read_in_several_calls(root, monkeypatch):
    monkeypatch.setattr(indexing, "MAX_NEW_BYTES", 40)
    paths = make(root, {f"m{n}.py": f"def f{n}(): ...\n" for n in range(5)})
    assert draw(root, paths).splitlines()[-1] == "[3 more files are not in this map]"
    assert draw(root, paths).splitlines()[-1] == "[1 more files are not in this map]"
    assert "more files" not in draw(root, paths)


def test_hostile_files_are_survived(root, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.py").write_text("def secret(): ...\n")
    (root / "link.py").symlink_to(tmp_path / "outside" / "secret.py")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "loop.py").symlink_to("loop.py")
    (root / "round").symlink_to(".")
    (root / "deep.py").write_text("(" * 50_000)
    (root / "null.py").write_bytes(b"def f(): ...\n\0")
    (root / "latin.py").write_bytes(b"def caf\xe9(): ...\n")
    (root / "huge.py").write_text("def huge(): ...\n" * 40_000)
    (root / "dir.py").mkdir()
    (root / "bad\nname.py").write_text("def g(): ...\n")
    (root / os.fsdecode(b"\xff.py")).write_text("def h(): ...\n")
    os.mkfifo(root / "pipe.py")
    (root / "locked.py").write_text("def locked(): ...\n")
    (root / "locked.py").chmod(0)
    paths = [
        *sorted(file.name for file in root.iterdir()),
        "folder/secret.py",
        "../outside/secret.py",
        "gone.py",
    ]
    found = draw(root, paths)
    assert "secret" not in found
    assert "huge" not in found
    assert {"bad\\nname.py", "\\udcff.py", "null.py"} <= set(found.splitlines())
    assert draw(root, paths) == found


def test_the_index_counts_references_and_leaves_locals_out(root):
    paths = make(root, {"a.py": "def f():\n    def local(): ...\n    g(); g(); x.h()\n"})
    found = index(root, paths, root.parent / "tags.sqlite3")
    definition = Definition("function", "f", "f", 1, 3, "def f()")
    assert found == Index({"a.py": FileTags((definition,), {"g": 2, ".h": 1})}, unread=0)


def test_names_and_prose_give_the_same_words():
    assert words("HTTPServerError, the bulk_create of parseJSON") == {
        "http", "server", "error", "bulk", "create", "parse", "json",
    }  # fmt: skip


def test_an_empty_repository_has_no_map(root):
    assert draw(root, []) == ""
    assert draw(root, make(root, {"a.txt": "x", "b.py": ""})) == ""
    assert rank({}, "anything") == []
