"""Bedrock without a model and without a socket: one HTTP request in, one answer out."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from codeflow.core.values import Usage
from codeflow.models.endpoint import wire
from codeflow.models.endpoint.answers import Answer, Event, answer, converse_output, stream_events
from codeflow.models.endpoint.cache import CHARS_PER_TOKEN, PromptCache, estimated_tokens
from codeflow.models.endpoint.control import availability, foundation_model, is_denied
from codeflow.models.endpoint.rules import ModelRules, broken_rules
from codeflow.models.endpoint.schema import error_statuses, event_errors, input_errors, output_errors, route
from codeflow.models.endpoint.script import Script, Turn
from codeflow.models.endpoint.transcript import (
    Cut,
    ReplyUsage,
    ServiceError,
    Stall,
    StreamError,
    Transcript,
)

RulesFor = Callable[[str], ModelRules]
_ECHOED = ("performanceConfig", "serviceTier")


def permissive(_model_id: str) -> ModelRules:
    return ModelRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that matched the service model; agent, session, step and attempt are its requestMetadata."""

    operation: str
    model_id: str
    agent: str
    session: str
    step: int | None
    attempt: int | None
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonResponse:
    """A whole response; instead of a `cut` one the connection is dropped, a `stalled` one never comes."""

    status: int
    body: bytes
    error: str = ""
    latency_ms: int = 0
    cut: bool = False
    stalled: bool = False
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResponse:
    """Event-stream frames, `pace_ms` apart; after the last one a `cut` stream loses its connection, and a `stalled`
    one falls silent.
    """

    frames: tuple[bytes, ...]
    latency_ms: int
    pace_ms: int
    cut: bool
    stalled: bool = False


Response = JsonResponse | StreamResponse


class _RefusedError(Exception):
    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


