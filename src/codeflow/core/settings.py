"""Settings: packaged defaults < user file < project file < environment < flags, merged, then validated once."""

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from codeflow.core.attempts import AttemptSettings
from codeflow.core.errors import UsageError
from codeflow.core.hosts import parse_host
from codeflow.core.places import config_home, resource
from codeflow.core.reliability import FaultSettings, Money, no_limit
from codeflow.core.trust import TrustedFolders
from codeflow.core.ui import UiSettings
from codeflow.core.values import Mode

Table = dict[str, Any]

TRUSTED_ONLY = frozenset(
    {
        "trusted_folders",
        "run.mode",
        "run.max_cost",
        "run.max_cost_day",
        "run.max_cost_session",
        "run.max_tokens",
        "run.roster",
        "attempts.ask_over_usd",
        "models.endpoint_url",
        "models.profile",
        "models.region",
        "models.roles",
        "gates.tests",
        "gates.lint",
        "gates.types",
        "gates.build",
        "research.provider",
        "tools.command_memory_mb",
        "sandbox",
        "tools.readable_secrets",
        "tools.pass_env",
        "sessions.store",
        "sessions.region",
        "sessions.profile",
        "sessions.kms_key",
        "checkpoints.keep_days",
        "memory.enabled",
        "memory.ttl_days",
        "research.searxng_url",
        "research.endpoints.agentcore",
        "research.allow_private",
        "research.endpoints.tavily",
        "research.endpoints.exa",
        "research.endpoints.brave",
        "research.endpoints.stackexchange",
    }
)
"""Keys by which a stranger's repository could loosen permissions or limits, run a command, or redirect a prompt."""
ALWAYS_OWN = frozenset({"trusted_folders", "tools.readable_secrets", "tools.pass_env"})
"""Keys that not even a trusted project may set: what of the user's own reaches models and commands."""
_ENV_PREFIX = "CODEFLOW_"
_FLAGS = "the command line"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSettings(_Section):
    mode: Mode
    roster: str
    max_cost: Money
    max_cost_session: Money
    max_cost_day: Money
    max_tokens: Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(no_limit)]
    max_turns: int = Field(ge=1)
    timeout_s: float = Field(gt=0)
    unattended: Literal["pause", "deny"]


class ModelSettings(_Section):
    endpoint_url: str
    region: str
    profile: str
    connect_timeout_s: float = Field(gt=0)
    read_timeout_s: float = Field(gt=0)
    roles: dict[str, str]


class RouterSettings(_Section):
    enabled: bool
    min_confidence: float = Field(ge=0, le=1)


class GraphSettings(_Section):
    review_rounds: int = Field(ge=0, le=10)
    debug_rounds: int = Field(ge=0, le=10)


_Chance = Annotated[float, Field(gt=0, lt=1)]


class Chances(_Section):
    """What is believed of each specialist: how likely its work ends with green gates, from 0 to 1."""

    fast_coder: _Chance
    senior_coder: _Chance
    lead_coder: _Chance
    debugger: _Chance


class ChancesByComplexity(_Section):
    simple: Chances
    medium: Chances
    complex: Chances
    critical: Chances


class CascadeSettings(_Section):
    escalations: int = Field(ge=0, le=10)
    learn: bool
    capable: float = Field(ge=0, le=1)
    prior_runs: float = Field(gt=0)
    visit_input_tokens: int = Field(ge=0)
    visit_output_tokens: int = Field(ge=0)
    chances: ChancesByComplexity


class ConsultSettings(_Section):
    most: int = Field(ge=0, le=20)
    digest_tokens: int = Field(ge=500)


class GateSettings(_Section):
    tests: str
    lint: str
    types: str
    build: str
    timeout_s: float = Field(gt=0)


class ToolSettings(_Section):
    command_timeout_s: float = Field(gt=0)
    command_memory_mb: Literal["auto"] | Annotated[int, Field(ge=1)]
    output_limit_chars: int = Field(ge=200)
    read_limit_lines: int = Field(ge=1)
    readable_secrets: list[str] = Field(default_factory=list)
    pass_env: list[str] = Field(default_factory=list)


def _host(text: str) -> str:
    parse_host(text)
    return text


class SandboxSettings(_Section):
    backend: Literal["auto", "bubblewrap", "landlock", "docker", "off"]
    network: bool
    hosts: list[Annotated[str, AfterValidator(_host)]]
    readable: list[str]
    writable: list[str]
    max_processes: int = Field(ge=10)
    max_file_mb: int = Field(ge=1)


class ContextSettings(_Section):
    instructions_tokens: int = Field(ge=0)
    tree_entries: int = Field(ge=0)
    map_tokens: int = Field(ge=0)
    memory_tokens: int = Field(ge=0)
    compact_at: float = Field(ge=0.3, le=0.95)
    result_limit_chars: int = Field(ge=1000)


class SessionSettings(_Section):
    store: str
    region: str
    profile: str
    kms_key: str


class CheckpointSettings(_Section):
    keep_days: int = Field(ge=0)


class MemorySettings(_Section):
    enabled: bool
    ttl_days: float = Field(gt=0)


class WorktreeSettings(_Section):
    linked: list[str]
    copied: list[str]


class ResearchEndpoints(_Section):
    tavily: str
    exa: str
    brave: str
    stackexchange: str
    agentcore: str


class ResearchSettings(_Section):
    provider: Literal["auto", "tavily", "exa", "brave", "searxng", "agentcore", "off"]
    searxng_url: str
    allow_private: bool
    endpoints: ResearchEndpoints


