"""Linters and formatters: for which files, when a project uses them, and how to read what they find."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from codeflow.tools.project_files import ProjectFiles
from codeflow.tools.project_managers import how_to_add

_PYTHON = (".py", ".pyi")
_WEB = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts")
_C = (".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".proto")
_SHELL = (".sh", ".bash")
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
    """A program that looks at files."""

    name: str
    suffixes: Sequence[str]
    arguments: Sequence[str]
    language: str = ""
    """Whose package manager installs it: python, javascript, or neither."""
    package: str = ""
    """The package it comes in, where that has another name; for neither language, how to get it."""
    config_files: Sequence[str] = ()
    sections: Sequence[tuple[str, str]] = ()
    """(file, section) that show that a project uses it."""
    unconfigured: bool = False
    """Whether it is of use, and does no harm, in a project that does not mention it."""
    takes: Literal["files", "folders", "nothing"] = "files"
    """What comes after its arguments; nothing for one that always looks at the whole project."""
    by_stdin: bool = False
    """Whether it is given one file on stdin and prints the result, because it would touch other files too."""

    def configured_in(self, project: ProjectFiles) -> str | None:
        """The file that configures it."""
        if self.language == "javascript":
            key = {"eslint": "eslintConfig"}.get(self.name, self.name)
            if re.search(rf'"{key}"\s*:\s*\{{', project.text("package.json")):
                return "package.json"
        in_section = (project.section(file, header) for file, header in self.sections)
        return project.has(*self.config_files) or next(filter(None, in_section), None)

    def named_in(self, project: ProjectFiles) -> str | None:
        """The file that configures it or lists its package."""
        name = re.escape(self.package or self.name)
        listed = {
            "python": (rf"[\"']{name}\s*[\"'<>=~!;\[]", "pyproject.toml"),
            "javascript": (f'"{name}"', "package.json"),
        }
        if source := self.configured_in(project):
            return source
        pattern, file = listed.get(self.language, ("", ""))
        return file if pattern and re.search(pattern, project.text(file)) else None

    def cure(self, project: ProjectFiles) -> str:
        """What to do when it is missing."""
        if not self.language:
            return self.package
        return how_to_add(project.root, self.package or self.name, self.language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linter(Program):
    """A program that prints problems; `read` gets what it printed and the root, None means that it did not work."""

    on_stderr: bool = False
    """Whether it prints them there and not to stdout."""
    read: Callable[[str, Path], list[Finding] | None]
    ignored: Callable[[str], Mapping[str, str]] | None = None
    """From what it printed: the files that it was given and did not look at, by the name it has for them -> why."""
    listing: Sequence[str] = ()
    """Arguments with which it names, one a line, those of its files that it would look at, where it prints no `ignored`."""
    gate: str = ""
    """The command that looks at the whole project and changes nothing."""


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
            if _is_ignored_by_eslint(row):
                continue
            line, column = row.get("line", 0), row.get("column", 0)
            yield Finding(file["filePath"], line, column, row["ruleId"] or "", row["message"])


def _is_ignored_by_eslint(row: Mapping[str, Any]) -> bool:
    return row["ruleId"] is None and row["message"].startswith("File ignored")


def _ignored_by_eslint(output: str) -> Mapping[str, str]:
    return {
        file["filePath"]: row["message"].partition(". ")[0].rstrip(".")
        for file in json.loads(output)
        for row in file["messages"]
        if _is_ignored_by_eslint(row)
    }


def _biome(answer: Mapping[str, Any]) -> Iterator[Finding]:
    for row in answer["diagnostics"]:
        at = row["location"]
        start = at.get("start") or {"line": 0, "column": 0}
        yield Finding(at["path"], start["line"], start["column"], row["category"], row["message"])


def _oxlint(answer: Mapping[str, Any]) -> Iterator[Finding]:
    for row in answer["diagnostics"]:
        span = row["labels"][0]["span"] if row["labels"] else {"line": 0, "column": 0}
        yield Finding(row["filename"], span["line"], span["column"], row.get("code") or "", row["message"])


def _shellcheck(answer: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for row in answer:
        yield Finding(row["file"], row["line"], row["column"], f"SC{row['code']}", row["message"])


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


def _go_vet(output: str, _: Path) -> list[Finding] | None:
    """A line for each problem, after the package in a comment; a package that cannot be compiled has only its first."""
    told = [line for line in output.splitlines() if line.strip() and not line.startswith(("#", "go: "))]
    found = [
        Finding(
            match["path"].removeprefix("./"),
            int(match["line"]),
            int(match["column"] or 0),
            "",
            match["message"],
        )
        for match in _LINE.finditer("\n".join(told))
    ]
    return found if found or not output.strip() else None


def _clippy(output: str, _: Path) -> list[Finding] | None:
    """Cargo prints an object a line; a test's copy of the library says everything again."""
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if not any(row["reason"] == "build-finished" for row in rows):
        return None
    told = [row["message"] for row in rows if row["reason"] == "compiler-message"]
    places = [(said, span) for said in told for span in said["spans"] if span["is_primary"]]
    findings = (
        Finding(
            span["file_name"],
            span["line_start"],
            span["column_start"],
            (said["code"] or {}).get("code", ""),
            " ".join(said["message"].split()),
        )
        for said, span in places
    )
    return list(dict.fromkeys(findings))


