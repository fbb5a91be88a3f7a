"""`codeflow review`: reviewers side by side, their findings checked against the code, merged and written down."""

import json
import signal
import subprocess

import pytest
from tests.e2e.harness import CODEFLOW, FIXED, git
from tests.e2e.test_e2e_resume import arrived

from codeflow.models.endpoint import environment

WORSE = "def add(a, b):\n    return eval(f'{a} + {b}')\n"
INJECTION = {
    "file": "calc.py",
    "line": 2,
    "severity": "high",
    "problem": "eval runs whatever a caller passes as a or b",
    "evidence": "calc.py:2 puts both into the text of a program",
    "old": "    return eval(f'{a} + {b}')",
    "new": "    return a + b",
}
SLOW = {
    **INJECTION,
    "severity": "low",
    "problem": "eval runs whatever a caller passes as a or b, slowly",
    "old": "",
}
INVENTED = {"file": "calc.py", "line": 99, "severity": "high", "problem": "not there"}


def found(kind: str, *findings: object) -> dict[str, object]:
    return {"agent": f"reviewer@{kind}", "say": json.dumps({"findings": findings})}


REPLIES = [
    found("security", INJECTION),
    found("performance", SLOW),
    found("correctness", INVENTED),
    found("style"),
]


@pytest.fixture
def change(project):
    (project / "calc.py").write_text(WORSE)
    return project


def review(shell, endpoint, *arguments: str, stdin: str = ""):
    return shell("review", *arguments, stdin=stdin, env=environment(endpoint.url))


def test_findings_are_checked_merged_and_decide_the_exit_code(shell, change, scripted):
    with scripted(REPLIES) as endpoint:
        done = review(shell, endpoint, "--output", "json")
        asked = endpoint.requests[0].body["messages"][0]["content"][0]["text"]
        offered = {tool["toolSpec"]["name"] for tool in endpoint.requests[0].body["toolConfig"]["tools"]}
    assert "return eval" in asked
    assert offered.isdisjoint({"run_command", "run_tests", "edit_file"})
    assert done.code == 1, done.stderr
    (finding,) = done.result["findings"]
    assert finding["kinds"] == ["security", "performance"]
    assert finding["patch"].endswith("-    return eval(f'{a} + {b}')\n+    return a + b\n")
    assert done.result["dropped"] == ["calc.py:99: there is no such line (not there)"]
    assert (change / "calc.py").read_text() == WORSE


