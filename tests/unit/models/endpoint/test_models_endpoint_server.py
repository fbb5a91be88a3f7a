import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EventStreamError
from urllib3.exceptions import ProtocolError

from codeflow.core.errors import UsageError
from codeflow.models.endpoint import CONFLICTING_VARIABLES, Endpoint, ModelRules, environment, parse

HI = [{"role": "user", "content": [{"text": "hi"}]}]
LOOK = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}]}
CALLS = """
  - agent: default
    think: where is it?
    say: Let me look.
    call:
      - look: {path: src/a.py}
      - look: {path: src/b.py}
"""


def converse(client: Any, **parameters: Any) -> Any:
    return client.converse(**{"modelId": "m", "messages": HI, **parameters})


def stream(client: Any, **parameters: Any) -> list[dict[str, Any]]:
    return list(client.converse_stream(**{"modelId": "m", "messages": HI, **parameters})["stream"])


def asked(agent: str, step: int, session: str = "s") -> dict[str, Any]:
    return {"requestMetadata": {"agent": agent, "step": str(step), "session": session, "attempt": "1"}}


def said(answer: Any) -> str:
    return "".join(block.get("text", "") for block in answer["output"]["message"]["content"])


def refusal(call: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return (
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Code"],
        response["Error"]["Message"],
    )


def test_converse_answers_with_thought_text_and_tool_calls(serve, connect):
    endpoint = serve(CALLS)
    answer = converse(connect(endpoint), serviceTier={"type": "flex"})
    assert answer["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "where is it?", "signature": "signature_default_1"}}},
        {"text": "Let me look."},
        {"toolUse": {"toolUseId": "call_default_1_1", "name": "look", "input": {"path": "src/a.py"}}},
        {"toolUse": {"toolUseId": "call_default_1_2", "name": "look", "input": {"path": "src/b.py"}}},
    ]
    assert answer["stopReason"] == "tool_use"
    assert answer["serviceTier"] == {"type": "flex"}
    assert endpoint.violations == []


def test_a_stream_carries_the_same_answer_in_pieces(serve, connect):
    events = stream(connect(serve(CALLS)))
    assert [next(iter(event)) for event in events if "contentBlockDelta" not in event] == [
        "messageStart",
        "contentBlockStop",
        "contentBlockStop",
        "contentBlockStart",
        "contentBlockStop",
        "contentBlockStart",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert "".join(delta.get("text", "") for delta in deltas) == "Let me look."
    inputs = [delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta]
    assert inputs == ['{"path": "src/a.py"}', '{"path": "src/b.py"}']


def test_long_text_streams_in_several_deltas(serve, connect):
    text = "many words " * 20
    events = stream(connect(serve(f"- {{agent: default, say: '{text}', pace_ms: 1, latency_ms: 1}}")))
    pieces = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert len(pieces) > 3
    assert "".join(pieces) == text


def test_usage_comes_from_the_transcript_or_from_the_real_size(serve, connect):
    client = connect(
        serve("""
        - {agent: default, say: a, usage: {input: 10, output: 2, cache_read: 5, cache_write: 3, cache_write_1h: 4}}
        - {agent: default, say: aaaabbbbcccc}
        """)
    )
    assert converse(client)["usage"] == {
        "inputTokens": 10,
        "outputTokens": 2,
        "totalTokens": 24,
        "cacheReadInputTokens": 5,
        "cacheWriteInputTokens": 7,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 3}],
    }
    messages = [{"role": "user", "content": [{"text": "x" * 4000}]}]
    assert converse(client, messages=messages)["usage"]["inputTokens"] > 1000


@pytest.mark.parametrize(("cache", "read"), [(True, True), (False, False)])
def test_the_prompt_cache_is_simulated_where_the_model_has_one(serve, connect, cache: bool, read: bool):
    replies = "- {agent: default, say: a}\n- {agent: default, say: b}"
    client = connect(serve(replies, rules=ModelRules(cache=cache)))
    system = [{"text": "x" * 8000}, {"cachePoint": {"type": "default"}}]
    converse(client, system=system)
    assert (converse(client, system=system)["usage"]["cacheReadInputTokens"] > 0) is read


