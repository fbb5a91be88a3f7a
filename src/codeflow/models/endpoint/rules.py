"""Converse's rules that botocore's service model does not state; messages follow the service's own wording."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from codeflow.models.catalogue import Catalogue

MAX_CACHE_POINTS = 4

Block = dict[str, Any]
Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRules:
    """What one model accepts; the default accepts everything."""

    forced_tool_choice: bool = True
    sampling: bool = True
    streaming_tools: bool = True
    text_beside_results: bool = True
    cache: bool = True
    cache_min_tokens: int = 1024
    max_output: int | None = None


def rules_from(catalogue: Catalogue) -> Callable[[str], ModelRules]:
    """What each model of the catalogue accepts; a model that it does not know accepts everything."""

    def rules_for(model_id: str) -> ModelRules:
        spec = catalogue.find(model_id)
        if spec is None:
            return ModelRules()
        return ModelRules(
            forced_tool_choice=spec.forced_tool_choice,
            sampling=spec.sampling != "refused",
            streaming_tools=spec.streaming_tools,
            text_beside_results=spec.text_beside_results,
            cache=spec.cache != "none",
            cache_min_tokens=spec.cache_min_tokens,
            max_output=spec.max_output,
        )

    return rules_for


def broken_rules(operation: str, request: dict[str, Any], model: ModelRules) -> Iterator[str]:
    """Every rule that a schema-valid request breaks, the first one being what the service would answer."""
    messages: list[Message] = request.get("messages", [])
    tools: list[Block] = request.get("toolConfig", {}).get("tools", [])
    yield from _conversation(messages)
    yield from _blank_text(messages, request.get("system", []))
    yield from _tool_answers(messages)
    yield from _tools(tools, request.get("toolConfig", {}).get("toolChoice", {}), messages)
    yield from _cache_points(tools, request.get("system", []), messages)
    yield from _model_limits(operation, request, model)


def _conversation(messages: Sequence[Message]) -> Iterator[str]:
    turns = [message["role"] for message in messages if message["role"] != "system"]
    if not turns or turns[0] != "user":
        yield (
            "A conversation must start with a user message. "
            "Try again with a conversation that starts with a user message."
        )
    if any(turn == following for turn, following in pairwise(turns)):
        yield (
            "A conversation must alternate between user and assistant roles. "
            "Make sure the conversation alternates between user and assistant roles and try again."
        )


def _blank_text(messages: Sequence[Message], system: Sequence[Block]) -> Iterator[str]:
    places = [(f"messages.{i}.content", message["content"]) for i, message in enumerate(messages)]
    for place, blocks in places:
        if not blocks:
            yield (
                f"The content field in the Message object at {place.removesuffix('.content')} is empty. "
                "Add a ContentBlock object to the content field and try again."
            )
    for place, blocks in [("system", system), *places]:
        for index, block in enumerate(blocks):
            if "text" in block and not block["text"].strip():
                yield (
                    f"The text field in the ContentBlock object at {place}.{index} is blank. "
                    "Add text to the text field, and try again."
                )


def _tool_answers(messages: Sequence[Message]) -> Iterator[str]:
    """Each toolUse is answered in the next message, once; nothing else is answered."""
    asked: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "system":
            continue
        place = f"messages.{index}.content"
        uses = _tool_use_ids(message)
        answers = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        yield from _misplaced(message["role"], uses, answers, place)
        if missing := [use for use in asked if use not in answers]:
            yield f"Expected toolResult blocks at {place} for the following Ids: {', '.join(missing)}"
        if orphans := [answer for answer in answers if answer not in asked]:
            yield (
                f"The number of toolResult blocks at {place} exceeds the number of toolUse blocks of previous "
                f"turn; not asked for: {', '.join(orphans)}"
            )
        for name, ids in (("toolUse", uses), ("toolResult", answers)):
            if len(ids) != len(set(ids)):
                yield f"The {name} blocks at {place} contain duplicate Ids: {', '.join(sorted(ids))}"
        asked = uses
    if asked:
        yield f"Expected toolResult blocks at messages.{len(messages)}.content for the following Ids: {', '.join(asked)}"


def _tool_use_ids(message: Message) -> list[str]:
    uses = [block["toolUse"] for block in message["content"] if "toolUse" in block]
    return [use["toolUseId"] for use in uses if use.get("type") != "server_tool_use"]


def _beside_results(messages: Sequence[Message]) -> Iterator[str]:
    for index, message in enumerate(messages):
        kinds = {kind for block in message["content"] for kind in block if kind != "cachePoint"}
        if "toolResult" in kinds and len(kinds) > 1:
            yield f"The toolResult blocks at messages.{index}.content must be alone in their message."


def _misplaced(role: str, uses: Sequence[str], answers: Sequence[str], place: str) -> Iterator[str]:
    if role == "user" and uses:
        yield f"The toolUse blocks at {place} are not allowed in a user message."
    if role == "assistant" and answers:
        yield f"The toolResult blocks at {place} are not allowed in an assistant message."


def _tools(tools: Sequence[Block], choice: Block, messages: Sequence[Message]) -> Iterator[str]:
    blocks = (block for message in messages for block in message["content"])
    if not tools and any("toolUse" in block or "toolResult" in block for block in blocks):
        yield "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    names: list[str] = []
    for index, tool in enumerate(tools):
        if "toolSpec" not in tool:
            continue
        spec = tool["toolSpec"]
        if spec["name"] in names:
            yield f"The tool {spec['name']} at toolConfig.tools.{index} is already defined."
        names.append(spec["name"])
        schema = spec["inputSchema"].get("json")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            yield (
                f"The value at toolConfig.tools.{index}.toolSpec.inputSchema.json.type "
                "must be one of the following: object."
            )
    if "tool" in choice and choice["tool"]["name"] not in names:
        yield f"The tool {choice['tool']['name']} at toolConfig.toolChoice is not in toolConfig.tools."


def _cache_points(
    tools: Sequence[Block], system: Sequence[Block], messages: Sequence[Message]
) -> Iterator[str]:
    lists = [("toolConfig.tools", tools), ("system", system)]
    lists += [(f"messages.{i}.content", message["content"]) for i, message in enumerate(messages)]
    for place, blocks in lists:
        if blocks and "cachePoint" in blocks[0]:
            yield f"The cachePoint at {place}.0 has nothing before it. Put it after the content to cache."
    points = [block["cachePoint"] for _, blocks in lists for block in blocks if "cachePoint" in block]
    if len(points) > MAX_CACHE_POINTS:
        yield f"A maximum of {MAX_CACHE_POINTS} cachePoint blocks may be provided. Found {len(points)}."
    ttls = [point.get("ttl", "5m") for point in points]
    if ("5m", "1h") in pairwise(ttls):
        yield "A cachePoint with ttl 1h must not come after a cachePoint with ttl 5m."


def _model_limits(operation: str, request: dict[str, Any], model: ModelRules) -> Iterator[str]:
    settings = request.get("inferenceConfig", {})
    if not model.text_beside_results:
        yield from _beside_results(request.get("messages", ()))
    choice = request.get("toolConfig", {}).get("toolChoice", {})
    if "toolConfig" in request and operation == "ConverseStream" and not model.streaming_tools:
        yield "This model doesn't support tool use in streaming mode."
    for forced in ("any", "tool"):
        if forced in choice and not model.forced_tool_choice:
            field = f"toolConfig.toolChoice.{forced}"
            yield f"This model doesn't support the {field} field. Remove {field} and try again."
    for field in ("temperature", "topP"):
        if field in settings and not model.sampling:
            yield f"This model doesn't support the {field} field. Remove {field} and try again."
    limit = model.max_output
    if limit is not None and settings.get("maxTokens", 0) > limit:
        yield (
            f"The maximum tokens you requested exceeds the model limit of {limit}. "
            f"Try again with a maximum tokens value that is lower than {limit}."
        )
