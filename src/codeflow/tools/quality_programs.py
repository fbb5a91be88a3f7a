"""Linters and formatters: for which files, when a project uses them, and how to read what they find."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeflow.tools.project_files import ProjectFiles

_PYTHON = (".py", ".pyi")
_WEB = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts")
_C = (".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".proto")
_LINE = re.compile(
    r"^(?:vet: )?(?P<path>[^:\s][^:]*):(?P<line>\d+):(?:(?P<column>\d+):)? ?(?P<message>.+)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, at a line and column from 1; the column is 0 when it is not known."""

    path: str
    line: int
    column: int
    code: str
    message: str

    @property
    def text(self) -> str:
        code = f" {self.code}" if self.code else ""
        return f"{self.path}:{self.line}:{self.column}{code} {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that takes file names after its arguments."""

    name: str
    suffixes: Sequence[str]
    arguments: Sequence[str]
    config_files: Sequence[str] = ()
    sections: Sequence[tuple[str, str]] = ()
    """(file, section) that show that a project uses it."""

    def is_configured(self, project: ProjectFiles) -> bool:
        in_section = any(project.section(file, header) for file, header in self.sections)
        return in_section or project.has(*self.config_files) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linter(Program):
    """A program that prints problems; `read` gets its stdout and the root, None means that it did not work."""

    read: Callable[[str, Path], list[Finding] | None]


def _json_reader(items: Callable[[Any], Iterator[Finding]]) -> Callable[[str, Path], list[Finding] | None]:
    def read(output: str, root: Path) -> list[Finding] | None:
        try:
            findings = list(items(json.loads(output)))
        except json.JSONDecodeError:
            return None
        prefix = f"{root}/"
        return [
            Finding(f.path.removeprefix(prefix), f.line, f.column, f.code, " ".join(f.message.split()))
            for f in findings
        ]

    return read


def _ruff(answer: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for row in answer:
        at = row["location"]
        yield Finding(row["filename"], at["row"], at["column"], row["code"] or "", row["message"])


def _eslint(answer: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for file in answer:
        for row in file["messages"]:
            line, column = row.get("line", 0), row.get("column", 0)
            yield Finding(file["filePath"], line, column, row["ruleId"] or "", row["message"])


def _biome(answer: Mapping[str, Any]) -> Iterator[Finding]:
    for row in answer["diagnostics"]:
        at = row["location"]
        start = at.get("start") or {"line": 0, "column": 0}
        yield Finding(at["path"], start["line"], start["column"], row["category"], row["message"])


def _oxlint(answer: Mapping[str, Any]) -> Iterator[Finding]:
    for row in answer["diagnostics"]:
        span = row["labels"][0]["span"] if row["labels"] else {"line": 0, "column": 0}
        yield Finding(row["filename"], span["line"], span["column"], row.get("code") or "", row["message"])


def _flake8(output: str, _: Path) -> list[Finding]:
    found = []
    for match in _LINE.finditer(output):
        code, message = match["message"].split(" ", 1)
        found.append(
            Finding(
                match["path"].removeprefix("./"), int(match["line"]), int(match["column"] or 0), code, message
            )
        )
    return found


_RUFF_FILES = ("ruff.toml", ".ruff.toml")
_RUFF_SECTIONS = (("pyproject.toml", "tool.ruff"),)
_BIOME_FILES = ("biome.json", "biome.jsonc")

LINTERS: Sequence[Linter] = (
    Linter(
        name="ruff",
        suffixes=_PYTHON,
        arguments=("check", "--no-fix", "--quiet", "--output-format=json", "--force-exclude"),
        config_files=_RUFF_FILES,
        sections=_RUFF_SECTIONS,
        read=_json_reader(_ruff),
    ),
    Linter(
        name="flake8",
        suffixes=_PYTHON,
        arguments=("--format=default",),
        config_files=(".flake8",),
        sections=(("setup.cfg", "flake8"), ("tox.ini", "flake8")),
        read=_flake8,
    ),
    Linter(
        name="eslint",
        suffixes=_WEB,
        arguments=("--format=json", "--no-warn-ignored"),
        config_files=("eslint.config.*", ".eslintrc*"),
        read=_json_reader(_eslint),
    ),
    Linter(
        name="biome",
        suffixes=(*_WEB, ".css", ".json", ".jsonc"),
        arguments=("lint", "--reporter=json"),
        config_files=_BIOME_FILES,
        read=_json_reader(_biome),
    ),
    Linter(
        name="oxlint",
        suffixes=_WEB,
        arguments=("--format=json",),
        config_files=(".oxlintrc.json",),
        read=_json_reader(_oxlint),
    ),
)

FORMATTERS: Sequence[Program] = (
    Program(
        name="ruff",
        suffixes=_PYTHON,
        arguments=("format", "--force-exclude"),
        config_files=_RUFF_FILES,
        sections=_RUFF_SECTIONS,
    ),
    Program(
        name="black",
        suffixes=_PYTHON,
        arguments=("--quiet",),
        sections=(("pyproject.toml", "tool.black"),),
    ),
    Program(
        name="prettier",
        suffixes=(*_WEB, ".css", ".scss", ".html", ".json", ".md", ".yaml", ".yml", ".vue"),
        arguments=("--write", "--log-level=warn"),
        config_files=(".prettierrc*", "prettier.config.*"),
    ),
    Program(
        name="biome",
        suffixes=(*_WEB, ".css", ".json", ".jsonc"),
        arguments=("format", "--write"),
        config_files=_BIOME_FILES,
    ),
    Program(name="gofmt", suffixes=(".go",), arguments=("-w",)),
    Program(name="rustfmt", suffixes=(".rs",), arguments=("--edition=2021",), config_files=("rustfmt.toml",)),
    Program(name="clang-format", suffixes=_C, arguments=("-i",), config_files=(".clang-format",)),
)
