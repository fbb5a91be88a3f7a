"""Known vulnerabilities in a project's dependencies. What could not be looked up is said to be unknown, never clean."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from codeflow.core.values import ToolResult
from codeflow.tools.output import capped
from codeflow.tools.packages_managers import (
    SHORT_WAITS,
    Manager,
    in_one_line,
    is_unreached,
    manager_program,
    required_program,
    site_packages,
)
from codeflow.tools.process_stdout import find_program, run_for_stdout
from codeflow.tools.project_files import small_text
from codeflow.tools.tool import Mistake, failure
from codeflow.tools.workspace import Workspace

_MOST_SHOWN = 50
_BY_HAND = {
    "yarn": "yarn npm audit --recursive (with yarn 1: yarn audit)",
    "go": "govulncheck ./... (go install golang.org/x/vuln/cmd/govulncheck@latest)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Audit:
    vulnerabilities: Sequence[str]
    """One line each."""
    audited: int | None
    """How many packages; None when the program does not say."""
    unknown: Sequence[str] = ()
    """Which packages could not be looked up, and why."""


async def audit(ws: Workspace, manager: Manager) -> ToolResult:
    """The vulnerabilities as text; an error when nothing could be audited."""
    command = await _command(ws, manager)
    outcome, output = await run_for_stdout(ws, command, env=ws.env | SHORT_WAITS, manager=manager.name)
    answer = _parsed(output)
    found = _READERS[manager.name](answer) if answer is not None else None
    if found and manager.name == "npm":
        found = _without_local(found, ws.root)
    if found and found.audited == 0 and not found.unknown:
        content = f"{manager.name}: nothing was audited, as no package is installed"
        return ToolResult(content=content, display=content)
    if found is None or (found.unknown and not found.audited):
        return failure(_not_audited(manager, found, _message(answer) or outcome.output or output))
    packages = "the dependencies" if found.audited is None else f"{found.audited} packages"
    headline = f"{manager.name}: {len(found.vulnerabilities)} known vulnerabilities in {packages}"
    if found.unknown:
        headline += f"; {len(found.unknown)} packages NOT audited"
    whole = f"more; run_command: {' '.join(command)}"
    parts = [headline, *capped(found.vulnerabilities, _MOST_SHOWN, whole)]
    if found.unknown:
        parts.append("\n".join(found.unknown[:_MOST_SHOWN]))
    return ToolResult(content="\n".join(parts), display=headline)


def _not_audited(manager: Manager, found: _Audit | None, said: str) -> str:
    if found is not None:
        what, said = "no package could be looked up", "; ".join(found.unknown[:3])
    elif is_unreached(said):
        what = "the advisory database could not be reached"
    else:
        what = "the audit failed"
    return f"{manager.name}: NOT AUDITED, nothing is known about vulnerabilities; {what}: {in_one_line(said)}"


def _message(answer: Any) -> str:
    """What npm says in its JSON when it could not audit."""
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error")
    summary = error.get("summary") if isinstance(error, dict) else None
    return str(answer.get("message") or summary or "")


async def _command(ws: Workspace, manager: Manager) -> list[str]:
    match manager.name:
        case "uv" | "poetry" | "pip":
            return [
                *_pip_audit(ws),
                "--format=json",
                "--progress-spinner=off",
                "--timeout=10",
                f"--path={await site_packages(ws, manager)}",
            ]
        case "npm" | "pnpm" | "bun":
            return [manager_program(ws, manager), "audit", "--json"]
        case "cargo":
            required_program(ws, "cargo-audit", "run_command: cargo install cargo-audit")
            return [manager_program(ws, manager), "audit", "--json"]
        case name:
            raise Mistake(f"No audit by {name} is known here; use run_command: {_BY_HAND[name]}")


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


def _without_local(found: _Audit, root: Path) -> _Audit:
    """What npm looked up: it counts packages from folders and files as well, and asks nobody about them."""
    packages = (_parsed(small_text(root / "package-lock.json")) or {}).get("packages")
    if not isinstance(packages, dict):
        return found
    installed = {name: row for name, row in packages.items() if "node_modules/" in name}
    local = [
        name.rpartition("node_modules/")[2]
        for name, row in installed.items()
        if row.get("link") or row.get("resolved", "").startswith("file:")
    ]
    unknown = [f"{name} comes from a folder or file, of which no database knows" for name in local]
    return replace(found, audited=len(installed) - len(local), unknown=unknown)


def _read_pnpm(answer: Any) -> _Audit | None:
    if "advisories" not in answer:
        return None
    rows = [
        f"  {flaw['module_name']} {flaw['vulnerable_versions']}: {flaw['severity']}, "
        f"fixed in {flaw.get('patched_versions') or 'no version'}. {flaw['title']}"
        for flaw in answer["advisories"].values()
    ]
    return _Audit(vulnerabilities=rows, audited=answer["metadata"]["totalDependencies"])


def _read_bun(answer: Any) -> _Audit | None:
    if not all(isinstance(flaws, list) for flaws in answer.values()):
        return None
    rows = [
        f"  {name} {flaw['vulnerable_versions']}: {flaw['severity']}. {flaw['title']}"
        for name, flaws in answer.items()
        for flaw in flaws
    ]
    return _Audit(vulnerabilities=rows, audited=None)


def _read_cargo(answer: Any) -> _Audit | None:
    if "vulnerabilities" not in answer:
        return None
    rows = [
        f"  {flaw['package']['name']} {flaw['package']['version']}: {flaw['advisory']['id']}, "
        f"fixed in {', '.join(flaw['versions']['patched']) or 'no version'}. {flaw['advisory']['title']}"
        for flaw in answer["vulnerabilities"]["list"]
    ]
    return _Audit(vulnerabilities=rows, audited=answer["lockfile"]["dependency-count"])


_READERS = {
    "uv": _read_pip,
    "poetry": _read_pip,
    "pip": _read_pip,
    "npm": _read_npm,
    "pnpm": _read_pnpm,
    "bun": _read_bun,
    "cargo": _read_cargo,
}