class Settings(_Section):
    """Everything that can be set; `config/settings.toml` documents each key."""

    trusted_folders: list[str]
    run: RunSettings
    models: ModelSettings
    faults: FaultSettings
    router: RouterSettings
    graph: GraphSettings
    cascade: CascadeSettings
    attempts: AttemptSettings
    consult: ConsultSettings
    gates: GateSettings
    tools: ToolSettings
    sandbox: SandboxSettings
    context: ContextSettings
    sessions: SessionSettings
    checkpoints: CheckpointSettings
    memory: MemorySettings
    worktrees: WorktreeSettings
    research: ResearchSettings
    ui: UiSettings


def aws_region(*named: str) -> str | None:
    """The first region that is named, else AWS_REGION, which boto3 does not read; None: the AWS configuration's."""
    return next(filter(None, (*named, os.environ.get("AWS_REGION"))), None)


def merge(base: Table, over: Mapping[str, Any]) -> Table:
    """A new table in which every leaf of `over` replaces the one in `base`."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            merged[key] = merge(cast("Table", old), cast("Mapping[str, Any]", value))
        else:
            merged[key] = value
    return merged


def leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key of a nested table with its value."""
    for key, value in table.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from leaves(cast("Mapping[str, Any]", value), f"{dotted}.")
        else:
            yield dotted, value


def load_settings(
    workspace: Path, *, env: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Settings:
    """The settings in force for a workspace.

    Raises:
        UsageError: naming the file and the key that cannot be used.
    """
    layers: list[tuple[str, Table]] = [
        ("packaged defaults", _read(resource("config") / "settings.toml")),
    ]
    user_file = config_home(env) / "settings.toml"
    user = _with_trust(_read(user_file) if user_file.exists() else {}, env)
    layers.append((str(user_file), user))
    project_file = workspace / ".codeflow" / "settings.toml"
    if project_file.exists():
        layers.append((str(project_file), _project(project_file, workspace, user)))
    layers.append(("the environment", _from_environment(env)))
    layers.append((_FLAGS, dict(flags or {})))

    merged: Table = {}
    for name, layer in layers:
        _refuse_values_for_tables(name, layer, merged)
        merged = merge(merged, layer)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, layers) from error


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}", hint="Correct or remove the file.") from error
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}", hint="Check the file's permissions."
        ) from error


def listed_folders(env: Mapping[str, str] = os.environ) -> list[str]:
    """What the user's own file has under trusted_folders.

    Raises:
        UsageError: when it is no TOML.
    """
    path = config_home(env) / "settings.toml"
    listed = _read(path).get("trusted_folders", []) if path.exists() else []
    return [str(folder) for folder in listed] if isinstance(listed, list) else []


def held_back(workspace: Path) -> list[tuple[str, Any]]:
    """The settings of a project's file that count only where it is trusted, with their values.

    Raises:
        UsageError: when it is no TOML.
    """
    path = workspace / ".codeflow" / "settings.toml"
    table = _read(path) if path.exists() else {}
    return [(key, value) for key, value in leaves(table) if _is_among(key, TRUSTED_ONLY - ALWAYS_OWN)]


def _is_among(key: str, names: Collection[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _with_trust(user: Table, env: Mapping[str, str]) -> Table:
    """The user's settings with the folders that `codeflow trust` has added."""
    added = list(TrustedFolders(env).since())
    listed = user.get("trusted_folders", [])
    if not added or not isinstance(listed, list):
        return user
    return user | {"trusted_folders": [*listed, *added]}


def _project(path: Path, workspace: Path, user: Table) -> Table:
    table = _read(path)
    folders: object = user.get("trusted_folders", [])
    trusted = {
        Path(str(folder)).expanduser().resolve()
        for folder in (cast("list[object]", folders) if isinstance(folders, list) else [])
    }
    refused = ALWAYS_OWN if workspace.resolve() in trusted else TRUSTED_ONLY
    for key, _ in leaves(table):
        if _is_among(key, refused):
            raise UsageError(
                f"{path}: {key} may not be set by a project that you have not trusted",
                hint="Remove it, or trust this folder: `codeflow trust` shows what that switches on.",
            )
    return table


def _refuse_values_for_tables(layer: str, table: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    """Each section of `base` is a section in `table` too; else the mistake would show as keys that are missing."""
    for key, known in base.items():
        value = table.get(key, known)
        if not isinstance(known, Mapping):
            continue
        if not isinstance(value, Mapping):
            raise UsageError(
                f"{layer}: {key} is a section, not one value: {value!r}",
                hint="The file that `codeflow init` writes documents every setting.",
            )
        _refuse_values_for_tables(layer, cast("Table", value), cast("Table", known))


def _from_environment(env: Mapping[str, str]) -> Table:
    """CODEFLOW_RUN__MAX_COST=1 becomes {"run": {"max_cost": "1"}}; a name without __ is not a setting."""
    table: Table = {}
    for name, value in env.items():
        if not name.startswith(_ENV_PREFIX) or "__" not in name:
            continue
        leaf: Any = value
        for part in reversed(name.removeprefix(_ENV_PREFIX).lower().split("__")):
            leaf = {part: leaf}
        table = merge(table, leaf)
    return table


def _explain(error: ValidationError, layers: list[tuple[str, Table]]) -> UsageError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    origin = next(
        (name for name, table in reversed(layers) if any(k.startswith(key) for k, _ in leaves(table))),
        "the settings",
    )
    problem = "unknown setting" if first["type"] == "extra_forbidden" else first["msg"]
    if origin == _FLAGS:
        flag = key.rpartition(".")[2].removesuffix("_s").replace("_", "-")
        return UsageError(f"--{flag}: {problem}", hint="`codeflow run --help` lists the flags.")
    return UsageError(
        f"{origin}: {key}: {problem}", hint="The file that `codeflow init` writes documents every setting."
    )