def test_count_tokens_counts_without_using_up_a_reply(serve, connect):
    endpoint = serve("- {agent: default, say: a}")
    client = connect(endpoint)
    counted = client.count_tokens(modelId="m", input={"converse": {"messages": HI}})["inputTokens"]
    assert counted == converse(client)["usage"]["inputTokens"]
    raw = client.count_tokens(modelId="m", input={"invokeModel": {"body": b"x" * 400}})
    assert raw["inputTokens"] > 0


def test_replies_are_matched_by_agent_and_step(serve, connect):
    client = connect(
        serve("""
        - {agent: coder, step: 2, say: two}
        - {agent: tester, say: test}
        - {agent: coder, step: 1, say: one}
        - {agent: coder, say: any}
        """)
    )
    answers = [
        converse(client, **asked(*who)) for who in [("coder", 1), ("coder", 2), ("tester", 9), ("coder", 7)]
    ]
    assert [said(answer) for answer in answers] == ["one", "two", "test", "any"]


def test_the_same_step_asked_again_gets_the_same_reply(serve, connect):
    client = connect(serve("- {agent: a, say: one}\n- {agent: a, say: two}"))
    assert [said(converse(client, **asked("a", step))) for step in (1, 1, 2)] == ["one", "one", "two"]


def test_parallel_sessions_each_get_the_whole_sequence(serve, connect):
    client = connect(serve("- {agent: a, say: one}\n- {agent: a, say: two}\n- {agent: b, say: three}"))

    def session(name: str) -> list[str]:
        return [said(converse(client, **asked(*who, name))) for who in [("a", 1), ("b", 1), ("a", 2)]]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(session, map(str, range(16)))) == [["one", "three", "two"]] * 16


def test_a_step_without_a_reply_is_refused_and_kept(serve, connect):
    endpoint = serve("- {agent: a, say: one}")
    status, code, message = refusal(lambda: converse(connect(endpoint), **asked("b", 3)))
    assert (status, code) == (400, "ValidationException")
    assert message == "transcript has no reply for agent=b step=3"
    assert endpoint.violations == ["Converse: transcript has no reply for agent=b step=3"]


def test_requests_are_kept_with_their_metadata(serve, connect):
    endpoint = serve("- {agent: a, say: one}")
    converse(connect(endpoint), **asked("a", 1))
    (request,) = endpoint.requests
    assert (request.operation, request.model_id) == ("Converse", "m")
    assert (request.agent, request.session, request.step, request.attempt) == ("a", "s", 1, 1)
    assert request.body["messages"] == HI


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("ThrottlingException", 429),
        ("ModelNotReadyException", 429),
        ("ServiceUnavailableException", 503),
        ("InternalServerException", 500),
        ("ModelErrorException", 424),
        ("ModelTimeoutException", 408),
        ("ServiceQuotaExceededException", 400),
        ("AccessDeniedException", 403),
        ("ExpiredTokenException", 403),
    ],
)
def test_a_service_error_comes_first_and_the_reply_after_it(serve, connect, error: str, status: int):
    endpoint = serve(
        f"- {{agent: default, say: ok, faults: [{{error: {error}, message: why, latency_ms: 1}}]}}"
    )
    client = connect(endpoint)
    assert refusal(lambda: converse(client)) == (status, error, "why")
    assert said(converse(client)) == "ok"
    assert endpoint.violations == []


def test_a_stream_error_follows_the_events_it_was_told_to_wait_for(serve, connect):
    fault = "{stream_error: throttlingException, after: 1, message: slow}"
    client = connect(serve(f"- {{agent: default, say: ok, faults: [{fault}, {fault}]}}"))
    with closing(client.converse_stream(modelId="m", messages=HI)["stream"]) as events:
        iterator = iter(events)
        assert next(iterator) == {"messageStart": {"role": "assistant"}}
        with pytest.raises(EventStreamError, match="slow"):
            next(iterator)
    assert refusal(lambda: converse(client)) == (429, "ThrottlingException", "slow")


