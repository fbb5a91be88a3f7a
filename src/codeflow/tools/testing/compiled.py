"""go test, cargo test, Maven and Gradle."""

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from codeflow.tools.left import left_file
from codeflow.tools.project_files import small_text
from codeflow.tools.testing.junit import read_junit
from codeflow.tools.testing.report import Failure, Report, own_frames, place_in
from codeflow.tools.testing.runner import Line, Ran, Runner

_GO_PLACE = re.compile(r"^\s*(?:vet: )?(?P<file>[\w./-]+\.go):(?P<line>\d+):(?:\d+:)?", re.MULTILINE)
_GO_TEST = re.compile(r"(Test|Example|Fuzz)([A-Z_0-9]\w*)?(/.*)?")
_GO_NOT_BUILT = re.compile(r"FAIL\t(?P<package>\S+) \[(?:build|setup) failed\]")
_GO_BUILT = re.compile(r"# (?P<package>\S+)")
_GO_PROGRESS = re.compile(r"=== |\s*--- PASS|PASS$")
_CARGO_FAILURE = re.compile(
    r"^---- (?P<test>.+) stdout ----\n(?P<text>(?:(?!---- |failures:\n).*\n)*)", re.MULTILINE
)
_CARGO_PLACE = re.compile(r"panicked at (?:'.*', )?(?P<place>[^\s:]+:\d+)")
_CARGO_BEGIN = re.compile(r"^running \d+ tests?$", re.MULTILINE)
_CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)
_XML_FOLDERS = ("target/surefire-reports", "target/failsafe-reports", "build/test-results")


GoTest = tuple[str, str]
"""Package and test; without a test, the package itself."""


def _aim_go(command: str, targets: Sequence[str], root: Path) -> str:
    """A target is a folder, file or package, with ::Test behind it if wanted; a test alone is looked for in all."""
    pairs = [_go_target(target) for target in targets]
    packages = list(dict.fromkeys(_go_package(package, root) for package, _ in pairs if package))
    names = [name for _, name in pairs if name]
    if packages:
        command = command.replace("./...", shlex.join(packages))
    if len(names) == len(pairs):
        pattern = "/".join(f"^{part}$" for part in names[0].split("/"))
        if len(names) > 1:
            pattern = f"^({'|'.join(dict.fromkeys(name.partition('/')[0] for name in names))})$"
        command = re.sub(
            r"\bgo test\b", lambda found: f"{found[0]} -run {shlex.quote(pattern)}", command, count=1
        )
    return command


def _go_target(target: str) -> tuple[str, str]:
    """The package and the test."""
    if _GO_TEST.fullmatch(target):
        return "", target
    package, _, name = target.partition("::")
    return package, name


def _go_package(target: str, root: Path) -> str:
    """Go takes a folder without ./ for a package of its own, and a file for a whole package."""
    path = Path(target)
    if target.endswith(".go"):
        path = path.parent
    elif not (root / path).is_dir():
        return target
    return target if path.is_absolute() else f"./{path.as_posix()}".removesuffix("/.")


def _aim_cargo(command: str, targets: Sequence[str], _: Path) -> str:
    """A target is part of a test's name, or a file: of tests/ a program of its own, of src/ a module."""
    pairs = [_cargo_target(target) for target in targets]
    programs = dict.fromkeys(program for program, _ in pairs)
    if all(programs):
        command += "".join(f" --test {shlex.quote(program)}" for program in programs)
    names = [name for _, name in pairs]
    return f"{command} -- {shlex.join(names)}" if all(names) else command


def _cargo_target(target: str) -> tuple[str, str]:
    """The test program and what its tests' names hold; empty for all."""
    file, separator, name = target.partition(".rs")
    if not separator:
        return "", target
    name = name.removeprefix("::")
    parts = [part for part in Path(file).parts if part not in {"src", "lib", "main", "mod"}]
    if parts and parts[0] == "tests":
        return parts[-1], name
    module = "::".join(parts)
    return "", f"{module}::{name}" if module else name


def _aim_maven(command: str, targets: Sequence[str], _: Path) -> str:
    return f"{command} {shlex.quote('-Dtest=' + ','.join(map(_class_name, targets)))} -Dsurefire.failIfNoSpecifiedTests=false"


