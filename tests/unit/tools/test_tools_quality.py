import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codeflow.tools.process import execute
from codeflow.tools.quality import format_code, run_linter
from codeflow.tools.quality_programs import LINTERS, Finding
from codeflow.tools.workspace import Workspace

BAD = "import os\nx = 1\n\ndef  f( ):\n  return undefined_name\n"


@pytest.fixture
def ruff(ws: Workspace, tmp_path: Path) -> None:
    """The ruff of the development environment, on the project's PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ruff").symlink_to(Path(sys.prefix) / "bin/ruff")
    ws.env["PATH"] = f"{folder}{os.pathsep}{ws.env['PATH']}"


@pytest.fixture
def committed(ws: Workspace, git: Callable[..., str], ruff: None) -> Workspace:
    (ws.root / "old.py").write_text(BAD)
    (ws.root / "ruff.toml").touch()
    git("add", "-A")
    git("commit", "-qm", "first")
    return ws


async def test_only_changed_files_are_linted(committed: Workspace):
    (committed.root / "new.py").write_text(BAD)
    result = await run_linter.function(committed)
    assert result.display.endswith(" problems (ruff on 1 files)")
    assert "\nnew.py:1:8 F401 `os` imported but unused\n" in result.content
    assert "new.py:5:10 F821 Undefined name `undefined_name`" in result.content
    assert "old.py" not in result.content


async def test_nothing_changed_asks_for_paths_and_named_ones_are_linted(committed: Workspace):
    assert "No file has changed" in (await run_linter.function(committed)).content
    assert "old.py:1:8 F401" in (await run_linter.function(committed, ["."])).content


async def test_formatting_says_which_files_changed(committed: Workspace):
    (committed.root / "new.py").write_text(BAD)
    (committed.root / "fine.py").write_text("x = 1\n")
    result = await format_code.function(committed)
    assert result.changed == ("new.py",)
    assert "def f():" in (committed.root / "new.py").read_text()
    assert (committed.root / "old.py").read_text() == BAD


async def test_a_file_that_cannot_be_formatted_is_an_error_with_its_reason(committed: Workspace):
    (committed.root / "torn.py").write_text("def f(:\n")
    result = await format_code.function(committed)
    assert result.is_error
    assert "Failed to parse torn.py" in result.content


async def test_outside_a_repository_paths_are_wanted(ws: Workspace, ruff: None):
    (ws.root / "a.py").write_text(BAD)
    assert "not a git repository" in (await run_linter.function(ws)).content
    assert "a.py:1:8 F401" in (await run_linter.function(ws, ["."])).content


async def test_what_is_no_file_is_refused(ws: Workspace):
    os.mkfifo(ws.root / "pipe.py")
    assert (
        "is a FIFO (named pipe), neither a regular file nor a folder"
        in (await run_linter.function(ws, ["pipe.py"])).content
    )
    assert "outside the workspace" in (await run_linter.function(ws, [".."])).content
    assert "does not exist" in (await run_linter.function(ws, ["none.py"])).content


async def test_a_missing_program_is_named(ws: Workspace, tmp_path: Path):
    (ws.root / "a.go").write_text("package a\n")
    (ws.root / "a.txt").write_text("text\n")
    ws.env["PATH"] = str(tmp_path)
    missing = "gofmt is not installed; it comes with the Go toolchain."
    assert (await format_code.function(ws, ["a.go"])).content == missing
    assert (await format_code.function(ws, ["a.txt"])).content == "No program is known for .txt files."


async def test_a_configured_linter_that_is_missing_is_named_beside_what_was_linted(committed: Workspace):
    (committed.root / ".eslintrc.json").write_text("{}")
    (committed.root / "package.json").write_text('{"devDependencies": {"eslint": "^9"}}')
    (committed.root / "a.js").write_text("x\n")
    (committed.root / "fine.py").write_text("x = 1\n")
    missing = "eslint is named in .eslintrc.json but is not installed; install what package.json lists: npm install."
    result = await run_linter.function(committed, ["a.js", "fine.py"])
    assert result.content == f"0 problems (ruff on 1 files)\n[{missing}]"
    alone = await run_linter.function(committed, ["a.js"])
    assert (alone.is_error, alone.content) == (True, missing)


async def test_a_formatter_that_the_project_does_not_use_is_not_let_loose_on_it(ws: Workspace, ruff: None):
    (ws.root / "a.py").write_text(BAD)
    result = await format_code.function(ws, ["a.py"])
    assert result.content == (
        "The project configures nothing for .py files; ruff or black would be used if it did."
    )
    assert (ws.root / "a.py").read_text() == BAD


async def test_files_that_the_linter_s_configuration_leaves_out_are_named_and_none_at_all_is_no_success(
    committed: Workspace,
):
    (committed.root / "ruff.toml").write_text('exclude = ["old.py"]\n')
    (committed.root / "fine.py").write_text("x = 1\n")
    ignored = "[ruff did NOT look at old.py: its configuration leaves them out.]"
    some = await run_linter.function(committed, ["old.py", "fine.py"])
    assert (some.is_error, some.content) == (False, f"0 problems (ruff on 1 files)\n{ignored}")
    none = await run_linter.function(committed, ["old.py"])
    assert (none.is_error, none.content) == (True, f"Nothing was linted.\n{ignored}")


@pytest.mark.skipif(not shutil.which("rustfmt"), reason="needs rustfmt")
async def test_formatting_a_crate_root_leaves_its_modules_alone(ws: Workspace):
    ws.env["HOME"] = os.environ["HOME"]  # where rustup keeps its toolchains
    (ws.root / "Cargo.toml").write_text('[package]\nname = "a"\nedition = "2021"\n')
    (ws.root / "lib.rs").write_text("mod other;\nfn  f( ){}\n")
    (ws.root / "other.rs").write_text("fn  g( ){}\n")
    assert (await format_code.function(ws, ["lib.rs"])).changed == ("lib.rs",)
    assert (ws.root / "lib.rs").read_text() == "mod other;\nfn f() {}\n"
    assert (ws.root / "other.rs").read_text() == "fn  g( ){}\n"


async def test_the_configured_program_comes_before_another_that_is_installed(ws: Workspace):
    (ws.root / "node_modules/.bin").mkdir(parents=True)
    for name in ("eslint", "oxlint"):
        program = ws.root / "node_modules/.bin" / name
        program.write_text(
            "#!/bin/sh\ncase $1 in --debug=files) echo a.js;; *) echo '{\"diagnostics\": []}';; esac\n"
        )
        program.chmod(0o755)
    (ws.root / ".oxlintrc.json").write_text("{}")
    (ws.root / "a.js").write_text("x\n")
    assert (await run_linter.function(ws, ["a.js"])).content == "0 problems (oxlint on 1 files)"


@pytest.mark.parametrize(
    ("name", "answer", "finding"),
    [
        (
            "eslint",
            [
                {
                    "filePath": "/w/a.js",
                    "messages": [{"line": 2, "column": 1, "ruleId": "no-x", "message": "No."}],
                }
            ],
            Finding("a.js", 2, 1, "no-x", "No."),
        ),
        (
            "biome",
            {
                "diagnostics": [
                    {
                        "category": "lint/x",
                        "message": "No.",
                        "location": {"path": "a.js", "start": {"line": 2, "column": 1}},
                    }
                ]
            },
            Finding("a.js", 2, 1, "lint/x", "No."),
        ),
        (
            "oxlint",
            {
                "diagnostics": [
                    {
                        "filename": "a.js",
                        "code": "x",
                        "message": "No.",
                        "labels": [{"span": {"line": 2, "column": 1}}],
                    }
                ]
            },
            Finding("a.js", 2, 1, "x", "No."),
        ),
    ],
)
def test_each_linter_s_answer_is_read(name: str, answer: object, finding: Finding):
    linter = next(linter for linter in LINTERS if linter.name == name)
    assert linter.read(json.dumps(answer), Path("/w")) == [finding]
    assert linter.read("not JSON", Path("/w")) is None


async def test_files_that_eslint_has_no_configuration_for_are_no_clean_ones(ws: Workspace):
    """What eslint 10 prints; the slow test of npm's linters has it do so."""
    why = "File ignored because no matching configuration was supplied."
    message = {"ruleId": None, "fatal": False, "severity": 1, "message": why}
    answer = [{"filePath": f"{ws.root}/src/a.ts", "messages": [message]}]
    program = ws.root / "node_modules/.bin/eslint"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {shlex.quote(json.dumps(answer))}\n")
    program.chmod(0o755)
    (ws.root / "eslint.config.js").write_text("export default [];\n")
    (ws.root / "src").mkdir()
    (ws.root / "src/a.ts").write_text("var a = 1;\n")
    result = await run_linter.function(ws, ["src"])
    ignored = f"[eslint did NOT look at src/a.ts: {why}]"
    assert (result.is_error, result.content) == (True, f"Nothing was linted.\n{ignored}")


