"""What a review looks like to programs and forges."""

import json
from xml.etree import ElementTree as ET

import pytest

from codeflow.cli.render.comments import Told, read_review, remark, summary
from codeflow.cli.render.findings import as_codequality, as_json, as_junit
from codeflow.cli.render.markup import fenced, prose
from codeflow.orchestration.reviewing import Checked, Finding, Severity

FINDING = Finding(
    file="a b.py",
    line=3,
    severity=Severity.HIGH,
    kinds=("security", "style"),
    problem="reads <b> & \x1b[31mmore",
    evidence="a.py:1\x00",
    patch="--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n",
    replaces=(3, 3),
    replacement="y",
)
LOW = Finding(file="c.py", line=1, severity=Severity.LOW, kinds=("style",), problem="long", evidence="")
CHECKED = Checked((FINDING, LOW), ("x: dropped",), ("performance",))


def test_junit_fails_what_is_as_bad_as_asked_and_reports_who_did_not_look():
    suite = ET.fromstring(as_junit(CHECKED, Severity.MEDIUM))
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    first, second, third = suite
    assert first.get("classname") == "review.security"
    assert first.find("failure") is not None
    assert second.find("failure") is None
    assert third.find("error") is not None
    (alone,) = ET.fromstring(as_junit(Checked(()), 3))
    assert (alone.get("name"), len(alone)) == ("no findings", 0)


def test_code_quality_has_what_gitlab_asks_for():
    first, second = json.loads(as_codequality(CHECKED))
    assert (first["severity"], second["severity"]) == ("critical", "minor")
    assert first["location"] == {"path": "a b.py", "lines": {"begin": 3}}
    assert first["fingerprint"] != second["fingerprint"]


def test_a_review_is_read_back_from_its_json():
    told = read_review(json.loads(as_json(CHECKED, cost="0.5", session_id="s")))
    assert told == Told(checked=CHECKED, cost="0.5", session_id="s")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ask @ann", "ask @\u200bann"),
        ("fixes #12", "fixes #\u200b12"),
        ("![x](http://e.example/?q)", "![x]\u200b(http:\u200b//e.example/?q)"),
        ("a\n/merge now", "a\n\u200b/merge now"),
        ("```suggestion\nevil\n```", "'''suggestion\nevil\n'''"),
        ("<img src=x>", "&lt;img src=x>"),
        ("d[0] #include", "d[0] #include"),
    ],
)
def test_others_words_stay_words(text, shown):
    assert prose(text) == shown


def test_a_block_is_ended_by_nothing_in_it():
    assert fenced("a ```` b", "x") == "`````x\na ```` b\n`````"
    assert fenced("", "suggestion") == "```suggestion\n```"


def test_a_suggestion_is_offered_only_where_it_can_be_applied():
    assert "```suggestion\ny\n```" in remark(FINDING, "suggestion")
    assert "```diff" in remark(FINDING, None)
    cut = Finding(
        **{
            **{name: getattr(FINDING, name) for name in FINDING.__slots__},
            "replacement": "[REDACTED:environment]",
        }
    )
    assert "```suggestion" not in remark(cut, "suggestion")


def test_a_summary_has_what_is_at_no_line_and_what_it_cost():
    told = Told(checked=CHECKED, cost=None, session_id="s1")
    text = summary(told, "0123456789abcdef", [LOW], "https://example.org/run")
    assert text.startswith("**codeflow has reviewed 0123456789ab: 2 findings (1 high, 1 low)**")
    assert "nobody has looked for performance" in text
    assert "`c.py:1`" in text
    assert "a b.py" not in text
    assert "cost not known · session `s1` · [log](https://example.org/run)" in text
