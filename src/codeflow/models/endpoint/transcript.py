"""What the endpoint answers: a conversation with every model of a run, as values and as a readable YAML file."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    JsonValue,
    Tag,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic import Field as Constraint

from codeflow.core.errors import UsageError
from codeflow.core.values import Complexity, Mode, Pattern
from codeflow.models.endpoint.schema import error_statuses, stop_reasons, stream_errors, tool_name_errors

_UNICODE_BREAKS = frozenset("\x85\u2028\u2029")
"""Line breaks to YAML, which loses them in every style but the double-quoted one."""
_closed = with_config(ConfigDict(extra="forbid"))
_ASKED_FOR = "The transcript asks for this error."
_HINT = "Correct that place; `codeflow run --record FILE` writes a valid example."


def _one_of(kind: str, value: str, known: frozenset[str]) -> str:
    if value not in known:
        raise ValueError(f"unknown {kind} {value!r}; known are {', '.join(sorted(known))}")
    return value


def _error_name(value: str) -> str:
    return _one_of("error", value, frozenset(error_statuses()))


def _stream_error_name(value: str) -> str:
    return _one_of("stream error", value, stream_errors())


def _stop_reason(value: str) -> str:
    return _one_of("stop reason", value, stop_reasons())


def _tool_name(value: str) -> str:
    if errors := tool_name_errors(value):
        raise ValueError(f"not a tool name: {errors[0]}")
    return value


Count = Annotated[int, Constraint(ge=0)]
Ordinal = Annotated[int, Constraint(ge=1)]
StopReason = Annotated[str, AfterValidator(_stop_reason)]


@_closed
@dataclass(frozen=True, slots=True)
class ServiceError:
    """The attempt is answered with an HTTP error of the service."""

    error: Annotated[str, AfterValidator(_error_name)]
    message: str = _ASKED_FOR
    latency_ms: Count = 0
    retry_after_s: Count | None = None
    """The pause that the answer's Retry-After header asks for."""


@_closed
@dataclass(frozen=True, slots=True)
class StreamError:
    """The stream ends in an exception after some events; without streaming, the same error over HTTP."""

    stream_error: Annotated[str, AfterValidator(_stream_error_name)]
    after: Count = 2
    message: str = _ASKED_FOR


@_closed
@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is dropped after `cut` stream events; without streaming, before the answer."""

    cut: Count


@_closed
@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing more comes after `stall` stream events, and the connection stays; without streaming, nothing at all."""

    stall: Count


@_closed
@dataclass(frozen=True, slots=True)
class Truncate:
    """The last tool call's JSON ends after `truncate` characters, and never completes; so does the text where
    nothing is called.
    """

    truncate: Count
    stop: StopReason = "max_tokens"


@_closed
@dataclass(frozen=True, slots=True)
class Stop:
    """The reply is complete, but ends with this stop reason."""

    stop: StopReason


Fault = ServiceError | StreamError | Cut | Stall | Truncate | Stop
_TAG = "fault:"
_FAULT_KEYS = ("error", "stream_error", "cut", "stall", "truncate", "stop")


def _fault_tag(value: object) -> str | None:
    keys = value if isinstance(value, Mapping) else {}
    return next((_TAG + key for key in _FAULT_KEYS if key in keys), None)


_ReadableFault = Annotated[
    Annotated[ServiceError, Tag(_TAG + "error")]
    | Annotated[StreamError, Tag(_TAG + "stream_error")]
    | Annotated[Cut, Tag(_TAG + "cut")]
    | Annotated[Stall, Tag(_TAG + "stall")]
    | Annotated[Truncate, Tag(_TAG + "truncate")]
    | Annotated[Stop, Tag(_TAG + "stop")],
    Discriminator(
        _fault_tag,
        custom_error_type="fault",
        custom_error_message=f"a fault needs one of the keys {', '.join(_FAULT_KEYS)}",
    ),
]


@_closed
@dataclass(frozen=True, slots=True)
class Call:
    """One tool call; written as `name: {argument: value}`."""

    name: Annotated[str, AfterValidator(_tool_name)]
    input: dict[str, JsonValue]