@pytest.mark.slow
def test_reports_for_people_code_hosts_and_editors(shell, change, scripted, tmp_path):
    with scripted(REPLIES) as endpoint:
        text = review(shell, endpoint, "--fail-on", "never")
    assert text.code == 0
    assert text.stdout.startswith("calc.py:2: high (security, performance): eval runs whatever")
    with scripted(REPLIES) as endpoint:
        sarif = review(shell, endpoint, "--output", "sarif", "--save", str(tmp_path / "found.sarif"))
    assert (sarif.code, sarif.stdout) == (1, "")
    (run,) = json.loads((tmp_path / "found.sarif").read_text())["runs"]
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("security", "error")
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 2}
    (replaced,) = result["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replaced["insertedContent"] == {"text": "    return a + b"}
    with scripted(REPLIES) as endpoint:
        markdown = review(shell, endpoint, "--output", "markdown")
    assert markdown.stdout.startswith("**1 findings** (1 high)\n\n### `calc.py:2`")
    assert "```diff" in markdown.stdout


@pytest.mark.slow
def test_a_reviewer_that_fails_is_named_and_the_others_findings_stay(shell, change, scripted):
    gone = {**found("performance"), "faults": [{"error": "AccessDeniedException"}] * 9}
    with scripted([REPLIES[0], gone, *REPLIES[2:]]) as endpoint:
        done = review(shell, endpoint, "--output", "json")
    assert "nobody looked for performance: that reviewer gave no usable answer" in done.stderr
    assert len(done.result["findings"]) == 1
    assert (done.result["complete"], done.result["not_looked_for"]) == (False, ["performance"])


def odd(kind: str, findings: object):
    return {"agent": f"reviewer@{kind}", "say": json.dumps({"findings": findings})}


def test_a_review_that_nobody_finished_is_no_success(shell, change, scripted):
    told = [odd("security", None), odd("performance", "none"), odd("correctness", ["text"]), odd("style", [])]
    with scripted(told) as endpoint:
        done = review(shell, endpoint, "--output", "sarif")
    assert done.code == 1, done.stderr
    (invocation,) = done.result["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert len(invocation["toolExecutionNotifications"]) == 2
    assert "finding dropped: a finding without a usable form" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("output", ["json", "sarif"])
def test_a_severity_that_a_model_invents_does_not_lower_the_exit_code(shell, change, scripted, output):
    with scripted(
        [found("security", {**INJECTION, "severity": "P0"}), found("performance"), *REPLIES[2:]]
    ) as endpoint:
        done = review(shell, endpoint, "--output", output)
    told = 'calc.py:2: its severity "P0" is not low, medium or high: it counts as high'
    assert (done.code, f"codeflow: {told}" in done.stderr) == (1, True)
    assert told in (done.result["guessed_severities"] if output == "json" else done.stdout.replace("\\", ""))


@pytest.mark.slow
def test_a_review_that_was_cut_short_is_finished_by_resume_with_its_report(shell, change, scripted):
    late = {**REPLIES[3], "latency_ms": 60_000}
    with scripted([*REPLIES[:3], late]) as endpoint:
        run = subprocess.Popen(
            [CODEFLOW, "review", "--output", "sarif", "--fail-on", "low"],
            cwd=change,
            env={**shell.env, **environment(endpoint.url)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        arrived(endpoint, 4)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)
    assert run.returncode == 130
    for replies in (REPLIES, []):  # the second time nothing is left to do but the report
        with scripted(replies) as endpoint:
            done = shell("resume", "--quiet", env=environment(endpoint.url))
        assert done.code == 1, done.stderr
        (report,) = done.result["runs"]
        assert [one["level"] for one in report["results"]] == ["error"]
        assert report["invocations"][0]["executionSuccessful"] is True
        assert "finding dropped: calc.py:99" in done.stderr
    with scripted([]) as endpoint:
        plain = shell("resume", "--output", "json", env=environment(endpoint.url))
    assert (plain.code, plain.result["status"]) == (0, "done")


def test_a_range_is_checked_against_the_files_that_it_leads_to(shell, project, scripted):
    git(project, "checkout", "-qb", "feat")
    (project / "new.py").write_text("import os\n\neval(input())\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "worse")
    git(project, "checkout", "-q", "-")
    here = git(project, "branch", "--show-current").strip()
    claim = {"file": "./new.py", "line": 3, "severity": "high", "problem": "runs what is typed"}
    with scripted(
        [odd(kind, [claim]) for kind in ("security", "performance", "correctness", "style")]
    ) as endpoint:
        done = review(shell, endpoint, f"{here}..feat", "--output", "json")
    (finding,) = done.result["findings"]
    assert (finding["file"], finding["line"], done.code) == ("new.py", 3, 1)
    assert "feat is not checked out" in done.stderr


@pytest.mark.slow
def test_a_diff_from_stdin_and_nothing_to_review(shell, project, scripted):
    with scripted([found(kind) for kind in ("security", "performance", "correctness", "style")]) as endpoint:
        done = review(shell, endpoint, "-", stdin="--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-x\n+y\n")
        assert "a diff from stdin" in str(endpoint.requests[0].body)
    assert (done.code, done.stdout) == (0, "No findings.\n")
    with scripted([]) as endpoint:
        assert (review(shell, endpoint).code, endpoint.requests) == (0, [])
        wrong = review(shell, endpoint, "main..no-such-branch")
        assert (wrong.code, "there is no commit, branch or tag" in wrong.stderr) == (2, True)
        assert "<data" not in wrong.stderr
        junk = review(shell, endpoint, "-", stdin="hello, this is no diff at all\n")
        assert (junk.code, junk.stderr.splitlines()[0]) == (2, "codeflow: what came on stdin is no diff")
        assert endpoint.requests == []
    (project / "calc.py").write_text(FIXED)


@pytest.mark.slow
def test_below_the_top_what_is_not_reviewed_is_said_and_paths_from_the_top_are_understood(
    shell, project, scripted
):
    (project / "pkg").mkdir()
    (project / "pkg" / "m.py").write_text("p = 1\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "more")
    (project / "pkg" / "m.py").write_text("p = eval('1')\n")
    claims = [
        {"file": name, "line": 1, "severity": "high", "problem": "eval"} for name in ("pkg/m.py", "m.py")
    ]
    told = [
        found("security", claims[0]),
        found("performance", claims[1]),
        found("correctness"),
        found("style"),
    ]
    for arguments, stdin in (((), ""), (("-",), git(project, "diff"))):
        with scripted(told) as endpoint:
            done = shell.at(project / "pkg")(
                "review", "--output", "json", *arguments, stdin=stdin, env=environment(endpoint.url)
            )
        (finding,) = done.result["findings"]
        assert (finding["file"], finding["kinds"]) == ("m.py", ["security", "performance"]), done.stderr
        said = "only what is below pkg/ is reviewed, and paths in the report are relative to it; --workspace .. reviews"
        assert (said in done.stderr) is (not stdin)


def test_outside_git_a_review_says_so_in_one_line(shell, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    done = shell.at(plain)("review")
    assert (done.code, done.stderr.splitlines()[0]) == (2, f"codeflow: {plain} is in no git repository")
