from pathlib import Path

import pytest
from codeflow.knowledge.repomap import repository_map


def make(root: Path, **files: str) -> list[str]:
    for name, text in files.items():
        path = root / name.replace("__", ".")
        path.write_text(text)
    return sorted(file.name for file in root.iterdir())


def test_python_files_show_signatures_and_public_methods(tmp_path):
    text = (
        "class Store:\n"
        "    def __init__(self, path): ...\n"
        "    async def load(self, key, *rest, strict=False, **more): ...\n"
        "    def _hidden(self): ...\n"
        "def main(argv, /): ...\n"
    )
    paths = make(tmp_path, a__py=text)
    expected = "a.py: Store, Store.load(key, *rest, strict, **more), main(argv)"
    assert repository_map(tmp_path, paths, task="", tokens=100) == expected


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        (
            "a.ts",
            "export default async function run() {}\nexport class Box<T> {}\ninterface I {}\n",
            "run, Box, I",
        ),
        ("a.js", "const limit = 3\n  const inner = 1\nfunction* gen() {}\n", "limit, gen"),
        (
            "a.go",
            "func (s *Server) Start() {}\nfunc main() {}\ntype Server struct {}\n",
            "Start, main, Server",
        ),
        ("a.rs", "pub(crate) async fn go() {}\nimpl X {\n    fn inner() {}\n}\nstruct S;\n", "go, inner, S"),
        ("A.java", "public final class A {\n  private enum Kind { X }\n}\n", "A, Kind"),
        ("old.py", "print 'python 2'\ndef shout(): pass\n", "shout"),
    ],
)
def test_other_languages_show_names(tmp_path, name, text, names):
    (tmp_path / name).write_text(text)
    assert repository_map(tmp_path, [name], task="", tokens=100) == f"{name}: {names}"


def test_the_words_of_the_task_decide_then_the_number_of_mentions(tmp_path):
    paths = make(
        tmp_path,
        alone__py="def lonely_helper(): ...\n",
        used__py="def popular(): ...\n",
        one__py="from used import popular\ndef first(): popular()\n",
        two__py="from used import popular\ndef second(): popular()\n",
        retry__py="def wait_longer(): ...\n",
    )
    ranked = [
        line.split(":")[0] for line in repository_map(tmp_path, paths, task="", tokens=500).splitlines()
    ]
    assert ranked[0] == "used.py"
    for task in ("fix the retry", "Longer waits!"):
        assert repository_map(tmp_path, paths, task=task, tokens=500).startswith("retry.py")


def test_the_map_stays_in_its_budget_and_long_files_are_abridged(tmp_path):
    text = "".join(f"def function_{number}(): ...\n" for number in range(40))
    paths = make(tmp_path, **{f"m{number}__py": text for number in range(30)})
    found = repository_map(tmp_path, paths, task="", tokens=200)
    assert 0 < len(found) <= 800
    assert found.splitlines()[0].endswith("… 28 more")
    assert repository_map(tmp_path, paths, task="", tokens=0) == ""


def test_hostile_files_are_survived(tmp_path):
    outside = tmp_path / "outside.py"
    outside.write_text("def secret(): ...\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.py").symlink_to(outside)
    (root / "loop.py").symlink_to("loop.py")
    (root / "deep.py").write_text("(" * 50_000)
    (root / "null.py").write_bytes(b"def f(): ...\n\0")
    (root / "huge.py").write_text("def huge(): ...\n" * 20_000)
    (root / "blank.py").write_text("\n" * 150_000)
    (root / "escape.py").write_text('x = "\\d"\ndef fine(): ...\n')
    (root / "dir.py").mkdir()
    (root / "bad\nname.py").write_text("def g(): ...\n")
    paths = [*sorted(file.name for file in root.iterdir()), "gone.py"]
    lines = repository_map(root, paths, task="", tokens=500).splitlines()
    assert sorted(lines) == ["bad\\nname.py: g()", "escape.py: fine()", "null.py: f"]