def _named_input(value: object) -> object:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError("a call is one tool name with its input, such as `read_file: {path: a.py}`")
    ((name, arguments),) = value.items()
    return {"name": name, "input": {} if arguments is None else arguments}


@_closed
@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyUsage:
    """Tokens that a reply reports; `input` excludes the cached ones."""

    input: Count = 0
    output: Count = 0
    cache_read: Count = 0
    cache_write: Count = 0
    cache_write_1h: Count = 0


@_closed
@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one step of an agent, given once every fault has been used up by an attempt."""

    agent: str
    step: Ordinal | None = None
    """The agent's n-th model call in the session; None takes the agent's replies in file order."""
    say: str = ""
    think: str = ""
    call: tuple[Annotated[Call, BeforeValidator(_named_input)], ...] = ()
    stop: StopReason | None = None
    usage: ReplyUsage | None = None
    """None: computed from the size of the real request and answer."""
    latency_ms: Count = 0
    pace_ms: Count = 0
    faults: tuple[_ReadableFault, ...] = ()

    @property
    def stop_reason(self) -> str:
        return self.stop or ("tool_use" if self.call else "end_turn")


@_closed
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the recorded run was asked for; None leaves the choice to the engine."""

    pattern: Pattern | None = None
    complexity: Complexity | None = None
    agent: str | None = None
    mode: Mode | None = None
    roster: str | None = None


@_closed
@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Every model reply of a run. `base` is the commit of the repository it was recorded on."""

    codeflow_transcript: Literal[1] = 1
    task: str
    options: Options = field(default_factory=Options)
    base: str | None = None
    denied_models: tuple[str, ...] = ()
    replies: tuple[Reply, ...]


def load(path: Path) -> Transcript:
    """Read a transcript file.

    Raises:
        UsageError: naming the file and the place in it that cannot be used.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), name=str(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", hint="Check the path.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text", hint=_HINT) from error


def parse(text: str, *, name: str = "transcript") -> Transcript:
    """The transcript in a YAML text; `name` stands for its file in messages.

    Raises:
        UsageError: naming the place that cannot be used.
    """
    try:
        data = _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}:{line}: not valid YAML: {error.problem}", hint=_HINT) from error
    except yaml.YAMLError as error:
        raise UsageError(f"{name}: not valid YAML: {' '.join(str(error).split())}", hint=_HINT) from error
    if not isinstance(data, dict) or "codeflow_transcript" not in data:
        raise UsageError(f"{name}: not a transcript: it has no codeflow_transcript: 1", hint=_HINT)
    try:
        return TypeAdapter(Transcript).validate_python(data)
    except ValidationError as error:
        raise UsageError(f"{name}: {_first_problem(error)}", hint=_HINT) from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    parts = [part for part in problem["loc"] if not str(part).startswith(_TAG)]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    unknown = problem["type"] == "unexpected_keyword_argument"
    return f"{place}: {'unknown key' if unknown else problem['msg'].removeprefix('Value error, ')}"


def dump(transcript: Transcript) -> str:
    """YAML that `parse` reads back to the same transcript; defaults are left out."""
    data = {"codeflow_transcript": transcript.codeflow_transcript} | _plain(transcript)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _plain(value: Any) -> Any:
    if isinstance(value, Call):
        return {value.name: value.input}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if not hasattr(value, "__dataclass_fields__"):
        return value
    present = {f.name: getattr(value, f.name) for f in fields(value)}
    return {f.name: _plain(present[f.name]) for f in fields(value) if present[f.name] != _default(f)}


def _default(of: Field[Any]) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()


class _Loader(yaml.SafeLoader):
    """Refuses a mapping that has the same key twice, of which YAML would silently drop one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(
                problem="the same key twice", problem_mark=node.start_mark
            )
        return mapping


class _Dumper(yaml.SafeDumper):
    """Block style, lists indented, multi-line text as `|`, no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002  the emitter names it
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if _UNICODE_BREAKS.intersection(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
