"""Real boto3 and real Strands against the embedded endpoint, or against nothing at all."""

import asyncio
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.models.guarded_bench import fault_policy

from codeflow.core.errors import BudgetExceededError, ModelAccessError, ModelError, UsageError
from codeflow.core.events import Event, ModelCalled
from codeflow.core.ports import Admit, Emit
from codeflow.core.reliability import BreakerPolicy
from codeflow.core.settings import ModelSettings
from codeflow.models.bedrock import BedrockConnection, open_session
from codeflow.models.breaker import Breakers
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.doctor import check
from codeflow.models.endpoint import Endpoint, ModelRules, environment
from codeflow.models.endpoint.transcript import (
    Call,
    Cut,
    Reply,
    ServiceError,
    StreamError,
    Transcript,
    Truncate,
)
from codeflow.models.guarded import GuardedModel
from codeflow.models.providers import Connector
from codeflow.policies.budget import Amount, Budget, limit_of_run, limit_of_tokens

CATALOGUE = Catalogue.load()
CLAUDE = CATALOGUE.require("global.anthropic.claude-sonnet-5-5")
NOVA = CATALOGUE.require("us.amazon.nova-pro-v1:0")
LLAMA = CATALOGUE.require("us.meta.llama3-3-70b-instruct-v1:0")
GLM = CATALOGUE.require("global.zai.glm-5.3")
SETTINGS = ModelSettings(
    endpoint_url="",
    region="",
    profile="",
    connect_timeout_s=5,
    read_timeout_s=10,
    roles={},
)
ASK: list[Any] = [{"role": "user", "content": [{"text": "Fix it, please."}]}]
TOOLS: list[Any] = [{"name": "read", "description": "Reads", "inputSchema": {"json": {"type": "object"}}}]


def rules_for(model_id: str) -> ModelRules:
    spec = CATALOGUE.require(model_id)
    return ModelRules(
        forced_tool_choice=spec.forced_tool_choice,
        sampling=spec.sampling != "refused",
        streaming_tools=spec.streaming_tools,
        cache=spec.cache == "explicit",
        max_output=spec.max_output,
    )


def transcript(*replies: Reply, denied: tuple[str, ...] = ()) -> Transcript:
    return Transcript(task="t", replies=replies, denied_models=denied)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No AWS configuration of this machine reaches a test."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return monkeypatch


def point_to(endpoint: Endpoint, aws: pytest.MonkeyPatch) -> None:
    for name, value in environment(endpoint.url).items():
        aws.setenv(name, value)


def guarded(
    events: list[Event],
    *candidates: ModelSpec,
    agent: str = "coder",
    admit: Admit = lambda estimate: estimate.max_output_tokens,
    emit: Emit | None = None,
) -> GuardedModel:
    return GuardedModel(
        agent=agent,
        session_id="s1",
        candidates=candidates,
        catalogue=CATALOGUE,
        connect=Connector(SETTINGS),
        emit=emit or events.append,
        admit=admit,
        policy=fault_policy(max_wait_s=0),
        breakers=Breakers(BreakerPolicy(threshold=5, cool_down_s=30)),
    )


async def asked(model: GuardedModel, tools: Any = TOOLS) -> list[Any]:
    return [event async for event in model.stream(ASK, tools, "Be brief.")]


def outcomes(events: list[Event]) -> list[str]:
    return [str(event.outcome) for event in events if isinstance(event, ModelCalled)]


@pytest.mark.parametrize("spec", [CLAUDE, NOVA, LLAMA, GLM])
async def test_every_family_gets_a_request_that_bedrock_accepts(aws, spec):
    reply = Reply(agent="coder", say="Reading.", call=(Call("read", {"path": "a"}),))
    with Endpoint(transcript(reply), rules_for=rules_for) as endpoint:
        point_to(endpoint, aws)
        events: list[Event] = []
        await asked(guarded(events, spec))
    assert endpoint.violations == []
    assert outcomes(events) == ["ok"]
    (called,) = [event for event in events if isinstance(event, ModelCalled)]
    assert called.cost is not None
    assert called.cost > 0


def built(spec: ModelSpec, *, tools: bool = True) -> dict[str, Any]:
    connection = BedrockConnection(spec, SETTINGS, open_session(SETTINGS))
    model = connection.prepared(max_tokens=9, metadata={"agent": "coder ü|"}, tools=tools)
    return model.format_request(ASK, TOOLS if tools else None, [{"text": "Be brief."}])


