"""A review's findings as text, Markdown, JSON, SARIF, JUnit and GitLab's code quality."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from codeflow import __version__
from codeflow.cli.render.clean import clean, one_line, visible
from codeflow.cli.render.markup import code, fenced, prose
from codeflow.orchestration.reviewing import Checked, Finding, Severity

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_QUALITY = {Severity.HIGH: "critical", Severity.MEDIUM: "major", Severity.LOW: "minor"}


def as_text(checked: Checked) -> str:
    """For a terminal: a line per finding that editors can jump to, evidence and patch below."""
    parts = [_text(finding) for finding in checked.findings] or [f"{_none(checked)}\n"]
    return "\n".join(parts)


def _none(checked: Checked) -> str:
    if not checked.not_looked_for:
        return "No findings."
    return f"No findings, and nobody has looked for {', '.join(checked.not_looked_for)}."


def _text(finding: Finding) -> str:
    kinds = ", ".join(finding.kinds)
    lines = [f"{finding.file}:{finding.line}: {finding.severity.name.lower()} ({kinds}): {finding.problem}"]
    lines += [f"    {line}" for line in finding.evidence.splitlines()]
    lines += [f"    | {line}" for line in finding.patch.splitlines()[2:]]
    return "".join(f"{visible(line)}\n" for line in lines)


def as_markdown(checked: Checked) -> str:
    """For a pull request's comment or a job's summary."""
    if not checked.findings:
        return f"**{_none(checked)}**\n"
    counts = counted(checked.findings)
    missing = checked.not_looked_for
    rest = f"; nobody has looked for {', '.join(missing)}" if missing else ""
    return f"**{len(checked.findings)} findings** ({counts}{rest})\n\n" + "\n".join(
        map(finding_as_markdown, checked.findings)
    )


def counted(findings: Sequence[Finding]) -> str:
    """Such as "1 high, 2 low"."""
    return ", ".join(
        f"{number} {severity.name.lower()}"
        for severity in sorted(Severity, reverse=True)
        if (number := sum(finding.severity is severity for finding in findings))
    )


def finding_as_markdown(finding: Finding) -> str:
    head = f"### `{code(finding.file)}:{finding.line}` — {finding.severity.name.lower()}, {', '.join(finding.kinds)}"
    parts = [head, prose(finding.problem), prose(finding.evidence)]
    if finding.patch:
        parts.append(fenced(finding.patch, "diff"))
    return "\n\n".join(filter(None, parts)) + "\n"


def as_json(checked: Checked, *, cost: str | None, session_id: str) -> str:
    """Everything, for programs."""
    return json.dumps(
        {
            "findings": [_plain(finding) for finding in checked.findings],
            "dropped": list(checked.dropped),
            "guessed_severities": list(checked.guessed),
            "complete": not checked.not_looked_for,
            "not_looked_for": list(checked.not_looked_for),
            "cost": cost,
            "session_id": session_id,
        }
    )


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.file,
        "line": finding.line,
        "severity": finding.severity.name.lower(),
        "kinds": list(finding.kinds),
        "problem": finding.problem,
        "evidence": finding.evidence,
        "patch": finding.patch,
        "suggestion": _suggestion(finding),
    }


def _suggestion(finding: Finding) -> dict[str, Any] | None:
    """The lines that the patch replaces, counted from 1, and what takes their place."""
    if finding.replaces is None:
        return None
    first, last = finding.replaces
    return {"first_line": first, "last_line": last, "text": finding.replacement}


def as_sarif(checked: Checked) -> str:
    """SARIF 2.1.0, as code hosts show it beside the lines."""
    kinds = sorted({finding.kinds[0] for finding in checked.findings})
    driver = {
        "name": "codeflow review",
        "version": __version__,
        "rules": [{"id": kind, "shortDescription": {"text": f"{kind} found by review"}} for kind in kinds],
    }
    results = [_result(finding) for finding in checked.findings]
    missing = [
        {"level": "error", "message": {"text": f"nobody has looked for {kind}"}}
        for kind in checked.not_looked_for
    ]
    guessed = [{"level": "warning", "message": {"text": line}} for line in checked.guessed]
    invocation = {"executionSuccessful": not missing, "toolExecutionNotifications": [*missing, *guessed]}
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2)


def as_junit(checked: Checked, limit: int) -> str:
    """JUnit's XML: a finding of severity `limit` or worse is a failure, another one passes with its words as output."""
    fails = sum(finding.severity >= limit for finding in checked.findings)
    tests = len(checked.findings) + len(checked.not_looked_for)
    counts = {"tests": tests or 1, "failures": fails, "errors": len(checked.not_looked_for)}
    suite = ET.Element(
        "testsuite", {"name": "codeflow review"} | {name: str(count) for name, count in counts.items()}
    )
    for finding in checked.findings:
        place = f"{one_line(finding.file)}:{finding.line}"
        case = _case(suite, finding.kinds[0], f"{place}: {one_line(finding.problem)}", finding.file)
        words = "\n\n".join(filter(None, (place, clean(finding.evidence), clean(finding.patch))))
        if finding.severity >= limit:
            told = {"message": one_line(finding.problem), "type": finding.severity.name.lower()}
            ET.SubElement(case, "failure", told).text = words
        else:
            ET.SubElement(case, "system-out").text = words
    for kind in checked.not_looked_for:
        case = _case(suite, kind, f"{one_line(kind)} was looked for", "")
        ET.SubElement(case, "error", {"message": "that reviewer gave no usable answer"})
    if not len(suite):
        _case(suite, "review", "no findings", "")
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _case(suite: ET.Element, kind: str, name: str, file: str) -> ET.Element:
    more = {"file": one_line(file)} if file else {}
    return ET.SubElement(suite, "testcase", {"classname": f"review.{one_line(kind)}", "name": name, **more})


def as_codequality(checked: Checked) -> str:
    """GitLab's code quality report, a part of Code Climate's format."""
    return json.dumps(
        [
            {
                "description": one_line(finding.problem),
                "check_name": finding.kinds[0],
                "fingerprint": _fingerprint([finding.file, finding.problem]),
                "severity": _QUALITY[finding.severity],
                "location": {"path": finding.file, "lines": {"begin": finding.line}},
            }
            for finding in checked.findings
        ],
        indent=2,
    )


def _result(finding: Finding) -> dict[str, Any]:
    location = {"uri": quote(finding.file), "uriBaseId": "%SRCROOT%"}
    result: dict[str, Any] = {
        "ruleId": finding.kinds[0],
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n\n".join(filter(None, (finding.problem, finding.evidence)))},
        "locations": [
            {"physicalLocation": {"artifactLocation": location, "region": {"startLine": finding.line}}}
        ],
        "partialFingerprints": {"problem/v1": _fingerprint([finding.file, finding.problem])},
    }
    if finding.replaces:
        first, last = finding.replaces
        region = {"startLine": first, "endLine": last}
        change = {"deletedRegion": region, "insertedContent": {"text": finding.replacement}}
        result["fixes"] = [
            {
                "description": {"text": "suggested by the review"},
                "artifactChanges": [{"artifactLocation": location, "replacements": [change]}],
            }
        ]
    return result


def _fingerprint(parts: Sequence[str]) -> str:
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
