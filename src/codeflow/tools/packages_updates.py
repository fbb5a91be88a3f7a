"""Which dependencies have newer versions, as each package manager says it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from codeflow.core.values import ToolResult
from codeflow.tools.packages_managers import Manager, python_of
from codeflow.tools.process_stdout import run_for_stdout
from codeflow.tools.tool import Mistake, failure
from codeflow.tools.workspace import Workspace

Update = tuple[str, str, str]
"""Package, its version here, the newest version."""

_MOST_SHOWN = 100
_UNREACHED = re.compile(
    r"connection|network|resolve host|temporary failure|timed? ?out|ENOTFOUND|ECONNREFUSED|EAI_AGAIN|unreachable",
    re.IGNORECASE,
)


async def updates(ws: Workspace, manager: Manager) -> ToolResult:
    """The newer versions as text; an error when they could not be asked for."""
    command, read = _command(ws, manager)
    outcome, output = await run_for_stdout(ws, command)
    try:
        found = list(read(output or outcome.output))
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        return failure(
            f"{manager.name} did not answer; its index may be out of reach:\n{outcome.output[-2000:]}{output[:2000]}"
        )
    if not found and _UNREACHED.search(outcome.output):
        return failure(
            f"{manager.name} could not reach its index, so newer versions are unknown:\n{outcome.output[-2000:]}"
        )
    headline = f"{manager.name}: {len(found)} dependencies have a newer version"
    rows = [f"  {name} {here} -> {newest}" for name, here, newest in found[:_MOST_SHOWN]]
    rest = [f"[{len(found) - _MOST_SHOWN} more]"] if len(found) > _MOST_SHOWN else []
    return ToolResult(content="\n".join([headline, *rows, *rest]), display=headline)


def _command(ws: Workspace, manager: Manager) -> tuple[Sequence[str], Callable[[str], Iterator[Update]]]:
    pip = ("list", "--outdated", "--format=json")
    match manager.name:
        case "uv":
            return ["uv", "pip", *pip], _pip
        case "pip" | "poetry":
            return [python_of(ws), "-m", "pip", "--retries=1", "--timeout=10", *pip], _pip
        case "npm":
            return ["npm", "outdated", "--json", "--fetch-retries=1"], _npm
        case "pnpm":
            return ["pnpm", "outdated", "--format=json"], _npm
        case "cargo":
            return ["cargo", "update", "--dry-run"], _cargo
        case "go":
            return ["go", "list", "-m", "-u", "-json", "all"], _go
        case name:
            raise Mistake(f"{name} has no machine-readable list of updates; use run_command: {name} outdated")


def _pip(output: str) -> Iterator[Update]:
    for row in json.loads(output):
        yield row["name"], row["version"], row["latest_version"]


def _npm(output: str) -> Iterator[Update]:
    for name, row in json.loads(output).items():
        yield name, row.get("current", "not installed"), row["latest"]


def _cargo(output: str) -> Iterator[Update]:
    for match in re.finditer(r"Updating (\S+) v(\S+) -> v(\S+)", output):
        yield match[1], match[2], match[3]


def _go(output: str) -> Iterator[Update]:
    """Go prints one object after the other, not an array."""
    for text in filter(None, re.split(r"(?<=\n})\n", output)):
        row: Mapping[str, Any] = json.loads(text)
        if update := row.get("Update"):
            yield row["Path"], row["Version"], update["Version"]
