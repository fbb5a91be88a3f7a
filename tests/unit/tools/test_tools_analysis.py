from pathlib import Path

import pytest

from codeflow.tools.registry import TOOLS


async def call(tool, ws, **arguments):
    return await TOOLS[tool].function(ws, **arguments)


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home" / ".cache" / "codeflow"


def put(ws, **files):
    for name, text in files.items():
        path = ws.root / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


STORE = (
    "class Store:\n    def load(self):\n        def inner(): ...\n        return inner\n\n\ndef main(): ...\n"
)


async def test_an_outline_has_line_ranges_and_nesting(ws):
    put(ws, a_py=STORE)
    result = await call("parse_ast", ws, path="a.py")
    assert result.content.splitlines() == [
        "1-4 class: class Store",
        "  2-4 function: def load(self)",
        "    3 function: def inner()",
        "7 function: def main()",
    ]
    assert result.display == "4 definitions"


async def test_a_smaller_depth_says_what_it_hides(ws):
    put(ws, a_py=STORE)
    result = await call("parse_ast", ws, path="a.py", depth=1)
    assert result.content.splitlines()[-2:] == [
        "7 function: def main()",
        "[2 nested deeper; pass a larger depth]",
    ]


async def test_an_outline_tells_syntax_errors(ws):
    put(ws, a_py="def f():\nreturn\n")
    result = await call("parse_ast", ws, path="a.py")
    assert "[syntax error, line 2: expected an indented block" in result.content
    assert "def f()" in result.content


async def test_a_long_outline_is_cut(ws):
    put(ws, a_py="".join(f"def f{n}(): ...\n" for n in range(500)))
    result = await call("parse_ast", ws, path="a.py")
    assert result.content.endswith("[100 more; pass a smaller depth, or use search_files]")
    assert len(result.content.splitlines()) == 401


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [("a.txt", "hello", "No grammar for a.txt"), ("a.py", "x = 1\n" * 200_000, "too large to parse")],
)
async def test_what_cannot_be_outlined_is_refused_with_advice(ws, name, text, advice):
    (ws.root / name).write_text(text)
    result = await call("parse_ast", ws, path=name)
    assert result.is_error
    assert advice in result.content
    assert "Use " in result.content


async def test_what_cannot_be_parsed_is_not_said_to_define_nothing(ws):
    put(ws, a_py="(" * 20_000)
    result = await call("parse_ast", ws, path="a.py")
    assert result.is_error
    assert result.content == (
        "a.py could not be parsed as python: it is broken, or nested, so badly that the parser cannot tell its parts; "
        "line 1: too many nested parentheses. Use search_files, then read_file with start_line."
    )


async def test_an_outline_says_what_it_may_lack(ws):
    (ws.root / "a.sql").write_text("CREATE TABLE a (b INT);\nFOO BAR BAZ ((;\n")
    (ws.root / "a.proto").write_text("message Person {\n  string name = 1;\n}\n")
    unsure = await call("parse_ast", ws, path="a.sql")
    assert unsure.content.splitlines() == [
        "1 table: CREATE TABLE a (b INT)",
        "[the sql grammar could not read lines 2; definitions may be missing there]",
    ]
    generic = await call("parse_ast", ws, path="a.proto")
    assert generic.content.endswith("[a generic outline of proto; it may leave out definitions]")


async def test_complexity_passes_over_languages_that_it_would_misread(ws):
    put(ws, a_py="def f():\n    pass\n")
    (ws.root / "a.hs").write_text("f x = if x then g else h\n")
    result = await call("analyze_complexity", ws)
    assert result.content.splitlines()[2:] == ["[not measured, as that is not possible for haskell: a.hs]"]


TYPESCRIPT = """\
interface Part {
  m(): void
  n: number
}

class A implements Part {
  n = 1
  m(): void {
    // nothing
  }
  get g(): number {
    return this.n ? 1 : 2
  }
  handler = (e: Event) => [1].map((x) => (x && e ? 1 : 2))
}

export const arrow = async (a: number, b = 2): Promise<number> => {
  try {
    switch (a) {
      case 1:
      case 2:
        return 1
      default:
        return b
    }
  } catch (e) {
    return a ?? 3
  }
}
"""


async def test_functions_of_typescript_have_their_own_lines(ws):
    (ws.root / "a.ts").write_text(TYPESCRIPT)
    (ws.root / "b.jsx").write_text("const f = x => <b>{x || 1}</b>;\n[1].map(() => 2)\n")
    result = await call("analyze_complexity", ws)
    assert result.content.splitlines()[1:] == [
        "         5     13           2  a.ts:17-29 arrow",
        "         3      1           1  a.ts:14-14 A.handler",
        "         2      3           0  a.ts:11-13 get A.g",
        "         2      1           1  b.jsx:1-1 f",
        "         1      2           0  a.ts:8-10 A.m",
        "         1      1           0  b.jsx:2-2 (anonymous)",
    ]