def test_flake8_lines_are_read():
    linter = next(linter for linter in LINTERS if linter.name == "flake8")
    assert linter.read("./a.py:1:8: F401 'os' imported\n", Path("/w")) == [
        Finding("a.py", 1, 8, "F401", "'os' imported")
    ]


GO = 'package a\n\nimport "fmt"\n\nfunc F() {\n\tfmt.Printf("%d", "x")\n}\n'


@pytest.mark.skipif(not shutil.which("go"), reason="needs go")
async def test_go_is_vetted_by_package_and_shown_by_file(ws: Workspace):
    (ws.root / "go.mod").write_text("module example.com/a\n\ngo 1.19\n")
    (ws.root / "a.go").write_text(GO)
    (ws.root / "b.go").write_text(GO.replace("func F", "func G"))
    result = await run_linter.function(ws, ["b.go"])
    assert result.content.startswith("1 problems (go on 1 files)\nb.go:6:2 fmt.Printf format %d has arg")
    (ws.root / "b.go").write_text("package a\n\nvar x int = y\n")
    assert "b.go:3:13 und" in (await run_linter.function(ws, ["b.go"])).content
    (ws.root / "go.mod").unlink()
    result = await run_linter.function(ws, ["b.go"])
    assert result.is_error
    assert result.display == "0 problems (go on 1 files); 1 of 1 linters did NOT work"


