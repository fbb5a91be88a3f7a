"""Known vulnerabilities in what a lock file pins: exit code 1 where there are any.

A database that cannot be asked is told, and is no failure: a machine without the internet has to pass as well.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from codeflow.tools.packages_managers import in_one_line, is_unreached

_MOST_SHOWN = 3


def main(lock: str) -> int:
    """Ask the advisory database about every pin of `lock`."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--require-hashes", "--disable-pip"]
    command += ["--requirement", lock, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    text, code = verdict(done.stdout, done.stderr)
    sys.stdout.write(f"{text}\n")
    return code


def verdict(output: str, said: str) -> tuple[str, int]:
    """What to print of pip-audit's answer, and the exit code."""
    try:
        packages = json.loads(output)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        if is_unreached(said):
            return f"NOT AUDITED: the advisory database cannot be reached: {in_one_line(said)}", 0
        return f"pip-audit failed: {said}", 1
    skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
    flaws = [line for package in packages for line in _flaws(package)]
    audited = len(packages) - len(skipped)
    lines = [*flaws, f"{len(flaws)} known vulnerabilities in {audited} packages"] if audited else []
    if skipped:
        lines.append(f"NOT AUDITED, the database gave no answer: {len(skipped)} packages, such as")
        lines += skipped[:_MOST_SHOWN]
    return "\n".join(lines), 1 if flaws else 0


def _flaws(package: dict[str, Any]) -> list[str]:
    return [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version'}"
        for flaw in package.get("vulns", [])
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
