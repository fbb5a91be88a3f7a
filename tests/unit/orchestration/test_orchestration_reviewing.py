"""Which of a review's claims the code bears out, and which of them are the same."""

import json
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.orchestration.reviewing import Checked, Finding, Severity, check_findings, lines_on_disk, merge

CODE = "def f(x):\n    total = 0\n    for y in x:\n        total += y\n    return total\n"
CLAIM = {"file": "a.py", "line": 3, "severity": "high", "kind": "style", "problem": "sum does this"}


def checked(claims, workspace) -> Checked:
    return check_findings({"review": claims}, (), workspace, partial(lines_on_disk, workspace))


def findings():
    return st.builds(
        Finding,
        file=st.sampled_from(["a.py", "b.py"]),
        line=st.integers(1, 9),
        severity=st.sampled_from(Severity),
        kinds=st.sampled_from([("security",), ("style",)]),
        problem=st.sampled_from(["a loop is slow here", "a loop is slow", "x may be None", "no check of x"]),
        evidence=st.sampled_from(["", "seen", "read"]),
    )


@given(st.lists(findings(), max_size=8))
def test_merging_loses_no_severity_no_kind_and_no_evidence(found):
    merged = merge(found)
    assert merge(merged) == merged or len(merge(merged)) <= len(merged)
    assert max((one.severity for one in merged), default=0) == max((one.severity for one in found), default=0)
    assert {kind for one in merged for kind in one.kinds} == {kind for one in found for kind in one.kinds}
    said = "\n".join(one.evidence for one in merged)
    assert all(one.evidence in said for one in found)
    assert [one.severity for one in merged] == sorted((one.severity for one in merged), reverse=True)


def test_the_same_fault_told_twice_is_one():
    one = Finding(
        file="a.py", line=3, severity=Severity.LOW, kinds=("style",), problem="sum does this", evidence="x"
    )
    other = replace(one, line=4, severity=Severity.HIGH, kinds=("performance",), evidence="y")
    (merged,) = merge([one, other])
    assert merged == replace(other, kinds=("performance", "style"), evidence="y\nx")
    assert len(merge([one, replace(other, line=9)])) == len(merge([one, replace(other, file="b.py")])) == 2


def test_a_suggestion_becomes_a_patch_where_its_old_lines_stand_once(tmp_path):
    (tmp_path / "a.py").write_text(CODE)
    fits = {**CLAIM, "old": "    for y in x:\n        total += y", "new": "    total = sum(x)"}
    (finding,) = checked([fits], tmp_path).findings
    assert finding.replaces == (3, 4)
    assert "-    for y in x:\n-        total += y\n+    total = sum(x)\n" in finding.patch
    (without,) = checked([{**fits, "old": "    for z in x:"}], tmp_path).findings
    assert without.patch == ""


def test_what_cites_no_line_or_has_no_form_is_dropped_aloud(tmp_path):
    (tmp_path / "a.py").write_text(CODE)
    claims = [{**CLAIM, "line": 6}, {**CLAIM, "file": "../a.py"}, {"file": "a.py"}, "nonsense", CLAIM]
    found = checked(claims, tmp_path)
    assert len(found.findings) == 1
    assert len(found.dropped) == 4


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", 3),
        ("URGENT", 3),
        ("error", 3),
        ("blocker", 3),
        ("Medium ", 2),
        ("warning", 2),
        ("minor", 1),
    ],
)
def test_severities_in_other_words_are_understood(tmp_path, word, severity):
    (tmp_path / "a.py").write_text(CODE)
    found = checked([{**CLAIM, "severity": word}], tmp_path)
    assert ([one.severity for one in found.findings], found.guessed) == ([Severity(severity)], ())


@pytest.mark.parametrize("word", ["odd", "", None, 9, 1, True, ["low"], {"low": 1}, "high|medium|low"])
def test_a_severity_that_nobody_knows_is_high_and_told(tmp_path, word):
    (tmp_path / "a.py").write_text(CODE)
    found = checked([{**CLAIM, "severity": word}], tmp_path)
    assert [one.severity for one in found.findings] == [Severity.HIGH]
    assert found.guessed == (
        f"a.py:3: its severity {json.dumps(word)} is not low, medium or high: it counts as high",
    )


def test_a_file_is_the_same_however_it_is_named(tmp_path):
    (tmp_path / "a.py").write_text(CODE)
    claims = [{**CLAIM, "file": name} for name in ("a.py", "./a.py", str(tmp_path / "a.py"), "b/../a.py")]
    (finding,) = checked(claims, tmp_path).findings
    assert finding.file == "a.py"
    assert len(checked([{**CLAIM, "line": True}], tmp_path).dropped) == 1


def test_an_answer_that_is_no_list_is_no_look_at_all(tmp_path):
    (tmp_path / "a.py").write_text(CODE)
    claims = {"security": [CLAIM, "just text"], "performance": None, "style": "none", "correctness": []}
    found = check_findings(claims, ["performance"], tmp_path, partial(lines_on_disk, tmp_path))
    assert [finding.kinds for finding in found.findings] == [("security",)]
    assert found.dropped == ("a finding without a usable form",)
    assert found.not_looked_for == ("performance", "style")
