"""Analyse, edit and test with real tools in three languages."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import ROUTER, commit_all

from codeflow.models.endpoint import environment

GO = Path(sys.executable).with_name("go")


def python(folder: Path) -> None:
    (folder / "shop.py").write_text("def total(prices):\n    return sum(prices) - 1\n")
    (folder / "test_shop.py").write_text(
        "from shop import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
    )


def typescript(folder: Path) -> None:
    (folder / "shop.ts").write_text(
        "export function total(prices: number[]): number {\n  return prices.reduce((a, b) => a + b, 0) - 1;\n}\n"
    )
    (folder / "shop.test.ts").write_text(
        'import test from "node:test";\nimport assert from "node:assert";\nimport { total } from "./shop.js";\n\n'
        'test("total", () => { assert.equal(total([1, 2]), 3); });\n'
    )
    (folder / "tsconfig.json").write_text(
        '{"compilerOptions": {"module": "nodenext", "outDir": "dist", "types": ["node"], "rootDir": "."}}\n'
    )
    (folder / ".gitignore").write_text("node_modules/\ndist/\n")
    scripts = {"test": "tsc && node --test dist"}
    (folder / "package.json").write_text(json.dumps({"type": "module", "scripts": scripts}))
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent", "typescript@5", "@types/node@20"]
    subprocess.run(install, cwd=folder, check=True, capture_output=True)


def go(folder: Path) -> None:
    (folder / "go.mod").write_text("module shop\n\ngo 1.21\n")
    (folder / "shop.go").write_text(
        "package shop\n\nfunc Total(prices []int) int {\n\tsum := 0\n\tfor _, p := range prices {\n\t\tsum += p\n\t}\n"
        "\treturn sum - 1\n}\n"
    )
    (folder / "shop_test.go").write_text(
        'package shop\n\nimport "testing"\n\nfunc TestTotal(t *testing.T) {\n\tif Total([]int{1, 2}) != 3 {\n'
        '\t\tt.Fatal("wrong total")\n\t}\n}\n'
    )


CASES: dict[str, tuple[Callable[[Path], None], str, str, str]] = {
    "python": (python, "shop.py", "sum(prices) - 1", "sum(prices)"),
    "typescript": (typescript, "shop.ts", "a + b, 0) - 1;", "a + b, 0);"),
    "go": (go, "shop.go", "return sum - 1", "return sum"),
}


def call(**tool: Any) -> dict[str, Any]:
    return {"agent": "senior_coder", "call": [{name: arguments} for name, arguments in tool.items()]}


@pytest.fixture
def with_go(tmp_path: Path) -> str:
    """A PATH on which go stands without the rest of codeflow's own programs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "go").symlink_to(GO)
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.slow
@pytest.mark.parametrize("language", CASES)
def test_a_project_is_analysed_repaired_and_tested(language, tmp_path, shell, scripted, with_go):
    make, name, old, new = CASES[language]
    if language == "typescript":
        assert shutil.which("npm"), "the tests need node and npm"
    folder = tmp_path / language
    folder.mkdir()
    make(folder)
    commit_all(folder)
    steps = [
        call(parse_ast={"path": name}, find_references={"symbol": "Total" if language == "go" else "total"}),
        call(run_tests={}),
        call(read_file={"path": name}),
        call(edit_file={"path": name, "old_text": old, "new_text": new}),
        call(run_tests={}),
        {"agent": "senior_coder", "say": "One was subtracted; it no longer is."},
    ]
    with scripted([ROUTER, *steps]) as endpoint:
        patient = replace(shell.at(folder), patience_s=500)  # go compiles its own packages first
        done = patient(
            "run",
            "make the failing test pass",
            "--output",
            "json",
            "--agent",
            "senior_coder",
            env={**environment(endpoint.url), "PATH": with_go},
        )
    assert done.code == 0, done.stderr + done.stdout
    (gate,) = [gate for gate in done.result["gates"] if gate["name"] == "tests"]
    assert gate["status"] == "green"
    last = endpoint.requests[-1].body["messages"]
    answers = [
        block["toolResult"]["content"][0]["text"]
        for message in last
        for block in message["content"]
        if "toolResult" in block
    ]
    assert "otal" in answers[0]
    assert name in answers[1]
    assert "1 failed" in answers[2]
    assert "exit code 0" in answers[-1] or "1 passed" in answers[-1]