@pytest.mark.skipif(not shutil.which("cargo-clippy"), reason="needs clippy")
async def test_clippy_looks_at_the_crate_and_is_shown_by_file(ws: Workspace):
    ws.env["HOME"] = os.environ["HOME"]  # where rustup keeps its toolchains
    (ws.root / "Cargo.toml").write_text('[package]\nname = "a"\nedition = "2021"\n')
    (ws.root / "src").mkdir()
    (ws.root / "src/lib.rs").write_text("pub mod other;\npub fn f() -> i32 {\n    return 1;\n}\n")
    (ws.root / "src/other.rs").write_text("pub fn g() -> i32 {\n    return 2;\n}\n")
    result = await run_linter.function(ws, ["src/other.rs"])
    assert result.content == (
        "1 problems (cargo-clippy on 1 files)\nsrc/other.rs:2:5 clippy::needless_return unneeded `return` statement"
    )


@pytest.mark.slow
async def test_linters_and_formatters_from_npm(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(timeout_s=100)
    (ws.root / "package.json").write_text("{}")
    install = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--silent",
        "@biomejs/biome",
        "oxlint",
        "eslint",
        "prettier",
    ]
    outcome = await execute(
        install, cwd=ws.root, env=dict(os.environ), timeout_s=100, output_limit_chars=2000
    )
    assert outcome.exit_code == 0, outcome.output
    (ws.root / "a.js").write_text("debugger\n")
    (ws.root / "biome.json").write_text("{}")
    assert "a.js:1:1 lint/suspicious/noDebugger" in (await run_linter.function(ws, ["a.js"])).content
    (ws.root / "fine.js").write_text("export const a = 1;\n")
    (ws.root / "b.js").write_text("debugger\n")
    (ws.root / "biome.json").write_text('{"files": {"includes": ["**", "!b.js"]}}')
    some = await run_linter.function(ws, ["b.js", "fine.js"])
    assert some.content.startswith("0 problems (biome on 1 files)\n[biome did NOT look at b.js")
    assert (await run_linter.function(ws, ["b.js"])).display == "nothing was linted"
    assert (await format_code.function(ws, ["a.js"])).changed == ("a.js",)
    (ws.root / "biome.json").unlink()
    (ws.root / ".oxlintrc.json").write_text("{}")
    assert "a.js:1:1 eslint(no-debugger)" in (await run_linter.function(ws, ["a.js"])).content
    (ws.root / ".oxlintrc.json").write_text('{"ignorePatterns": ["b.js"]}')
    some = await run_linter.function(ws, ["b.js", "fine.js"])
    assert some.content.startswith("0 problems (oxlint on 1 files)\n[oxlint did NOT look at b.js")
    assert (await run_linter.function(ws, ["b.js"])).is_error
    (ws.root / ".oxlintrc.json").unlink()
    (ws.root / "eslint.config.mjs").write_text('export default [{ rules: { "no-var": "error" } }];\n')
    (ws.root / "c.js").write_text("var a = 1;\n")
    (ws.root / "d.ts").write_text("var a = 1;\n")
    some = await run_linter.function(ws, ["c.js", "d.ts"])
    assert some.content.startswith("1 problems (eslint on 1 files)\nc.js:1:1 no-var")
    assert "[eslint did NOT look at d.ts: File ignored because no matching" in some.content
    assert (await run_linter.function(ws, ["d.ts"])).display == "nothing was linted"
    (ws.root / "b.css").write_text("a{b:c}")
    assert "prettier" in (await format_code.function(ws, ["b.css"])).content