def test_a_model_stream_error_without_a_stream_is_a_model_error(serve, connect):
    fault = "{stream_error: modelStreamErrorException}"
    client = connect(serve(f"- {{agent: default, say: ok, faults: [{fault}]}}"))
    assert refusal(lambda: converse(client))[:2] == (424, "ModelErrorException")


def test_a_cut_stream_delivers_its_events_and_then_breaks(serve, connect):
    client = connect(serve("- {agent: default, say: ok, faults: [{cut: 2}]}"))
    with closing(client.converse_stream(modelId="m", messages=HI)["stream"]) as events:
        iterator = iter(events)
        assert [next(iter(next(iterator))) for _ in range(2)] == ["messageStart", "contentBlockDelta"]
        with pytest.raises(ProtocolError):
            next(iterator)
    assert stream(client)[-2] == {"messageStop": {"stopReason": "end_turn"}}


def test_a_cut_response_without_streaming_breaks_too(serve, connect):
    client = connect(serve("- {agent: default, say: ok, faults: [{cut: 0}]}"))
    with pytest.raises(ConnectionClosedError):
        converse(client)
    assert said(converse(client)) == "ok"


def test_truncation_leaves_tool_json_that_does_not_parse(serve, connect):
    replies = CALLS + "    faults: [{truncate: 10}, {truncate: 999, stop: end_turn}, {truncate: 3}]\n"
    client = connect(serve(replies))
    for stop, rest in [("max_tokens", '{"path": "'), ("end_turn", '{"path": "src/b.py"')]:
        events = stream(client)
        inputs = [e["contentBlockDelta"]["delta"].get("toolUse") for e in events if "contentBlockDelta" in e]
        assert inputs[-1] == {"input": rest}
        assert events[-2] == {"messageStop": {"stopReason": stop}}
    truncated = converse(client)
    assert truncated["output"]["message"]["content"][-1]["toolUse"]["input"] == {}
    assert truncated["stopReason"] == "max_tokens"


def test_truncation_of_a_reply_without_calls_cuts_its_text(serve, connect):
    answer = converse(connect(serve("- {agent: default, say: a long answer, faults: [{truncate: 6}]}")))
    assert (said(answer), answer["stopReason"]) == ("a long", "max_tokens")


@pytest.mark.parametrize(
    "stop", ["malformed_tool_use", "malformed_model_output", "model_context_window_exceeded"]
)
def test_any_stop_reason_can_end_a_whole_stream(serve, connect, stop: str):
    client = connect(serve(f"- {{agent: default, say: ok, faults: [{{stop: {stop}}}]}}"))
    assert {"messageStop": {"stopReason": stop}} in stream(client)
    assert {"messageStop": {"stopReason": "end_turn"}} in stream(client)


def test_a_broken_rule_is_a_validation_error_and_kept(serve, connect):
    endpoint = serve("- {agent: default, say: ok}", rules=ModelRules(streaming_tools=False))
    status, code, message = refusal(lambda: stream(connect(endpoint), toolConfig=LOOK))
    assert (status, code) == (400, "ValidationException")
    assert message == "This model doesn't support tool use in streaming mode."
    (violation,) = endpoint.violations
    assert violation == f"ConverseStream m agent=default step=None: {message}"


def test_count_tokens_obeys_the_rules_too(serve, connect):
    endpoint = serve("[]")
    body = {"converse": {"messages": HI + HI}}
    assert refusal(lambda: connect(endpoint).count_tokens(modelId="m", input=body))[0] == 400


def test_denied_models_have_no_access_in_any_of_their_names(serve, connect):
    endpoint = serve("[]", head="denied_models: [us.amazon.nova-pro-v1:0]")
    client, control = connect(endpoint), connect(endpoint, "bedrock")
    for name in ("us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"):
        assert refusal(lambda name=name: converse(client, modelId=name))[:2] == (403, "AccessDeniedException")
    answer = control.get_foundation_model_availability(modelId="amazon.nova-pro-v1:0")
    assert answer["agreementAvailability"] == {"status": "NOT_AVAILABLE"}
    assert answer["authorizationStatus"] == "NOT_AUTHORIZED"
    assert endpoint.violations == []