def test_claude_caches_tools_system_and_tail_and_decodes_as_it_likes(aws):
    aws.setenv("AWS_REGION", "us-east-1")
    request = built(CLAUDE)
    assert "cachePoint" in request["toolConfig"]["tools"][-1]
    assert "cachePoint" in request["system"][-1]
    assert "cachePoint" in request["messages"][-1]["content"][-1]
    assert request["inferenceConfig"] == {"maxTokens": 9}
    assert request["requestMetadata"] == {"agent": "coder __"}


def test_nova_caches_no_tools_and_is_greedy_with_them_only(aws):
    aws.setenv("AWS_REGION", "us-east-1")
    request = built(NOVA)
    assert "cachePoint" not in request["toolConfig"]["tools"][-1]
    assert "cachePoint" in request["system"][-1]
    assert request["inferenceConfig"]["temperature"] == 0
    assert request["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 1}}
    assert built(NOVA, tools=False)["inferenceConfig"] == {"maxTokens": 9}


def test_models_without_explicit_caching_get_no_cache_point(aws):
    aws.setenv("AWS_REGION", "us-east-1")
    assert "cachePoint" not in str(built(LLAMA)) + str(built(GLM))


def test_a_service_tier_is_asked_for_when_the_roster_says_so(aws):
    aws.setenv("AWS_REGION", "us-east-1")
    assert built(NOVA.model_copy(update={"service_tier": "flex"}))["serviceTier"] == {"type": "flex"}


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (ServiceError("ThrottlingException", "Too many tokens, please wait"), "throttled"),
        (ServiceError("ServiceUnavailableException"), "unavailable"),
        (ServiceError("InternalServerException"), "unavailable"),
        (ServiceError("ModelErrorException"), "model_error"),
        (ServiceError("ModelTimeoutException"), "timeout"),
        (ServiceError("ModelNotReadyException"), "unavailable"),
        (ServiceError("ServiceQuotaExceededException"), "quota"),
        (StreamError("modelStreamErrorException"), "stream_cut"),
        (StreamError("internalServerException"), "stream_cut"),
        (StreamError("throttlingException"), "throttled"),
        (Cut(0), "stream_cut"),
        (Cut(3), "stream_cut"),
        (Truncate(5), "truncated"),
    ],
)
async def test_each_fault_on_the_wire_is_told_apart_and_recovered_from(aws, fault, outcome):
    reply = Reply(agent="coder", say="Reading it.", call=(Call("read", {"path": "a.py"}),), faults=(fault,))
    with Endpoint(transcript(reply)) as endpoint:
        point_to(endpoint, aws)
        events: list[Event] = []
        received = await asked(guarded(events, CLAUDE))
    assert outcomes(events) == [outcome, "ok"]
    assert sum("messageStart" in event for event in received) == 1


async def test_cancelling_a_silent_model_takes_no_time_and_is_metered(aws):
    reply = Reply(agent="coder", say="Never.", latency_ms=400)
    with Endpoint(transcript(reply)) as endpoint:
        point_to(endpoint, aws)
        events: list[Event] = []
        task = asyncio.create_task(asked(guarded(events, CLAUDE)))
        while not endpoint.requests:  # noqa: ASYNC110 — another thread fills the list
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert outcomes(events) == ["cancelled"]


@pytest.mark.parametrize(
    ("budget", "used"),
    [
        (Budget(limit_of_run(Decimal("0.5"))), lambda call: call.cost),
        (
            Budget(tokens=limit_of_tokens(70_000)),
            lambda call: call.usage.prompt_tokens + call.usage.output_tokens,
        ),
    ],
    ids=["money", "tokens"],
)
async def test_agents_that_call_at_the_same_time_share_one_limit(aws, budget: Budget, used):
    names = ["a", "b", "c", "d", "e", "f"]
    with Endpoint(transcript(*(Reply(agent=name, say="Done.") for name in names))) as endpoint:
        point_to(endpoint, aws)
        events: list[Event] = []

        def emit(event: Event) -> None:
            events.append(event)
            budget(event)

        models = [guarded(events, CLAUDE, agent=name, admit=budget.admit, emit=emit) for name in names]
        ended = await asyncio.gather(*map(asked, models), return_exceptions=True)
    refused = [end for end in ended if isinstance(end, BudgetExceededError)]
    calls = [event for event in events if isinstance(event, ModelCalled)]
    assert len(refused) + len(calls) == len(names)
    assert refused
    assert len(endpoint.requests) == len(calls) > 1
    assert budget.reserved == Amount()
    assert sum(map(used, calls)) in (budget.spent.cost, budget.spent.tokens)