class Service:
    """Answers from a transcript. Thread-safe: appending is all that is done to the lists."""

    def __init__(self, transcript: Transcript, rules_for: RulesFor) -> None:
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.billed: list[Usage] = []
        self._denied = transcript.denied_models
        self._rules_for = rules_for
        self._script = Script(transcript)
        self._cache = PromptCache()

    def respond(self, method: str, target: str, body: bytes) -> Response:
        try:
            request = self._read(method, target, body)
            self.requests.append(request)
            return self._dispatch(request)
        except _RefusedError as refused:
            return _error_response(refused.error, str(refused))

    def _read(self, method: str, target: str, body: bytes) -> Request:
        found = route(method, urlsplit(target).path)
        if found is None:
            raise self._violation(target, "no such operation here", error="ResourceNotFoundException")
        operation, path_params = found
        try:
            content = json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            raise self._violation(operation, f"the body is not usable JSON: {error}") from error
        if not isinstance(content, dict):
            raise self._violation(operation, "the body is not a JSON object")
        if errors := input_errors(operation, {**content, **path_params}):
            raise self._violation(operation, *errors)
        metadata = content.get("requestMetadata", {})
        return Request(
            operation=operation,
            model_id=next(iter(path_params.values())),
            agent=metadata.get("agent", "default"),
            session=metadata.get("session", "default"),
            step=self._number(operation, metadata, "step"),
            attempt=self._number(operation, metadata, "attempt"),
            body=content,
        )

    def _number(self, operation: str, metadata: dict[str, str], key: str) -> int | None:
        text = metadata.get(key)
        if text is None:
            return None
        if not text.isdecimal():
            raise self._violation(operation, f"requestMetadata.{key} must be a whole number, not {text!r}")
        return int(text)

    def _violation(self, where: str, *messages: str, error: str = "ValidationException") -> _RefusedError:
        self.violations += [f"{where}: {message}" for message in messages]
        return _RefusedError(error, messages[0])

    def _dispatch(self, request: Request) -> Response:
        if request.operation == "GetFoundationModel":
            return self._json_response(request, foundation_model(request.model_id))
        if request.operation == "GetFoundationModelAvailability":
            return self._json_response(request, availability(request.model_id, self._denied))
        if is_denied(request.model_id, self._denied):
            message = "You don't have access to the model with the specified model ID."
            raise _RefusedError("AccessDeniedException", message)
        if request.operation == "CountTokens":
            return self._count_tokens(request)
        return self._converse(request)

    def _count_tokens(self, request: Request) -> Response:
        counted = request.body["input"]
        if "converse" in counted:
            self._check_rules(request, counted["converse"])
            tokens = estimated_tokens(counted["converse"])
        else:
            tokens = len(counted["invokeModel"]["body"]) // CHARS_PER_TOKEN
        return self._json_response(request, {"inputTokens": tokens})

    def _converse(self, request: Request) -> Response:
        self._check_rules(request, request.body)
        turn = self._script.next_turn(agent=request.agent, session=request.session, step=request.step)
        if turn is None:
            who = f"agent={request.agent} step={request.step if request.step is not None else 'next'}"
            raise self._violation(request.operation, f"transcript has no reply for {who}")
        if isinstance(turn.fault, ServiceError):
            asked = turn.fault
            response = _error_response(asked.error, asked.message)
            return replace(response, latency_ms=asked.latency_ms, retry_after_s=asked.retry_after_s)
        said = answer(turn.reply, turn.step, turn.fault)
        usage = self._usage(request, turn, said)
        self.billed.append(usage)
        echoed = {key: request.body[key] for key in _ECHOED if key in request.body}
        latency_ms = turn.reply.latency_ms
        if request.operation == "ConverseStream":
            return self._stream_response(request, turn, stream_events(said, usage, latency_ms, echoed))
        return self._whole_response(request, turn, converse_output(said, usage, latency_ms, echoed))

    def _check_rules(self, request: Request, conversation: dict[str, Any]) -> None:
        rules = self._rules_for(request.model_id)
        if broken := list(broken_rules(request.operation, conversation, rules)):
            who = f"{request.operation} {request.model_id} agent={request.agent} step={request.step}"
            raise self._violation(who, *broken)

    def _usage(self, request: Request, turn: Turn, said: Answer) -> Usage:
        rules = self._rules_for(request.model_id)
        if rules.cache:
            billed = self._cache.bill(request.model_id, request.body, min_tokens=rules.cache_min_tokens)
        else:
            billed = Usage(input_tokens=estimated_tokens(request.body))
        given = turn.reply.usage
        return replace(billed, output_tokens=said.tokens) if given is None else _as_usage(given)

    def _whole_response(self, request: Request, turn: Turn, output: dict[str, Any]) -> Response:
        fault = turn.fault
        if isinstance(fault, StreamError):
            return _error_response(_http_error(fault.stream_error), fault.message)
        response = self._json_response(request, output)
        cut, stalled = isinstance(fault, Cut), isinstance(fault, Stall)
        return replace(response, latency_ms=turn.reply.latency_ms, cut=cut, stalled=stalled)

    def _json_response(self, request: Request, output: dict[str, Any]) -> JsonResponse:
        self._vouch(request, output_errors(request.operation, output))
        return JsonResponse(status=200, body=wire.to_json(output))

    def _stream_response(self, request: Request, turn: Turn, events: list[Event]) -> Response:
        self._vouch(request, [error for name, payload in events for error in event_errors(name, payload)])
        frames = [wire.event_frame(name, payload) for name, payload in events]
        fault = turn.fault
        if isinstance(fault, Cut):
            frames = frames[: fault.cut]
        if isinstance(fault, Stall):
            frames = frames[: fault.stall]
        if isinstance(fault, StreamError):
            failure = wire.exception_frame(fault.stream_error, {"message": fault.message})
            frames = [*frames[: fault.after], failure]
        return StreamResponse(
            frames=tuple(frames),
            latency_ms=turn.reply.latency_ms,
            pace_ms=turn.reply.pace_ms,
            cut=isinstance(fault, Cut),
            stalled=isinstance(fault, Stall),
        )

    def _vouch(self, request: Request, errors: list[str]) -> None:
        """The endpoint's own answers obey the service model too."""
        if errors:
            raise self._violation(request.operation, *errors, error="InternalServerException")


def _error_response(error: str, message: str) -> JsonResponse:
    body = wire.to_json({"message": message})
    return JsonResponse(status=error_statuses()[error], body=body, error=error)


def _http_error(stream_error: str) -> str:
    """The error that Converse, which has no stream, answers in place of a stream's exception."""
    name = stream_error[0].upper() + stream_error[1:]
    return "ModelErrorException" if name == "ModelStreamErrorException" else name


def _as_usage(given: ReplyUsage) -> Usage:
    return Usage(
        input_tokens=given.input,
        output_tokens=given.output,
        cache_read_tokens=given.cache_read,
        cache_write_tokens=given.cache_write,
        cache_write_1h_tokens=given.cache_write_1h,
    )
