"""What codeflow is installed from is pinned with hashes, and code that runs what it reads is refused."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.house.audit import verdict

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
BUILD = [*PROJECT["build-system"]["requires"], *PROJECT["dependency-groups"]["build"]]
RUNTIME = [*PROJECT["project"]["dependencies"], *BUILD]
LOCKS = {
    "requirements.txt": RUNTIME,
    "requirements-dev.txt": [*RUNTIME, *(line for extra in EXTRAS.values() for line in extra)],
}
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^ ;]+)( ; .+)?")


def pins(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each requirement of a lock file with its hashes."""
    statement = re.sub(r"\s+#.*|^#.*", "", text.replace("\\\n", " "), flags=re.MULTILINE)
    for line in filter(None, map(str.strip, statement.splitlines())):
        requirement, *hashes = re.split(r"\s+--hash=", line)
        yield requirement, hashes


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_its_hashes_and_names_no_host(name: str):
    text = (ROOT / name).read_text()
    found = list(pins(text))
    assert len(found) > 50
    for requirement, hashes in found:
        assert PIN.fullmatch(requirement), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_is_of_this_pyproject(name: str):
    pinned: dict[str, list[str]] = {}
    for requirement, _ in pins((ROOT / name).read_text()):
        parts = PIN.fullmatch(requirement)
        assert parts
        pinned.setdefault(canonicalize_name(parts[1]), []).append(parts[2])
    asked = [Requirement(line) for line in LOCKS[name]]
    missing = [str(one) for one in asked if canonicalize_name(one.name) not in pinned]
    assert missing == [], "run `make lock`"
    outdated = [
        f"{one}: {version}"
        for one in asked
        for version in pinned[canonicalize_name(one.name)]
        if not one.specifier.contains(version, prereleases=True)
    ]
    assert outdated == [], "run `make lock`"


FORBIDDEN = """import pickle
eval("1")
exec("1")
yaml.load(text, Loader=yaml.Loader)
yaml.unsafe_load(text)
subprocess.run("x", shell=True)
os.system("x")
asyncio.create_subprocess_shell("x")
"""


def test_no_noqa_spares_code_that_runs_what_it_reads(tmp_path: Path):
    rules = re.search(r"^NEVER := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert rules
    sample = tmp_path / "sample.py"
    lines = [f"{line}  # noqa" for line in FORBIDDEN.splitlines()]
    sample.write_text("\n".join(["import asyncio, os, subprocess, yaml", *lines]))
    command = [str(Path(sys.executable).with_name("ruff")), "check", "--ignore-noqa", "--select", rules[1]]
    command += [
        "--config",
        str(ROOT / "pyproject.toml"),
        "--no-cache",
        "--output-format",
        "json",
        str(sample),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert {flaw["location"]["row"] for flaw in json.loads(done.stdout)} == set(range(2, 2 + len(lines)))


def test_an_audit_that_reaches_nobody_says_so_and_is_no_failure(tmp_path: Path):
    lock = tmp_path / "lock.txt"
    lock.write_text(f"attrs==26.1.0 --hash=sha256:{'0' * 64}\n")
    nowhere = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/house/audit.py"), str(lock)],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("NOT AUDITED: the advisory database cannot be reached")


def test_an_audit_fails_for_a_finding_and_for_what_it_cannot_explain():
    flaw = {"id": "PYSEC-1", "fix_versions": ["2.0"], "description": ""}
    found = {
        "dependencies": [
            {"name": "a", "version": "1.0", "vulns": [flaw]},
            {"name": "b", "skip_reason": "not found"},
        ]
    }
    text, code = verdict(json.dumps(found), "")
    assert code == 1
    assert "a 1.0: PYSEC-1, fixed in 2.0\n1 known vulnerabilities in 1 packages\nNOT AUDITED" in text
    assert verdict("", "the lock is not one") == ("pip-audit failed: the lock is not one", 1)
