"""Specialist files: Markdown with YAML front matter, packaged, the user's and the project's."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from codeflow.core.errors import UsageError
from codeflow.core.messages import Topic
from codeflow.core.places import config_home, resource
from codeflow.tools.registry import TOOLS

FOREIGN_TOOLS: Mapping[str, tuple[str, ...]] = {
    "Read": ("read_file",),
    "Write": ("write_file",),
    "Edit": ("edit_file",),
    "MultiEdit": ("multi_edit",),
    "Grep": ("search_files",),
    "Glob": ("glob",),
    "LS": ("list_directory",),
    "Bash": ("run_command", "run_tests"),
    "WebFetch": ("fetch_page",),
    "WebSearch": ("web_search",),
}
"""Tool names of the agent files of other products, so that a team's files load unchanged."""

FOREIGN_MODELS: Mapping[str, str] = {
    "opus": "architect",
    "sonnet": "senior_coder",
    "haiku": "fast_coder",
    "inherit": "senior_coder",
}
"""Model aliases of those files, as the roster role of the same weight."""


LEAD = "lead_coder"
"""The senior coder with the architect's model: the last one of a cascade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialist:
    """Who does a piece of work. `role` is the roster's; `model` an id that replaces the roster's choice."""

    name: str
    description: str
    prompt: str
    role: str
    tools: tuple[str, ...]
    model: str | None
    max_turns: int | None
    source: Path
    subscribes: tuple[Topic, ...] = ()
    """What it is told of at the head of its visits."""


def _names(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class _FrontMatter(BaseModel):
    """Keys of other products' files that mean nothing here are ignored, so that those files load."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    description: str = ""
    role: str | None = None
    model: str | None = None
    tools: Annotated[list[str] | None, BeforeValidator(_names)] = None
    max_turns: int | None = Field(default=None, ge=1)
    subscribes: Annotated[tuple[Topic, ...], BeforeValidator(_names)] = ()


def load_specialists(workspace: Path, env: Mapping[str, str] = os.environ) -> Mapping[str, Specialist]:
    """Every specialist by name; see `read_specialists`."""
    return read_specialists(workspace, env)[0]


def read_specialists(
    workspace: Path, env: Mapping[str, str] = os.environ
) -> tuple[Mapping[str, Specialist], tuple[str, ...]]:
    """Every specialist by name, and which files of other products are not used, and why.

    The packaged ones come first, then the user's, then the project's, each replacing its namesake. What lies in
    `.claude/agents` was not written for codeflow: it adds specialists but replaces none.

    Raises:
        UsageError: naming the file of ours whose front matter cannot be used.
    """
    found = {one.name: one for one in _parse_all(resource("prompts") / "agents")}
    found |= {one.name: one for one in _parse_all(config_home(env) / "agents")}
    skipped: list[str] = []
    for path in sorted((workspace / ".claude" / "agents").glob("*.md")):
        try:
            guest = parse(path, foreign=True)
        except UsageError as error:
            skipped.append(f"agent file not used: {error}")
            continue
        if guest.name in found:
            skipped.append(f"agent file not used: {path}: codeflow has its own {guest.name}")
        else:
            found[guest.name] = guest
    found |= {one.name: one for one in _parse_all(workspace / ".codeflow" / "agents")}
    found.setdefault(LEAD, _lead(found["senior_coder"]))
    return found, tuple(skipped)


def _lead(senior: Specialist) -> Specialist:
    described = "Takes over where the gates stay red: the senior coder with the architect's model"
    return replace(senior, name=LEAD, role="architect", model=None, description=described)


def _parse_all(folder: Path) -> list[Specialist]:
    return [parse(path) for path in sorted(folder.glob("*.md"))]


def coders(specialists: Mapping[str, Specialist]) -> tuple[str, ...]:
    """Names of those who can carry out a step of a plan."""
    return tuple(name for name, known in specialists.items() if "edit_file" in known.tools)


def require(specialists: Mapping[str, Specialist], name: str) -> Specialist:
    """The specialist of that name.

    Raises:
        UsageError: offering the nearest names.
    """
    if name in specialists:
        return specialists[name]
    near = get_close_matches(name, specialists, n=3, cutoff=0.4) or sorted(specialists)
    raise UsageError(f"no agent is called {name!r}", hint=f"Did you mean {', '.join(near)}?")


def parse(path: Path, *, foreign: bool = False) -> Specialist:
    """One specialist file; a `foreign` one may name models and tools that mean nothing here.

    Raises:
        UsageError: when the front matter is missing, malformed, or names an unknown tool.
    """
    matter, prompt = _split(path, lenient=foreign)
    try:
        parsed = _FrontMatter.model_validate(matter)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {where}: {first['msg']}", hint="Correct the front matter.") from error
    alias = _alias(parsed.model or "", foreign=foreign)
    return Specialist(
        name=parsed.name,
        description=parsed.description,
        prompt=prompt,
        role=parsed.role or alias or "senior_coder",
        tools=_tools(path, parsed.tools, foreign=foreign),
        model=None if alias else parsed.model,
        max_turns=parsed.max_turns,
        source=path,
        subscribes=parsed.subscribes,
    )


def _alias(model: str, *, foreign: bool) -> str | None:
    """The roster role that another product's model name stands for."""
    if not foreign:
        return FOREIGN_MODELS.get(model)
    family = next((role for name, role in FOREIGN_MODELS.items() if name in model), "senior_coder")
    return family if model else None


def _split(path: Path, *, lenient: bool) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", hint="Correct or remove the file.") from error
    opening, _, rest = text.partition("---\n")
    matter, fence, prompt = rest.partition("\n---\n")
    if opening.strip() or not fence:
        raise UsageError(
            f"{path}: no front matter", hint="Begin the file with ---, name:, description:, then ---."
        )
    if not prompt.strip():
        raise UsageError(f"{path}: no prompt", hint="Write the agent's instructions below the front matter.")
    return (_plain_lines(matter) if lenient else _yaml(path, matter)), prompt.strip()


def _plain_lines(matter: str) -> dict[str, Any]:
    """`key: the rest of the line`: what other products write there is often no valid YAML."""
    pairs = (line.partition(":") for line in matter.splitlines() if line[:1].isalpha())
    return {key.strip(): value.strip().strip("\"'") for key, colon, value in pairs if colon}


def _yaml(path: Path, matter: str) -> dict[str, Any]:
    try:
        parsed: object = yaml.safe_load(matter)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2024-13-45
        problem = " ".join(str(error).split())
        raise UsageError(
            f"{path}: front matter is not YAML: {problem}", hint="Correct the front matter."
        ) from error
    if not isinstance(parsed, dict):
        raise UsageError(
            f"{path}: front matter has no keys", hint="It needs at least name: and description:."
        )
    return cast("dict[str, Any]", parsed)


def _tools(path: Path, listed: Sequence[str] | None, *, foreign: bool) -> tuple[str, ...]:
    """No list means every tool, as in the other products' files."""
    if listed is None:
        return tuple(TOOLS)
    names: list[str] = []
    for tool in listed:
        mapped = FOREIGN_TOOLS.get(tool, (tool,) if tool in TOOLS else ())
        if not mapped and not foreign:
            raise UsageError(f"{path}: no tool is called {tool!r}", hint=f"Tools: {', '.join(TOOLS)}.")
        names.extend(mapped)
    return tuple(dict.fromkeys(names))