_RUFF_FILES = ("ruff.toml", ".ruff.toml")
_RUFF_SECTIONS = (("pyproject.toml", "tool.ruff"),)
_BIOME_FILES = ("biome.json", "biome.jsonc")

LINTERS: Sequence[Linter] = (
    Linter(
        name="ruff",
        suffixes=_PYTHON,
        arguments=("check", "--no-fix", "--quiet", "--output-format=json", "--force-exclude"),
        language="python",
        config_files=_RUFF_FILES,
        sections=_RUFF_SECTIONS,
        unconfigured=True,
        read=_json_reader(_ruff),
        listing=("check", "--show-files", "--force-exclude"),
        gate="ruff check --no-fix",
    ),
    Linter(
        name="flake8",
        suffixes=_PYTHON,
        arguments=("--format=default",),
        language="python",
        config_files=(".flake8",),
        sections=(("setup.cfg", "flake8"), ("tox.ini", "flake8")),
        unconfigured=True,
        read=_flake8,
        gate="flake8",
    ),
    Linter(
        name="eslint",
        suffixes=_WEB,
        arguments=("--format=json",),
        language="javascript",
        config_files=("eslint.config.*", ".eslintrc*"),
        read=_json_reader(_eslint),
        ignored=_ignored_by_eslint,
        gate="./node_modules/.bin/eslint .",
    ),
    Linter(
        name="biome",
        suffixes=(*_WEB, ".css", ".json", ".jsonc"),
        arguments=("lint", "--reporter=json"),
        language="javascript",
        package="@biomejs/biome",
        config_files=_BIOME_FILES,
        unconfigured=True,
        read=_json_reader(_biome),
        listing=("lint", "--verbose", "--max-diagnostics=none"),
        gate="./node_modules/.bin/biome lint",
    ),
    Linter(
        name="oxlint",
        suffixes=_WEB,
        arguments=("--format=json",),
        language="javascript",
        config_files=(".oxlintrc.json",),
        unconfigured=True,
        read=_json_reader(_oxlint),
        listing=("--debug=files",),
        gate="./node_modules/.bin/oxlint",
    ),
    Linter(
        name="shellcheck",
        suffixes=_SHELL,
        arguments=("--format=json",),
        package="get shellcheck from the system's packages",
        config_files=(".shellcheckrc",),
        unconfigured=True,
        read=_json_reader(_shellcheck),
    ),
    Linter(
        name="go",
        suffixes=(".go",),
        arguments=("vet",),
        takes="folders",
        package="get the Go toolchain",
        unconfigured=True,
        read=_go_vet,
        on_stderr=True,
    ),
    Linter(
        name="cargo-clippy",
        suffixes=(".rs",),
        arguments=("clippy", "--quiet", "--all-targets", "--message-format=json"),
        takes="nothing",
        package="get it: rustup component add clippy",
        unconfigured=True,
        read=_clippy,
    ),
)

FORMATTERS: Sequence[Program] = (
    Program(
        name="ruff",
        suffixes=_PYTHON,
        arguments=("format", "--force-exclude"),
        language="python",
        config_files=_RUFF_FILES,
        sections=_RUFF_SECTIONS,
    ),
    Program(
        name="black",
        suffixes=_PYTHON,
        arguments=("--quiet",),
        language="python",
        sections=(("pyproject.toml", "tool.black"),),
    ),
    Program(
        name="prettier",
        suffixes=(*_WEB, ".css", ".scss", ".html", ".json", ".md", ".yaml", ".yml", ".vue"),
        arguments=("--write", "--log-level=warn"),
        language="javascript",
        config_files=(".prettierrc*", "prettier.config.*"),
    ),
    Program(
        name="biome",
        suffixes=(*_WEB, ".css", ".json", ".jsonc"),
        arguments=("format", "--write"),
        language="javascript",
        package="@biomejs/biome",
        config_files=_BIOME_FILES,
    ),
    Program(
        name="gofmt",
        suffixes=(".go",),
        arguments=("-w",),
        package="it comes with the Go toolchain",
        unconfigured=True,
    ),
    Program(
        name="rustfmt",
        suffixes=(".rs",),
        arguments=("--edition={edition}",),
        package="get it: rustup component add rustfmt",
        config_files=("rustfmt.toml", ".rustfmt.toml"),
        unconfigured=True,
        by_stdin=True,
    ),
    Program(
        name="clang-format",
        suffixes=_C,
        arguments=("-i",),
        package="get it: pip install clang-format",
        config_files=(".clang-format",),
    ),
    Program(
        name="shfmt",
        suffixes=_SHELL,
        arguments=("-w",),
        package="get shfmt from the system's packages",
        config_files=(".editorconfig",),
    ),
)
