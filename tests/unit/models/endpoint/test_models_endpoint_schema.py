from typing import Any

import pytest

from codeflow.models.endpoint.schema import (
    error_statuses,
    event_errors,
    input_errors,
    output_errors,
    route,
    stop_reasons,
    stream_errors,
)

HI = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0"


@pytest.mark.parametrize(
    ("method", "path", "operation", "parameters"),
    [
        ("POST", "/model/m/converse", "Converse", {"modelId": "m"}),
        ("POST", "/model/m/converse-stream", "ConverseStream", {"modelId": "m"}),
        ("POST", "/model/m/count-tokens", "CountTokens", {"modelId": "m"}),
        (
            "POST",
            f"/model/{ARN.replace(':', '%3A').replace('/', '%2F')}/converse",
            "Converse",
            {"modelId": ARN},
        ),
        ("GET", "/foundation-models/a.b", "GetFoundationModel", {"modelIdentifier": "a.b"}),
        ("GET", "/foundation-model-availability/a.b", "GetFoundationModelAvailability", {"modelId": "a.b"}),
    ],
)
def test_requests_are_routed_by_the_service_model(
    method: str, path: str, operation: str, parameters: dict[str, str]
):
    assert route(method, path) == (operation, parameters)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/model/m/converse"), ("POST", "/"), ("POST", "/model//converse")]
)
def test_anything_else_has_no_route(method: str, path: str):
    assert route(method, path) is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"mesages": []}, "Unknown parameter"),
        ({"messages": "hi"}, "Invalid type for parameter messages"),
        ({"messages": [{"role": "robot", "content": []}]}, "enum value set: [user, assistant, system]"),
        ({"messages": [{"role": "user", "content": [{"text": "a", "cachePoint": {"type": "default"}}]}]}, "Can only set one"),
        ({"inferenceConfig": {"maxTokens": 0}}, "valid min value: 1"),
        ({"inferenceConfig": {"temperature": 1.5}}, "less than or equal to 1"),
        ({"inferenceConfig": {"stopSequences": ["x"] * 2501}}, "length less than or equal to 2500"),
        ({"requestMetadata": {}}, "length greater than or equal to 1"),
        ({"requestMetadata": {f"k{n}": "v" for n in range(17)}}, "length less than or equal to 16"),
        ({"requestMetadata": {"k" * 257: "v"}}, "length less than or equal to 256"),
        ({"requestMetadata": {"k": "v" * 257}}, "length less than or equal to 256"),
        ({"requestMetadata": {"k": "it's"}}, "regular expression pattern"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "a b", "inputSchema": {"json": {}}}}]}}, "regular expression pattern"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "a" * 65, "inputSchema": {"json": {}}}}]}}, "length less than or equal to 64"),
        ({"serviceTier": {"type": "cheap"}}, "enum value set"),
    ],
)  # fmt: skip
def test_a_request_that_breaks_the_service_model_is_described(change: dict[str, Any], complaint: str):
    assert complaint in "\n".join(input_errors("Converse", HI | change))


def test_a_good_request_has_no_errors():
    assert input_errors("Converse", HI) == []


def test_the_endpoints_own_output_is_held_to_the_service_model():
    assert event_errors("contentBlockDelta", {"delta": {"txt": "x"}, "contentBlockIndex": 0})
    assert event_errors("messageStop", {"stopReason": "tired"})
    assert event_errors("messageStop", {"stopReason": "end_turn"}) == []
    assert output_errors("Converse", {"stopReason": "end_turn"})


def test_errors_and_stop_reasons_come_from_the_service_model():
    statuses = error_statuses()
    assert statuses["ThrottlingException"] == 429
    assert statuses["ModelErrorException"] == 424
    assert statuses["ServiceQuotaExceededException"] == 400
    assert statuses["ExpiredTokenException"] == 403
    assert "modelStreamErrorException" in stream_errors()
    assert "messageStart" not in stream_errors()
    assert {"end_turn", "malformed_tool_use", "model_context_window_exceeded"} <= stop_reasons()