def _aim_gradle(command: str, targets: Sequence[str], _: Path) -> str:
    wanted = [word for target in targets for word in ("--tests", _class_name(target).replace("#", "."))]
    return f"{command} {shlex.join(wanted)}"


def _class_name(target: str) -> str:
    """A test's class; a source file names it."""
    return Path(target).stem if target.endswith((".java", ".kt")) else target


def _inserted(pattern: str, option: str) -> Callable[[Line, Path], Line]:
    return lambda line, _: Line(
        command=re.sub(pattern, rf"\g<0> {option}", line.command, count=1), env=line.env
    )


def _read_go(ran: Ran) -> Report | None:
    printed: dict[GoTest, list[str]] = defaultdict(list)
    errors: dict[GoTest, str] = {}
    ended: dict[GoTest, str] = {}
    for event in _go_events(ran.output):
        if event.get("Action") == "build-output":
            continue
        package = (event.get("Package") or event.get("ImportPath", "")).partition(" ")[0]
        key = (package, event.get("Test", ""))
        if "Output" in event:
            printed[key].append(event["Output"])
            if event.get("OutputType") == "error":  # since Go 1.25; before, an error looks like a log
                errors.setdefault(key, event["Output"])
        elif event.get("Action") in {"pass", "fail", "skip"}:
            ended[key] = event["Action"]
    for package, said in _not_built(ran.output).items():
        ended[package, ""] = "fail"  # before Go 1.24, no event tells it
        printed[package, ""].insert(0, said)
    if not ended:
        return None
    failed = [key for key, action in ended.items() if action == "fail" and _is_leaf(key, ended)]
    tests = [action for (_, test), action in ended.items() if test]
    return Report(
        passed=tests.count("pass"),
        skipped=tests.count("skip"),
        failures=tuple(
            _go_failure(key, "".join(printed[key]), errors.get(key, ""), ran.root) for key in failed
        ),
        unfinished=tuple("::".join(key) for key in printed if key[1] and key not in ended),
        cut_short=_left_by_go(ended, printed),
    )


def _not_built(output: str) -> Mapping[str, str]:
    """Package whose tests could not be built -> what was said of it, or else of all, as it may be of what it imports."""
    said: dict[str, list[str]] = defaultdict(list)
    failed: list[str] = []
    package = ""
    for line in _build_lines(output):
        if found := _GO_BUILT.match(line):
            package = found["package"]
        elif found := _GO_NOT_BUILT.match(line):
            failed.append(found["package"])
            package = ""
        elif package:
            said[package].append(f"{line}\n")
    everything = "".join(line for lines in said.values() for line in lines)
    return {package: "".join(said.get(package, ())) or everything for package in failed}


def _build_lines(output: str) -> Iterator[str]:
    """What go prints beside its tests; since Go 1.24 as events, before as it is."""
    for row in output.splitlines():
        if not _is_go_event(row):
            yield row
            continue
        event = json.loads(row)
        if event.get("Action") == "build-output" or (not event.get("Test") and "Output" in event):
            yield event["Output"].rstrip("\n")


def _left_by_go(ended: Mapping[GoTest, str], printed: Mapping[GoTest, Sequence[str]]) -> str:
    """A test program says PASS when it is through; go itself calls one that just left ok."""
    packages = dict.fromkeys(package for package, _ in (*printed, *ended) if package)
    left = [
        package
        for package in packages
        if ended.get((package, "")) not in {"fail", "skip"} and "PASS\n" not in printed.get((package, ""), ())
    ]
    return f"the test program of {', '.join(left[:5])} ended before its tests did" if left else ""


def _shown_by_go(output: str) -> str:
    """What `go test` prints without -json, passing tests left out."""
    lines: list[str] = []
    for row in output.splitlines(keepends=True):
        event = json.loads(row) if _is_go_event(row.rstrip()) else {"Output": row}
        lines.append(event.get("Output", ""))
    shown = "".join(lines).splitlines(keepends=True)
    return "".join(line for line in shown if not _GO_PROGRESS.match(line))


def _is_go_event(row: str) -> bool:
    return row.startswith('{"') and row.endswith("}")


