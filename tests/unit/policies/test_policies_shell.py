"""Shell lines by class of disguise, and bash itself as the judge of what our reader may have missed."""

import csv
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeflow.core.places import resource
from codeflow.core.values import Allow, Effect, Mode
from codeflow.policies.patterns import Place
from codeflow.policies.permissions import Call, Policy, decide
from codeflow.policies.rules import flag_rules, packaged_rules
from codeflow.syntax.shell.reader import Doubt
from codeflow.syntax.shell.running import parts_of

BASH = shutil.which("bash") or "bash"
TOOLS = ("run_command", "write_file", "read_file")
PACKAGED, FREE = packaged_rules(resource("config") / "permissions.toml", TOOLS)
OWN = [
    "run_command(ls *)",
    "run_command(echo *)",
    "run_command(pytest *)",
    "run_command(git status)",
    "run_command(python -m pytest *)",
    "run_command(timeout *)",
    "write_file(build/**)",
]
POLICY = Policy(
    rules=(*PACKAGED, *flag_rules(OWN, [], TOOLS)), free=FREE, place=Place(root="/w/p", home="/home/u")
)
TABLE = (Path(__file__).parent / "shell_lines.tsv").read_text(encoding="utf-8")
ROWS = [
    pytest.param(
        row["line"].encode().decode("unicode_escape"),
        row["edit"],
        row["auto"],
        row["why"].encode().decode("unicode_escape"),
        id=f"{row['class']}-{number}",
    )
    for number, row in enumerate(csv.DictReader(TABLE.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
]


def judged(line: str, mode: Mode, policy: Policy = POLICY) -> tuple[str, str]:
    call = Call(tool="run_command", effect=Effect.EXECUTE, arguments={"command": line})
    ruling = decide(mode, call, policy)
    reason = "" if isinstance(ruling.verdict, Allow) else ruling.verdict.reason
    return type(ruling.verdict).__name__.lower(), reason or ruling.rule or "mode"


@pytest.mark.parametrize(("line", "edit", "auto", "why"), ROWS)
def test_a_line_is_judged_by_what_it_would_run(line, edit, auto, why):
    verdict, reason = judged(line, Mode.EDIT)
    assert (verdict, judged(line, Mode.AUTO)[0]) == (edit, auto)
    assert f"`{why}`: " in reason if edit == "deny" else why in reason


@pytest.mark.parametrize(
    "piece",
    ["ls;", "ls&&", "ls|", "(ls) ", "$(", "`", "((", "{ ", "'", '"$(', "<(", "if ", "[[ ", "<<E ", "sudo ", "xargs ",
     "find . -exec ", "eval ", "sh -c ", "git push -a b ", "rm -rf $X ", "- ", "\\", "a=b ", "case x in "],
)  # fmt: skip
def test_a_line_of_100_kb_is_judged_in_bounds(piece: str):
    assert judged((piece * 100_000)[:100_000], Mode.AUTO)[0] in {"allow", "ask"}
    assert judged((piece * 100_001)[:100_001], Mode.EDIT) == ("ask", "it has more than 100,000 characters")


PIECES = st.sampled_from(
    ["echo", "ls", "true", "mark", "a", "#", " ", " ", " ", "\n", ";", "|", "&", "&&", "||", "(", ")", "{", "}", "<", ">",
     "<<", "<<-", "<<<", "EOF", "\nEOF\n", "'", '"', "`", "$(", "$((", "))", "${x:-", "$'", "\\", "\\\n", "!", "=", "x=",
     "[[", "]]", "if", "then", "fi", "do", "done", "for x in", "while", "case x in", "esac", ";;", "f()", "function f",
     "((", "-eq 1", "x='a[$(mark)]'", "@P}", "${x", "$x", "-", "*", "~", ",", "2>&1", ">(", "<(", "\t", "time", "exec", "command", "eval", "env", "xargs", "EOF'", "/dev/null"]
)  # fmt: skip
LENIENT = Policy(
    rules=flag_rules([f"run_command({name} *)" for name in ("echo", "ls", "true", "a", "x")], [], TOOLS),
    free=FREE,
    place=Place(),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Path:
    """A folder whose program `mark` leaves a file behind; there is no other program on the PATH."""
    folder: Path = tmp_path_factory.mktemp("bash")
    programs = folder / "bin"
    programs.mkdir()
    for name in ("env", "xargs"):
        (programs / name).symlink_to(shutil.which(name) or "")
    mark = programs / "mark"
    mark.write_text(f"#!/bin/sh\n: > {folder}/marked\n")
    mark.chmod(0o755)
    return folder


def runs_mark(line: str, folder: Path) -> bool:
    work = folder / "work"
    work.mkdir()
    try:
        subprocess.run(
            [BASH, "-c", line],
            cwd=work,
            env={"PATH": str(folder / "bin"), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (subprocess.TimeoutExpired, ValueError):
        return False
    finally:
        shutil.rmtree(work)
    found = (folder / "marked").exists()
    (folder / "marked").unlink(missing_ok=True)
    return found


@settings(
    max_examples=int(os.environ.get("EXAMPLES", "600")),
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
        HealthCheck.too_slow,
    ],
)
@given(before=st.lists(PIECES, max_size=12), after=st.lists(PIECES, max_size=6))
def test_what_is_allowed_never_runs_another_command(bench: Path, before: list[str], after: list[str]):
    line = "".join([*before, "mark", *after])
    if judged(line, Mode.EDIT, LENIENT)[0] == "allow":
        assert not runs_mark(line, bench)


@given(line=st.text(max_size=40) | st.lists(PIECES, max_size=25).map("".join))
def test_every_text_can_be_read(line: str):
    for part in parts_of(line):
        assert not isinstance(part, Doubt) or part.reason