async def test_a_file_whose_name_looks_like_an_option_is_a_file(committed: Workspace):
    (committed.root / "--output-file=old.py").write_text(BAD)
    result = await run_linter.function(committed)
    assert "F821 Undefined name `undefined_name`" in result.content
    assert (committed.root / "old.py").read_text() == BAD
    assert (await format_code.function(committed)).changed == ("--output-file=old.py",)
    assert "def f():" in (committed.root / "--output-file=old.py").read_text()
    assert (committed.root / "old.py").read_text() == BAD


@pytest.mark.parametrize("paths", [[], ["."]])
async def test_links_out_of_the_workspace_are_left_out_and_said(
    committed: Workspace, tmp_path: Path, paths: list[str]
):
    (tmp_path / "secret.py").write_text(BAD)
    (committed.root / "link.py").symlink_to(tmp_path / "secret.py")
    (committed.root / "new.py").write_text(BAD)
    linted = await run_linter.function(committed, paths)
    assert "link.py:" not in linted.content
    assert linted.content.endswith("[Left out, as they lead out of the workspace: link.py.]")
    formatted = await format_code.function(committed, paths)
    assert "new.py" in formatted.changed
    assert "lead out of the workspace: link.py" in formatted.content
    assert (tmp_path / "secret.py").read_text() == BAD
    assert "outside the workspace" in (await format_code.function(committed, ["link.py"])).content


async def test_only_links_out_of_the_workspace_are_said_to_be_so(committed: Workspace, tmp_path: Path):
    (committed.root / "link.py").symlink_to(tmp_path.parent)
    (committed.root / "passwd.py").symlink_to(__file__)
    refused = await run_linter.function(committed)
    assert "lead out of the workspace: passwd.py. No file has changed" in refused.content


async def test_a_file_of_the_settings_does_not_keep_others_from_being_formatted(committed: Workspace):
    (committed.root / ".codeflow").mkdir()
    (committed.root / ".codeflow/x.py").write_text(BAD)
    (committed.root / "new.py").write_text(BAD)
    result = await format_code.function(committed)
    assert result.changed == ("new.py",)
    assert ".codeflow/x.py may not be written" in result.content
    assert (await format_code.function(committed, [".codeflow/x.py", "new.py"])).is_error


async def test_a_folder_that_git_ignores_says_why_nothing_was_linted(committed: Workspace):
    (committed.root / ".gitignore").write_text("out/\n")
    (committed.root / "out").mkdir()
    (committed.root / "out/a.py").write_text(BAD)
    assert (
        "No file that git does not ignore is in out"
        in (await run_linter.function(committed, ["out"])).content
    )