def _go_events(output: str) -> Iterator[Mapping[str, str]]:
    for row in output.splitlines():
        if _is_go_event(row):
            yield json.loads(row)


def _is_leaf(key: GoTest, ended: Mapping[GoTest, str]) -> bool:
    """Whether this is what failed, not what contains it: a test with subtests, a package with tests."""
    package, test = key
    inside = f"{test}/" if test else ""
    return not any(
        action == "fail" and other != key and other[0] == package and other[1].startswith(inside)
        for other, action in ended.items()
    )


def _go_failure(key: GoTest, printed: str, error: str, root: Path) -> Failure:
    """An error names its file inside the package's folder, the compiler inside the project."""
    package, test = key
    lines = [line for line in printed.splitlines() if not line.lstrip().startswith(("=== ", "--- "))]
    places = list(_GO_PLACE.finditer(error or "\n".join(lines)))
    found = places[0] if places and not test else places[-1] if places else None
    folder = package.removeprefix(go_module(root)).strip("/")
    place = _go_place(found, folder) if found else place_in("\n".join(lines), root)
    message = found.string[found.end() :].partition("\n")[0].strip() if found else "\n".join(lines[:3])
    return Failure(
        test=f"{package}::{test}" if test else package, place=place, message=message, details="\n".join(lines)
    )


def _go_place(found: re.Match[str], folder: str) -> str:
    file = found["file"].removeprefix("./")
    return f"{file if '/' in found['file'] or not folder else f'{folder}/{file}'}:{found['line']}"


def go_module(root: Path) -> str:
    """The import path that stands for the root; empty when go.mod does not say."""
    found = re.search(r"^module\s+(\S+)", small_text(root / "go.mod"), re.MULTILINE)
    return found[1] if found else ""


def _read_cargo(ran: Ran) -> Report | None:
    results = _CARGO_RESULT.findall(ran.output)
    begun = len(_CARGO_BEGIN.findall(ran.output))
    if not begun:
        return None
    left = begun - len(results)
    return Report(
        passed=sum(int(passed) for passed, _, _ in results),
        skipped=sum(int(ignored) for _, _, ignored in results),
        failures=tuple(_cargo_failure(match, ran.root) for match in _CARGO_FAILURE.finditer(ran.output)),
        cut_short=f"{left} of {begun} test programs ended before their tests did" if left > 0 else "",
    )


def _cargo_failure(match: re.Match[str], root: Path) -> Failure:
    """Everything a failed test prints stands in its block: its output, then the panic."""
    text = own_frames(match["text"], root)
    found = _CARGO_PLACE.search(text)
    message = text[found.end() :].partition("\n")[2].partition("note: ")[0].strip() if found else text
    return Failure(test=match["test"], place=found["place"] if found else "", message=message, details=text)


def _read_jvm(ran: Ran) -> Report | None:
    files = (
        left_file(ran.root, file.relative_to(ran.root))
        for folder in _XML_FOLDERS
        for file in ran.root.glob(f"**/{folder}/**/TEST-*.xml")
        if file.lstat().st_mtime >= ran.started
    )
    return read_junit(filter(None, files), ran.root, _jvm_test_id)


def _jvm_test_id(case: ET.Element, _: str) -> str:
    return f"{case.get('classname', '')}#{case.get('name', '').removesuffix('()')}"


GO = Runner(
    name="go test",
    pattern=re.compile(r"\bgo test\b"),
    aim=_aim_go,
    reporting=_inserted(r"\bgo test\b", "-json"),
    shown=_shown_by_go,
    read=_read_go,
    always_reports=True,
)
CARGO = Runner(
    name="cargo test",
    pattern=re.compile(r"\bcargo test\b"),
    aim=_aim_cargo,
    reporting=_inserted(r"\bcargo test\b", "--no-fail-fast"),
    read=_read_cargo,
    always_reports=True,
)
MAVEN = Runner(
    name="Maven",
    pattern=re.compile(r"\bmvnw?\b"),
    aim=_aim_maven,
    reporting=lambda line, _: line,
    read=_read_jvm,
)
GRADLE = Runner(
    name="Gradle",
    pattern=re.compile(r"\bgradlew?\b"),
    aim=_aim_gradle,
    reporting=lambda line, _: line,
    read=_read_jvm,
)
