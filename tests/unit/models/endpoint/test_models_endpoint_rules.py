from typing import Any

import pytest

from codeflow.models.endpoint.rules import ModelRules, broken_rules


def text(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"text": part} for part in texts]}


def use(*ids: str, role: str = "assistant") -> dict[str, Any]:
    return {
        "role": role,
        "content": [{"toolUse": {"toolUseId": i, "name": "look", "input": {}}} for i in ids],
    }


def result(*ids: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": [{"toolResult": {"toolUseId": i, "content": []}} for i in ids]}


def point(ttl: str | None = None) -> dict[str, Any]:
    return {"cachePoint": {"type": "default"} | ({"ttl": ttl} if ttl else {})}


def tool(name: str = "look", **schema: Any) -> dict[str, Any]:
    return {"toolSpec": {"name": name, "inputSchema": {"json": schema or {"type": "object"}}}}


HI = text("user", "hi")
TOOLS = {"tools": [tool()]}


def broken(model: ModelRules | None = None, operation: str = "Converse", **request: Any) -> list[str]:
    return list(broken_rules(operation, {"messages": [HI], **request}, model or ModelRules()))


def test_a_whole_tool_turn_with_cache_points_breaks_nothing():
    request: dict[str, Any] = {
        "system": [{"text": "be brief"}, point("1h")],
        "toolConfig": {"tools": [tool(), tool("other"), point("1h")], "toolChoice": {"any": {}}},
        "messages": [
            HI,
            use("a", "b"),
            {"role": "user", "content": [*result("b", "a")["content"], point("5m")]},
        ],
    }
    assert broken(**request) == []


def test_a_system_message_between_turns_does_not_count_as_a_turn():
    assert broken(messages=[HI, text("system", "note"), text("assistant", "yes"), HI]) == []


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([], "must start with a user message"),
        ([text("assistant", "hi")], "must start with a user message"),
        ([HI, HI], "must alternate between user and assistant"),
        ([HI, text("assistant", "a"), text("assistant", "b")], "must alternate between user and assistant"),
        ([HI, text("assistant", " \n"), HI], "messages.1.content.0 is blank"),
        ([{"role": "user", "content": []}], "messages.0 is empty"),
        ([HI, use("a"), HI], "Expected toolResult blocks at messages.2.content for the following Ids: a"),
        ([HI, use("a", "b"), result("a")], "for the following Ids: b"),
        ([HI, use("a")], "Expected toolResult blocks at messages.2.content"),
        ([result("a")], "not asked for: a"),
        ([HI, use("a"), result("a"), text("assistant", "ok"), result("a")], "not asked for: a"),
        ([HI, use("a"), result("a", "a")], "duplicate Ids"),
        ([HI, use("a", "a"), result("a")], "duplicate Ids"),
        ([use("a", role="user")], "not allowed in a user message"),
        ([HI, result("a", role="assistant")], "not allowed in an assistant message"),
        ([HI, text("assistant", "a"), {"role": "user", "content": [point(), {"text": "x"}]}], "nothing before it"),
    ],
)  # fmt: skip
def test_a_conversation_that_bedrock_would_refuse(messages: list[dict[str, Any]], complaint: str):
    assert complaint in "\n".join(broken(messages=messages, toolConfig=TOOLS))


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"tools": [tool(), tool()]}, "tool look at toolConfig.tools.1 is already defined"),
        ({"tools": [tool(type="string")]}, "must be one of the following: object"),
        ({"tools": [tool(properties={})]}, "must be one of the following: object"),
        ({"tools": [tool()], "toolChoice": {"tool": {"name": "gone"}}}, "gone at toolConfig.toolChoice"),
        ({"tools": [point(), tool()]}, "cachePoint at toolConfig.tools.0 has nothing before it"),
    ],
)
def test_tools_that_bedrock_would_refuse(config: dict[str, Any], complaint: str):
    assert [complaint in line for line in broken(toolConfig=config)] == [True]


def test_tool_blocks_in_the_history_need_a_tool_config():
    (line,) = broken(messages=[HI, use("a"), result("a")])
    assert line.startswith("The toolConfig field must be defined")


def test_blank_system_text_is_refused():
    assert "at system.0 is blank" in broken(system=[{"text": " "}])[0]


def test_five_cache_points_are_one_too_many():
    system = [{"text": "a"}, point(), {"text": "b"}, point(), {"text": "c"}, point()]
    tools = [tool(), point()]
    assert broken(system=system, toolConfig={"tools": tools}) == []
    messages = [{"role": "user", "content": [{"text": "x"}, point()]}]
    assert "Found 5" in broken(system=system, toolConfig={"tools": tools}, messages=messages)[0]


def test_a_longer_ttl_must_not_follow_a_shorter_one():
    late = [{"role": "user", "content": [{"text": "x"}, point("1h")]}]
    assert "must not come after" in broken(system=[{"text": "a"}, point()], messages=late)[0]
    assert broken(system=[{"text": "a"}, point("1h")], messages=late) == []


@pytest.mark.parametrize(
    ("model", "request_", "complaint"),
    [
        (ModelRules(forced_tool_choice=False), {"toolConfig": {**TOOLS, "toolChoice": {"any": {}}}}, "toolChoice.any"),
        (ModelRules(forced_tool_choice=False), {"toolConfig": {**TOOLS, "toolChoice": {"tool": {"name": "look"}}}}, "toolChoice.tool"),
        (ModelRules(sampling=False), {"inferenceConfig": {"temperature": 0}}, "the temperature field"),
        (ModelRules(sampling=False), {"inferenceConfig": {"topP": 0.5}}, "the topP field"),
        (ModelRules(streaming_tools=False), {"toolConfig": TOOLS}, "doesn't support tool use in streaming mode"),
        (ModelRules(max_output=4096), {"inferenceConfig": {"maxTokens": 4097}}, "exceeds the model limit of 4096"),
    ],
)  # fmt: skip
def test_what_one_model_refuses_another_accepts(model: ModelRules, request_: dict[str, Any], complaint: str):
    (line,) = broken(model, "ConverseStream", **request_)
    assert complaint in line
    assert broken(ModelRules(), "ConverseStream", **request_) == []


def test_tools_without_streaming_suit_a_model_that_cannot_stream_them():
    assert broken(ModelRules(streaming_tools=False), toolConfig=TOOLS) == []
