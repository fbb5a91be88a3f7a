"""Which dependencies have newer versions, as each package manager says it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from codeflow.core.values import ToolResult
from codeflow.tools.output import capped
from codeflow.tools.packages_managers import (
    SHORT_WAITS,
    Manager,
    in_one_line,
    is_unreached,
    manager_program,
    pip_of,
    required_program,
)
from codeflow.tools.packages_manifest import declared
from codeflow.tools.packages_requirements import normal_name
from codeflow.tools.process_stdout import run_for_stdout
from codeflow.tools.tool import failure
from codeflow.tools.workspace import Workspace

Update = tuple[str, str, str]
"""Package, its version here, the newest version."""

_MOST_SHOWN = 100
_TOOLS = {"pip", "setuptools", "wheel"}
"""What environments have without any project's asking for it."""


async def updates(ws: Workspace, manager: Manager) -> ToolResult:
    """The newer versions as text; an error when they could not be asked for."""
    command, read = await _command(ws, manager)
    outcome, output = await run_for_stdout(ws, command, env=ws.env | SHORT_WAITS, manager=manager.name)
    said = in_one_line(outcome.output or output)
    try:
        found = list(read(output or outcome.output))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        return failure(f"{manager.name} did not answer, so newer versions are unknown: {said}")
    if not found and is_unreached(outcome.output):
        return failure(f"{manager.name} could not reach its index, so newer versions are unknown: {said}")
    if not found and outcome.exit_code != 0 and not output.strip():
        return failure(f"{manager.name} failed, so newer versions are unknown: {said}")
    missing: list[str] = []
    if read is _pip:
        wanted = [entry for entry in declared(ws.root) if ";" not in entry]  # a marker may rule it out here
        here = {normal_name(name) for name in await _installed(ws, command)}
        missing = [entry for entry in wanted if normal_name(entry) not in here]
        found = [row for row in found if row[0] not in _TOOLS or row[0] in map(normal_name, wanted)]
    headline = f"{manager.name}: {len(found)} dependencies have a newer version"
    rows = [f"  {name} {current} -> {newest}" for name, current, newest in found]
    shown = capped(rows, _MOST_SHOWN, "more")
    if missing:
        shown += [f"[listed in the manifest but not installed, so not looked up: {', '.join(missing)}]"]
    return ToolResult(content="\n".join([headline, *shown]), display=headline)


async def _installed(ws: Workspace, command: Sequence[str]) -> list[str]:
    """The packages of the environment that `command` lists the outdated ones of."""
    _, output = await run_for_stdout(ws, [word for word in command if word != "--outdated"])
    return [row["name"] for row in json.loads(output)]


async def _command(
    ws: Workspace, manager: Manager
) -> tuple[Sequence[str], Callable[[str], Iterator[Update]]]:
    match manager.name:
        case "pip":
            return [*await pip_of(ws, manager), "list", "--outdated", "--format=json"], _pip
        case "yarn" | "bun":  # npm reads what they install, and they print no JSON
            npm = required_program(ws, "npm", f"it reads {manager.name}'s packages too")
            return [npm, "outdated", "--json"], _npm
        case name:
            subcommand, read = _OUTDATED[name]
            return [manager_program(ws, manager), *subcommand], read


def _pip(output: str) -> Iterator[Update]:
    for row in json.loads(output):
        yield row["name"], row["version"], row["latest_version"]


def _poetry(output: str) -> Iterator[Update]:
    for match in re.finditer(r"^(\S+) +(?:\(!\) +)?(\d\S*) +(\d\S*)", output, re.MULTILINE):
        yield match[1], match[2], match[3]


def _npm(output: str) -> Iterator[Update]:
    """In a workspace a package has one row for each place that wants it."""
    for name, rows in json.loads(output or "{}").items():
        for row in rows if isinstance(rows, list) else [rows]:
            here = row.get("current") or row["wanted"]
            if here != row["latest"]:
                yield name, here, row["latest"]


def _cargo(output: str) -> Iterator[Update]:
    for match in re.finditer(r"Updating (\S+) v(\S+) -> v(\S+)", output):
        yield match[1], match[2], match[3]


def _go(output: str) -> Iterator[Update]:
    """Go prints one object after the other, not an array."""
    for text in filter(None, re.split(r"(?<=\n})\n", output)):
        row: Mapping[str, Any] = json.loads(text)
        if update := row.get("Update"):
            yield row["Path"], row["Version"], update["Version"]


_OUTDATED: Mapping[str, tuple[Sequence[str], Callable[[str], Iterator[Update]]]] = {
    "uv": (("pip", "list", "--outdated", "--format=json"), _pip),
    "poetry": (("show", "--outdated", "--no-ansi", "--no-interaction"), _poetry),
    "npm": (("outdated", "--json"), _npm),
    "pnpm": (("outdated", "--format=json"), _npm),
    "cargo": (("update", "--dry-run"), _cargo),
    "go": (("list", "-m", "-u", "-json", "all"), _go),
}
"""Manager -> its subcommand, and what reads the answer."""
