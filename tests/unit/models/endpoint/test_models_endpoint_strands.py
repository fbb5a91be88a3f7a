from collections.abc import Iterator

import pytest
from botocore.config import Config
from strands import Agent, tool
from strands.models.bedrock import BedrockModel
from strands.models.model import CacheConfig
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from codeflow.models.endpoint import Endpoint, environment

LOOP = """
- agent: coder
  think: I should look.
  say: Looking.
  call: [{look: {path: a.py}}, {look: {path: b.py}}]
- {agent: coder, say: All good.}
"""


@tool
def look(path: str) -> str:
    """Look at a file.

    Args:
        path: Which one.
    """
    return f"{path} is fine"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    made: list[BedrockModel] = []

    def build(endpoint: Endpoint, *, streaming: bool = True, step: int | None = None) -> BedrockModel:
        for name, value in environment(endpoint.url).items():
            monkeypatch.setenv(name, value)
        metadata = {"agent": "coder"} | ({"step": str(step)} if step else {})
        made.append(
            BedrockModel(
                model_id="anthropic.claude-haiku-5-5",
                max_tokens=1000,
                streaming=streaming,
                boto_client_config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
                cache_config=CacheConfig(strategy="anthropic", tools_ttl=True, ttl="1h"),
                additional_args={"requestMetadata": metadata},
            )
        )
        return made[-1]

    yield build
    for each in made:
        each.client.close()


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_real_agent_runs_its_tools_against_a_transcript(serve, model, streaming: bool):
    endpoint = serve(LOOP)
    agent = Agent(
        model=model(endpoint, streaming=streaming),
        tools=[look],
        system_prompt="Be brief. " * 900,
        callback_handler=None,
    )
    result = await agent.invoke_async("is it fine?")
    assert str(result) == "All good.\n"
    assert endpoint.violations == []
    assert [request.step for request in endpoint.requests] == [None, None]
    answers = endpoint.requests[1].body["messages"][2]["content"]
    assert [block["toolResult"]["toolUseId"] for block in answers if "toolResult" in block] == [
        "call_coder_1_1",
        "call_coder_1_2",
    ]
    assert result.metrics.accumulated_usage["cacheReadInputTokens"] > 0


async def test_overflow_and_throttling_reach_strands_as_what_they_are(serve, model):
    replies = """
    - agent: coder
      faults:
        - {error: ValidationException, message: Input is too long for requested model.}
        - {error: ThrottlingException}
    """
    bedrock = model(serve(replies), step=1)
    messages = [{"role": "user", "content": [{"text": "hi"}]}]
    with pytest.raises(ContextWindowOverflowException):
        [event async for event in bedrock.stream(messages)]
    with pytest.raises(ModelThrottledException):
        [event async for event in bedrock.stream(messages)]
