"""Git on a repository that agents work in, outside the sandbox: it starts nothing that they could have written.

Hooks and monitors are off, and so are the filters that the configuration names: their programs may stand in the
repository, or import what stands there. Only a few known ones stay on, without which files have no content.
"""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from codeflow.core.programs import path_outside

SETTINGS: Mapping[str, str] = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "diff.external": "",
    "gc.auto": "0",
    "log.showSignature": "false",
    "maintenance.auto": "false",
}
OPTIONS = tuple(part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}"))
ASK_FOR_FILTERS = ("config", "--includes", "-z", "--get-regexp", r"^filter[.].*[.](clean|smudge|process)$")
"""The question to git whose answer `filters_off` takes; it fails where there is none."""

_KEPT = frozenset({"git-lfs", "git-crypt"})
"""Filters that look at nothing but git's own folder."""


def filters_off(answer: bytes) -> dict[str, str]:
    """Settings that switch off the filters that git named, but for those that may be kept."""
    drivers: dict[str, dict[str, str]] = {}
    for entry in filter(None, os.fsdecode(answer).split("\0")):
        name, _, program = entry.partition("\n")
        driver, _, use = name.rpartition(".")
        drivers.setdefault(driver, {})[use] = program  # the last one counts
    return {
        name: value
        for driver, programs in drivers.items()
        if not all(map(_may_stay, programs.values()))
        for name, value in (*((f"{driver}.{use}", "") for use in programs), (f"{driver}.required", "false"))
    }


def _may_stay(command: str) -> bool:
    """Whether a shell would start one of the kept programs, found by its name, and nothing else."""
    if re.search(r"[^\w %./=\"'-]", command):
        return False
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return not words or words[0] in _KEPT


def variables(
    settings: Mapping[str, str], folder: Path, env: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """What to change in an environment so that git has the settings, and starts no program of the folder by its name."""
    before = env.get("GIT_CONFIG_COUNT", "0")
    first = int(before) if before.isdecimal() else 0
    given = {"PATH": path_outside(env.get("PATH", os.defpath), [folder])}
    for number, (name, value) in enumerate(settings.items(), first):
        given |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return given | {"GIT_CONFIG_COUNT": str(first + len(settings))}