async def test_what_complexity_leaves_out_is_named_with_the_reason(ws):
    put(ws, a_py="def f():\n    pass\n", bad_py="def (:\n", empty_py="X = 1\n", README="text\n")
    (ws.root / "a.sh").write_text("f() { if x; then y; fi; }\n")
    (ws.root / "script").write_text("#!/usr/bin/env python\ndef g(): ...\n")
    (ws.root / "big.py").write_text("x = 1\n" * 100_000)
    (ws.root / "torn.ts").write_text("function f( {\n")
    (ws.root / "data.json").write_text("{}")
    result = await call("analyze_complexity", ws)
    assert sorted(line for line in result.content.splitlines() if line.startswith("[")) == [
        "[not measured, as that is not possible for bash: a.sh]",
        "[not measured, as their names do not end as python's do: script]",
        "[not measured, as they are too large: big.py]",
        "[with syntax errors, so that functions may be missing: torn.ts, bad.py]",
    ]
    alone = await call("analyze_complexity", ws, path="a.sh")
    assert alone.is_error
    assert "bash" in alone.content


BRANCHES = "def hard(a, b):\n    if a and b:\n        return 1\n    for x in a:\n        print(x)\n\n\ndef easy():\n    pass\n"


async def test_the_most_complex_function_comes_first(ws):
    put(ws, a_py="def middle(a):\n    if a: ...\n", src__b_py=BRANCHES)
    result = await call("analyze_complexity", ws)
    assert result.content.splitlines() == [
        "complexity  lines  parameters  function",
        "         4      5           2  src/b.py:1-5 hard",
        "         2      2           1  a.py:1-2 middle",
        "         1      2           0  src/b.py:8-9 easy",
    ]


async def test_complexity_of_a_file_or_folder_is_capped(ws):
    put(ws, a_py="def other():\n    pass\n", src__b_py=BRANCHES)
    for path in ("src", "src/b.py"):
        result = await call("analyze_complexity", ws, path=path, max_results=1)
        assert "hard" in result.content
        assert result.content.endswith("[1 of 2 functions; narrow with path]")


async def test_complexity_ignores_what_git_ignores_and_runs_nothing_of_the_workspace(ws):
    put(
        ws,
        a_py="def f():\n    pass\n",
        lizard_py="raise SystemExit('the workspace was run')\n",
        dist__b_py=BRANCHES,
    )
    (ws.root / ".gitignore").write_text("dist\n")
    result = await call("analyze_complexity", ws)
    assert [line.split()[-2:] for line in result.content.splitlines()[1:]] == [["a.py:1-2", "f"]]


@pytest.mark.parametrize("path", ["gone", ".", "../outside"])
async def test_nothing_to_measure_is_a_mistake(ws, path):
    result = await call("analyze_complexity", ws, path=path)
    assert result.is_error


async def test_the_map_follows_the_focus_and_is_kept_on_disk(ws, cache):
    put(
        ws,
        core_py="class Engine: ...\n",
        car_py="from core import Engine\nEngine()\n",
        retry_py="def wait(): ...\n",
    )
    assert (await call("repo_map", ws)).content.startswith("core.py\n 1: class Engine")
    assert (await call("repo_map", ws, focus="retry")).content.startswith("retry.py")
    assert list((cache / "maps").glob("*.sqlite3"))
    assert {file.name for file in ws.root.iterdir()} == {"core.py", "car.py", "retry.py"}


async def test_a_map_of_nothing_is_a_mistake(ws):
    put(ws, notes="hello")
    assert "list_directory" in (await call("repo_map", ws)).content
    assert (await call("repo_map", ws, tokens=0)).is_error


async def test_complexity_of_php_counts_its_short_operators(ws):
    (ws.root / "a.php").write_text(
        "<?php\nfunction price($a, $b) {\n    $x = $a ?: 1;\n    $y = $b ?? $x;\n    return $a AND $b ? $x : $y;\n}\n"
        "class K {\n    abstract function nothing();\n    function m(?int $q, string ...$r) {\n"
        "        foreach ($r as $k) { if ($k) { } elseif ($q) { } }\n"
        "        return match(true) { $q > 1 => 1, default => 0 };\n    }\n}\n"
    )
    result = await call("analyze_complexity", ws, path="a.php")
    assert [line.split() for line in result.content.splitlines()[1:]] == [
        ["5", "5", "2", "a.php:2-6", "price"],
        ["5", "4", "2", "a.php:9-12", "K.m"],
    ]