async def test_credentials_renewed_in_another_window_are_picked_up(aws, tmp_path: Path):
    file = tmp_path / "credentials"
    profile = "[default]\naws_access_key_id = {0}\naws_secret_access_key = {0}\n"
    file.write_text(profile.format("old"))
    expired = ServiceError("AccessDeniedException", "The security token included in the request is expired")
    with Endpoint(transcript(Reply(agent="coder", say="Hello.", faults=(expired,)))) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", endpoint.url)
        aws.setenv("AWS_REGION", "us-east-1")
        aws.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        events: list[Event] = []
        model = guarded(events, CLAUDE)
        connection = Connector(SETTINGS)(CLAUDE)
        assert not connection.renew()
        model._connection = connection
        file.write_text(profile.format("new"))
        assert await asked(model)
    assert outcomes(events) == ["credentials", "ok"]


async def test_no_credentials_end_with_the_cure_and_cost_nothing(aws):
    aws.setenv("AWS_REGION", "us-east-1")
    events: list[Event] = []
    with pytest.raises(ModelAccessError) as ended:
        await asked(guarded(events, CLAUDE))
    assert "aws configure" in ended.value.hint
    assert [event.cost for event in events if isinstance(event, ModelCalled)] == [Decimal(0)]


async def test_no_region_is_said_and_not_guessed(aws):
    with pytest.raises(ModelAccessError) as ended:
        await asked(guarded([], CLAUDE))
    assert "AWS_REGION" in ended.value.hint


async def test_an_endpoint_that_is_no_url_is_a_usage_error(aws):
    settings = SETTINGS.model_copy(update={"endpoint_url": "bedrock.internal"})
    with pytest.raises(UsageError, match="endpoint_url"):
        Connector(settings)(CLAUDE)


def test_a_local_model_needs_a_base_url():
    with pytest.raises(UsageError, match="base_url"):
        Connector(SETTINGS)(ModelSpec.unknown("ollama:x"))


@pytest.mark.parametrize("model_id", ["ollama:tiny", "openai:tiny"])
async def test_a_local_server_that_does_not_run_is_unavailable(model_id):
    spec = ModelSpec.unknown(model_id).model_copy(update={"base_url": "http://127.0.0.1:9"})
    events: list[Event] = []
    with pytest.raises(ModelError, match="tiny") as ended:
        await asked(guarded(events, spec))
    assert "http://127.0.0.1:9" in ended.value.hint
    assert outcomes(events) == ["unavailable"] * 3


def test_doctor_reports_every_model_once_with_its_cure(aws):
    with Endpoint(transcript(denied=(NOVA.id,))) as endpoint:
        point_to(endpoint, aws)
        opus = CATALOGUE.require("us.anthropic.claude-opus-4-1-20250805-v1:0")
        found = check(SETTINGS, [CLAUDE, NOVA, CLAUDE, opus], os.environ, today=date(2026, 11, 21))
    assert [(one.name, one.ok) for one in found] == [
        ("credentials", True),
        ("region", True),
        ("endpoint", True),
        (CLAUDE.model_id, True),
        (NOVA.model_id, False),
        (opus.model_id, False),
    ]
    assert all(one.ok or one.cure for one in found)
    assert "2027-01-08" in found[-1].detail


def test_doctor_without_region_or_credentials_says_so(aws):
    (found,) = check(SETTINGS, [CLAUDE], {})
    assert "AWS_REGION" in found.cure


def test_doctor_without_credentials_names_the_login(aws):
    aws.setenv("AWS_REGION", "us-east-1")
    aws.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    found = check(SETTINGS, [CLAUDE], os.environ)
    assert not any(one.ok for one in found if one.name != "region")
    assert all(one.cure for one in found if not one.ok)


def test_doctor_asks_a_local_server_whether_it_listens():
    spec = ModelSpec.unknown("ollama:x").model_copy(update={"base_url": "http://127.0.0.1:9"})
    (found,) = check(SETTINGS, [spec], {})
    assert not found.ok
    assert "127.0.0.1:9" in found.cure
