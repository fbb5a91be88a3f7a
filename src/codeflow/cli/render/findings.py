"""A review's findings as text, Markdown, JSON and SARIF."""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from codeflow import __version__
from codeflow.cli.render.clean import clean, one_line, visible
from codeflow.orchestration.reviewing import Checked, Finding, Severity

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}


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
    counts = ", ".join(
        f"{number} {severity.name.lower()}"
        for severity in sorted(Severity, reverse=True)
        if (number := sum(finding.severity is severity for finding in checked.findings))
    )
    missing = checked.not_looked_for
    rest = f"; nobody has looked for {', '.join(missing)}" if missing else ""
    return f"**{len(checked.findings)} findings** ({counts}{rest})\n\n" + "\n".join(
        map(_markdown, checked.findings)
    )


def _markdown(finding: Finding) -> str:
    head = f"### `{_code(finding.file)}:{finding.line}` — {finding.severity.name.lower()}, {', '.join(finding.kinds)}"
    parts = [head, _prose(finding.problem), _prose(finding.evidence)]
    if finding.patch:
        fence = "`" * max(3, _longest_run(finding.patch) + 1)
        parts.append(f"{fence}diff\n{finding.patch}{fence}")
    return "\n\n".join(filter(None, parts)) + "\n"


def _code(text: str) -> str:
    return one_line(text).replace("`", "'")


def _prose(text: str) -> str:
    """A model's words, which must not become markup: no HTML, no mention of people."""
    return clean(text).replace("<", "&lt;").replace("@", "@\u200b")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


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
    }


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
