"""What botocore's service models say: routes, shapes and errors, so that the endpoint cannot drift from the API."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StringShape,
    StructureShape,
)
from botocore.validate import ParamValidator

SERVED = {
    "bedrock-runtime": ("Converse", "ConverseStream", "CountTokens"),
    "bedrock": ("GetFoundationModel", "GetFoundationModelAvailability"),
}
_AUTHENTICATION_ERRORS = {"ExpiredTokenException": 403, "UnrecognizedClientException": 403}


@cache
def _service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


@cache
def operation(name: str) -> OperationModel:
    service = next(service for service, names in SERVED.items() if name in names)
    return _service(service).operation_model(name)


@cache
def error_statuses() -> Mapping[str, int]:
    """HTTP status of every error that Bedrock runtime can answer with, authentication included."""
    service = _service("bedrock-runtime")
    shapes = (service.shape_for(name) for name in service.shape_names)
    modelled = {
        shape.name: int(shape.metadata["error"]["httpStatusCode"])
        for shape in shapes
        if shape.metadata.get("exception")
    }
    return modelled | _AUTHENTICATION_ERRORS


@cache
def stream_errors() -> frozenset[str]:
    """Names of the exceptions that may end an event stream."""
    return frozenset(name for name, shape in _stream_members().items() if shape.metadata.get("exception"))


@cache
def stop_reasons() -> frozenset[str]:
    return frozenset(_enum(_service("bedrock-runtime").shape_for("StopReason")))


def route(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """The operation that an HTTP request means and the parameters in its path, percent-decoded."""
    for name, verb, pattern in _routes():
        if verb == method and (match := pattern.fullmatch(path)):
            return name, {key: unquote(value) for key, value in match.groupdict().items()}
    return None


@cache
def _routes() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    operations = [operation(name) for names in SERVED.values() for name in names]
    return tuple(
        (
            op.name,
            op.http["method"],
            re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", op.http["requestUri"])),
        )
        for op in operations
    )


def input_errors(name: str, params: Mapping[str, Any]) -> list[str]:
    """What is wrong with a request's parameters; empty when nothing is."""
    return _errors(params, operation(name).input_shape)


def output_errors(name: str, output: Mapping[str, Any]) -> list[str]:
    return _errors(output, operation(name).output_shape)


def event_errors(name: str, payload: Mapping[str, Any]) -> list[str]:
    return _errors(payload, _stream_members()[name])


def tool_name_errors(name: str) -> list[str]:
    return _errors(name, _service("bedrock-runtime").shape_for("ToolName"))


def _stream_members() -> Mapping[str, Shape]:
    shape = operation("ConverseStream").output_shape
    stream = shape.members["stream"] if isinstance(shape, StructureShape) else None
    return stream.members if isinstance(stream, StructureShape) else {}


def _errors(value: Any, shape: Shape | None) -> list[str]:
    if shape is None:
        return []
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return str(report.generate_report()).splitlines()
    return list(_unmet_constraints(value, shape, ""))


def _unmet_constraints(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Enums, patterns, maxima and the minimum size of maps, which ParamValidator leaves to the service."""
    if isinstance(shape, StructureShape):
        if not shape.metadata.get("document"):
            for name, inner in value.items():
                yield from _unmet_constraints(inner, shape.members[name], f"{path}.{name}")
        return
    yield from _above_maximum(value, shape, path)
    if isinstance(shape, StringShape):
        yield from _bad_string(value, shape, path)
    elif isinstance(shape, ListShape):
        for index, inner in enumerate(value):
            yield from _unmet_constraints(inner, shape.member, f"{path}.{index}")
    elif isinstance(shape, MapShape):
        if len(value) < shape.metadata.get("min", 0):
            yield _unmet(path, f"Member must have length greater than or equal to {shape.metadata['min']}")
        for key, inner in value.items():
            yield from _unmet_constraints(key, shape.key, f"{path} (key {key!r})")
            yield from _unmet_constraints(inner, shape.value, f"{path}.{key}")


def _above_maximum(value: Any, shape: Shape, path: str) -> Iterator[str]:
    maximum = shape.metadata.get("max")
    if maximum is None or shape.type_name == "blob":
        return
    if isinstance(value, str | list | dict):
        if len(value) > maximum:
            yield _unmet(path, f"Member must have length less than or equal to {maximum}, not {len(value)}")
    elif value > maximum:
        yield _unmet(path, f"Member must have value less than or equal to {maximum}, not {value}")


def _bad_string(value: str, shape: StringShape, path: str) -> Iterator[str]:
    allowed = _enum(shape)
    if allowed and value not in allowed:
        yield _unmet(path, f"Member must satisfy enum value set: [{', '.join(allowed)}], not {value!r}")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield _unmet(path, f"Member must satisfy regular expression pattern: {pattern}, not {value!r}")


def _enum(shape: Shape) -> list[str]:
    return list(shape.enum) if isinstance(shape, StringShape) else []


def _unmet(path: str, constraint: str) -> str:
    return f"Value at '{path.lstrip('.')}' failed to satisfy constraint: {constraint}"
