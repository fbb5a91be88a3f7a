import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from codeflow.core.errors import UsageError
from codeflow.core.events import Event, ModelCalled, Notice, PatternChosen, Routed, RunStarted
from codeflow.core.values import Complexity, Mode, Pattern, Route, TaskKind, Usage
from codeflow.models.endpoint import Transcript, load, parse
from codeflow.models.endpoint.transcript import (
    Call,
    Cut,
    Fault,
    Options,
    Reply,
    ReplyUsage,
    ServiceError,
    Stop,
    Truncate,
)
from codeflow.models.recorder import Recorder

STARTED = RunStarted(
    session_id="s", task="fix it", workspace="/w", mode=Mode.EDIT, roster="current", version="0"
)


def called(
    outcome: str = "ok", *, agent: str = "coder", step: int = 1, attempt: int = 1, **more: Any
) -> ModelCalled:
    return ModelCalled(
        agent=agent,
        step=step,
        attempt=attempt,
        model="m",
        invoked_model="m",
        usage=more.pop("usage", Usage(input_tokens=10, output_tokens=2)),
        cost=Decimal(0),
        duration_s=0.1,
        first_token_s=None,
        outcome=outcome,
        **more,
    )


def routed(source: str) -> list[Event]:
    route = Route(complexity=Complexity.SIMPLE, kind=TaskKind.BUGFIX, confidence=1, reason="", source=source)
    chosen = PatternChosen(pattern=Pattern.SINGLE, complexity=Complexity.SIMPLE, reason="")
    return [Routed(route=route), chosen]


def recorded(*events: Event, **options: Any) -> Transcript:
    recorder = Recorder(**options)
    for event in events:
        recorder(event)
    return recorder.transcript()


def test_an_answer_becomes_a_reply_with_thought_text_and_calls():
    blocks = (
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "x"}}},
        {"reasoningContent": {"redactedContent": b""}},
        {"text": "Look"},
        {"text": "ing."},
        {"toolUse": {"toolUseId": "1", "name": "look", "input": {"path": "a"}}},
    )
    transcript = recorded(
        STARTED, called(reply=blocks, stop_reason="tool_use"), Notice(level="info", text="x"), base="4b825dc"
    )
    assert transcript == Transcript(
        task="fix it",
        base="4b825dc",
        options=Options(mode=Mode.EDIT, roster="current"),
        replies=(
            Reply(
                agent="coder",
                step=1,
                say="Looking.",
                think="hm",
                call=(Call("look", {"path": "a"}),),
                usage=ReplyUsage(input=10, output=2),
            ),
        ),
    )


def test_an_unusual_stop_reason_is_kept():
    (reply,) = recorded(STARTED, called(reply=({"text": "a"},), stop_reason="max_tokens")).replies
    assert reply.stop == "max_tokens"


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        ("throttled", ServiceError("ThrottlingException")),
        ("unavailable", ServiceError("ServiceUnavailableException")),
        ("timeout", ServiceError("ModelTimeoutException")),
        ("model_error", ServiceError("ModelErrorException")),
        ("access", ServiceError("AccessDeniedException")),
        ("quota", ServiceError("ServiceQuotaExceededException")),
        ("validation", ServiceError("ValidationException")),
        ("overflow", ServiceError("ValidationException", "Input is too long for requested model.")),
        ("stream_cut", Cut(2)),
        ("malformed", Stop("malformed_tool_use")),
        ("truncated", Truncate(10)),
        ("something new", ServiceError("InternalServerException")),
    ],
)
def test_a_failed_attempt_becomes_a_fault_before_the_reply(outcome: str, fault: Fault):
    events = [called(outcome, usage=None), called("cancelled"), called(attempt=2, reply=({"text": "a"},))]
    (reply,) = recorded(STARTED, *events).replies
    assert (reply.faults, reply.say) == ((fault,), "a")


def test_a_malformed_answer_keeps_its_own_stop_reason():
    (reply,) = recorded(STARTED, called("malformed", stop_reason="malformed_model_output")).replies
    assert reply.faults == (Stop("malformed_model_output"),)


def test_a_step_that_was_only_cancelled_leaves_no_reply():
    assert recorded(STARTED, called("cancelled")).replies == ()


def test_a_verdict_from_the_cache_is_pinned_since_a_replay_has_no_such_cache():
    assert recorded(STARTED, *routed("cache")).options.complexity is Complexity.SIMPLE
    assert recorded(STARTED, *routed("router")).options.complexity is None


def test_what_the_user_chose_is_kept():
    options = Options(pattern=Pattern.GRAPH)
    assert recorded(STARTED, *routed("router"), options=options).options.pattern is Pattern.GRAPH


def test_the_file_is_private_complete_and_readable(tmp_path: Path):
    recorder = Recorder()
    for event in (STARTED, called(reply=({"text": "one\ntwo"},))):
        recorder(event)
    path = tmp_path / "t.yaml"
    path.write_text("old")
    recorder.write(path)
    assert load(path) == recorder.transcript()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "say: |-\n      one\n      two" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match=r"no/t\.yaml: cannot be written: No such file"):
        Recorder().write(tmp_path / "no" / "t.yaml")


def test_recording_a_replay_gives_the_same_transcript(serve, connect):
    text = """\
- agent: router
  say: '{"complexity": "SIMPLE"}'
  step: 1
  usage: {input: 5, output: 1, cache_read: 7, cache_write: 3, cache_write_1h: 2}
- agent: coder
  step: 1
  think: hm
  say: |-
    Two
    lines
  call:
    - look: {path: a}
  usage: {input: 1, output: 1}
- {agent: coder, step: 2, say: done, stop: stop_sequence, usage: {input: 1}}
"""
    options = "options: {mode: edit, roster: current}"
    client = connect(serve(text, head=options))
    events: list[Event] = [STARTED]
    for agent, step in [("router", 1), ("coder", 1), ("coder", 2)]:
        answer = client.converse(
            modelId="m",
            messages=[{"role": "user", "content": [{"text": "hi"}]}],
            requestMetadata={"agent": agent, "step": str(step)},
        )
        events.append(
            called(
                agent=agent,
                step=step,
                reply=tuple(answer["output"]["message"]["content"]),
                stop_reason=answer["stopReason"],
                usage=usage(answer["usage"]),
            )
        )
    original = parse(f"codeflow_transcript: 1\ntask: fix it\n{options}\nreplies:\n{text}")
    assert recorded(*events) == original


def usage(reported: dict[str, Any]) -> Usage:
    written = {detail["ttl"]: detail["inputTokens"] for detail in reported.get("cacheDetails", [])}
    return Usage(
        input_tokens=reported["inputTokens"],
        output_tokens=reported["outputTokens"],
        cache_read_tokens=reported["cacheReadInputTokens"],
        cache_write_tokens=written.get("5m", 0),
        cache_write_1h_tokens=written.get("1h", 0),
    )