def test_other_models_are_active_and_available(serve, connect):
    control = connect(serve("[]"), "bedrock")
    answer = control.get_foundation_model_availability(modelId="amazon.nova-pro-v1:0")
    assert answer["authorizationStatus"] == "AUTHORIZED"
    details = control.get_foundation_model(modelIdentifier="amazon.nova-pro-v1:0")["modelDetails"]
    assert details["modelLifecycle"] == {"status": "ACTIVE"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/model/m/converse", b"{", 400),
        ("/model/m/converse", b"\xff", 400),
        ("/model/m/converse", b"[]", 400),
        ("/model/m/converse", b"[" * 100_000, 400),
        ("/model/m/converse", b'{"mesages": []}', 400),
        ("/model/m/converse", b'{"requestMetadata": {"step": "one"}}', 400),
        ("/model/m/invoke", b"{}", 404),
    ],
)
def test_a_client_that_is_not_boto3_gets_an_error_too(serve, path: str, body: bytes, status: int):
    endpoint = serve("[]")
    connection = HTTPConnection(endpoint.url.removeprefix("http://"))
    connection.request("POST", path, body)
    assert connection.getresponse().status == status
    connection.close()
    assert len(endpoint.violations) == 1


def test_a_content_length_that_is_no_number_is_refused(serve):
    connection = HTTPConnection(serve("[]").url.removeprefix("http://"))
    connection.request("POST", "/model/m/converse", b"{}", {"Content-Length": "-2"})
    assert connection.getresponse().status == 400
    connection.close()


def test_only_loopback_is_bound_and_a_taken_port_is_a_usage_error(serve):
    endpoint = serve("[]")
    assert endpoint.url.startswith("http://127.0.0.1:")
    port = int(endpoint.url.rpartition(":")[2])
    with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 cannot be opened"):
        Endpoint(parse("codeflow_transcript: 1\ntask: t\nreplies: []"), port=port).__enter__()


def test_closing_does_not_wait_for_slow_replies_or_idle_connections(serve):
    slow = "codeflow_transcript: 1\ntask: t\nreplies: [{agent: default, say: a, latency_ms: 600000}]"
    with Endpoint(parse(slow)) as endpoint:
        address = ("127.0.0.1", int(endpoint.url.rpartition(":")[2]))
        idle = socket.create_connection(address)
        waiting = socket.create_connection(address)
        body = b'{"messages": [{"role": "user", "content": [{"text": "hi"}]}]}'
        head = b"POST /model/m/converse HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        waiting.sendall(head + body)
    idle.close()
    waiting.close()


ASK = """
import boto3, sys
answer = boto3.client("bedrock-runtime").converse(
    modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])
boto3.client("bedrock").get_foundation_model(modelIdentifier="amazon.nova-pro-v1:0")
sys.stdout.write(answer["output"]["message"]["content"][0]["text"])
"""


def test_the_environment_alone_leads_unmodified_boto3_to_the_endpoint(serve, tmp_path: Path):
    hostile = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "AWS_PROFILE": "does-not-exist",
        "AWS_SESSION_TOKEN": "stale",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    environ = hostile | environment(serve("- {agent: default, say: hello}").url)
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("hello", "")


def test_the_module_serves_a_file_until_it_is_interrupted(tmp_path: Path):
    transcript = tmp_path / "t.yaml"
    transcript.write_text("codeflow_transcript: 1\ntask: t\nreplies: [{agent: default, say: hello}]")
    command = [sys.executable, "-m", "codeflow.models.endpoint", str(transcript)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline().strip() for _ in range(len(CONFLICTING_VARIABLES) + 2)]
        assert lines[0] == "unset AWS_BEARER_TOKEN_BEDROCK"
        assert lines[1].startswith("export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_the_module_says_in_one_line_what_is_wrong(tmp_path: Path):
    command = [sys.executable, "-m", "codeflow.models.endpoint", str(tmp_path / "gone.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{tmp_path}/gone.yaml: cannot be read")
