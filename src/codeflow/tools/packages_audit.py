"""Known vulnerabilities in a project's dependencies. What could not be looked up is said to be unknown, never clean."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from codeflow.core.values import ToolResult
from codeflow.tools.packages_managers import Manager, python_of, required_program, site_packages
from codeflow.tools.process_stdout import find_program, run_for_stdout
from codeflow.tools.tool import Mistake, failure
from codeflow.tools.workspace import Workspace

_MOST_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Audit:
    vulnerabilities: Sequence[str]
    """One line each."""
    audited: int
    unknown: Sequence[str] = ()
    """Which packages could not be looked up, and why."""


async def audit(ws: Workspace, manager: Manager) -> ToolResult:
    """The vulnerabilities as text; an error when nothing could be audited."""
    command = _command(ws, manager)
    outcome, output = await run_for_stdout(ws, command, env=_env(ws, manager))
    answer = _parsed(output)
    found = _READERS[manager.language](answer) if answer is not None else None
    if found is None or (found.unknown and not found.audited):
        reason = "; ".join(found.unknown[:3]) if found else (outcome.output + output).strip()[:1000]
        return failure(
            f"{manager.name}: NOT AUDITED. The advisory database could not be reached or did not answer; "
            f"nothing is known about vulnerabilities.\n$ {' '.join(command)}\n{reason}"
        )
    headline = (
        f"{manager.name}: {len(found.vulnerabilities)} known vulnerabilities in {found.audited} packages"
    )
    if found.unknown:
        headline += f"; {len(found.unknown)} packages NOT audited"
    parts = [headline, *found.vulnerabilities[:_MOST_SHOWN]]
    if len(found.vulnerabilities) > _MOST_SHOWN:
        parts.append(f"[{len(found.vulnerabilities) - _MOST_SHOWN} more; run_command: {' '.join(command)}]")
    if found.unknown:
        parts.append("\n".join(found.unknown[:_MOST_SHOWN]))
    return ToolResult(content="\n".join(parts), display=headline)


def _command(ws: Workspace, manager: Manager) -> list[str]:
    match manager.language:
        case "python":
            return [
                *_pip_audit(ws),
                "--format=json",
                "--progress-spinner=off",
                "--timeout=10",
                f"--path={site_packages(ws)}",
            ]
        case "javascript":
            program = "pnpm" if manager.name == "pnpm" else "npm"
            return [required_program(ws, program, "it audits package.json's dependencies"), "audit", "--json"]
        case "rust":
            required_program(ws, "cargo-audit", "run_command: cargo install cargo-audit")
            return ["cargo", "audit", "--json"]
        case language:
            raise Mistake(
                f"No audit for {language} is known here; use run_command, for Go: govulncheck ./..."
            )


def _env(ws: Workspace, manager: Manager) -> Mapping[str, str]:
    """pip-audit asks pip of the environment it audits, not of its own."""
    if manager.language != "python":
        return ws.env
    return {**ws.env, "PIPAPI_PYTHON_LOCATION": python_of(ws)}


def _pip_audit(ws: Workspace) -> list[str]:
    """The user's pip-audit, or the one beside codeflow."""
    if program := find_program(ws, "pip-audit"):
        return [program]
    if find_spec("pip_audit"):
        return [sys.executable, "-m", "pip_audit"]
    raise Mistake(
        "pip-audit is not installed; install it beside codeflow with the extra `audit`, or on PATH."
    )


def _parsed(output: str) -> Any:
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        return None


def _read_pip(answer: Any) -> _Audit | None:
    """Pip-audit skips what it cannot look up and still reports success."""
    packages = answer["dependencies"]
    rows = [
        f"  {package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version'}. "
        f"{' '.join(flaw.get('description', '').split())[:160]}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
    return _Audit(vulnerabilities=rows, audited=len(packages) - len(skipped), unknown=skipped)


def _read_npm(answer: Any) -> _Audit | None:
    if "vulnerabilities" not in answer:
        return None
    rows = []
    for name, flaw in answer["vulnerabilities"].items():
        titles = [via["title"] for via in flaw["via"] if isinstance(via, dict)]
        fix = "a fix is available" if flaw.get("fixAvailable") else "no fix yet"
        rows.append(f"  {name} {flaw.get('range', '')}: {flaw['severity']}, {fix}. {'; '.join(titles)[:200]}")
    return _Audit(vulnerabilities=rows, audited=answer["metadata"]["dependencies"]["total"])


def _read_cargo(answer: Any) -> _Audit | None:
    if "vulnerabilities" not in answer:
        return None
    rows = [
        f"  {flaw['package']['name']} {flaw['package']['version']}: {flaw['advisory']['id']}, "
        f"fixed in {', '.join(flaw['versions']['patched']) or 'no version'}. {flaw['advisory']['title']}"
        for flaw in answer["vulnerabilities"]["list"]
    ]
    return _Audit(vulnerabilities=rows, audited=answer["lockfile"]["dependency-count"])


_READERS = {"python": _read_pip, "javascript": _read_npm, "rust": _read_cargo}
