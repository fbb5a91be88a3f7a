import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import ModelError
from codeflow.core.events import Event
from codeflow.core.values import Complexity, TaskKind
from codeflow.orchestration.replies import last_object
from codeflow.orchestration.router import Router, rules


class Answering:
    """A model that answers with given texts, or raises."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    @property
    def model_id(self) -> str:
        return "test.model"

    async def stream(self, messages, tool_specs=None, system_prompt=None):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for letter in answer:
            yield {"contentBlockDelta": {"delta": {"text": letter}}}


def verdict(**changes: object) -> str:
    plain = {"complexity": "COMPLEX", "kind": "feature", "confidence": 0.9, "reason": "because"}
    return json.dumps({**plain, **changes})


def router(tmp_path, model, events=None) -> Router:
    sink: list[Event] = [] if events is None else events
    return Router(model=model, cache_folder=tmp_path, min_confidence=0.5, emit=sink.append)


@given(st.text())
def test_rules_have_a_verdict_for_every_text(text):
    route = rules(text)
    assert route.source == "rules"
    assert 0 <= route.confidence <= 1


@pytest.mark.parametrize(
    ("text", "complexity", "kind"),
    [
        ("make the failing test pass", Complexity.SIMPLE, TaskKind.BUGFIX),
        ("fix the typo in the README", Complexity.SIMPLE, TaskKind.BUGFIX),
        ("What does the cache do?", Complexity.COMPLEX, TaskKind.QUESTION),
        ("Fix the authentication bypass in login", Complexity.CRITICAL, TaskKind.BUGFIX),
        ("design a plugin system", Complexity.COMPLEX, TaskKind.OTHER),
    ],
)
def test_rules_on_plain_requests(text, complexity, kind):
    assert (rules(text).complexity, rules(text).kind) == (complexity, kind)


async def test_a_verdict_is_asked_once_and_then_cached(tmp_path):
    model = Answering(f"Sure: ```json\n{verdict()}\n```")
    first = await router(tmp_path, model).classify("do it")
    second = await router(tmp_path, model).classify("do it")
    assert (first.complexity, first.kind, first.source) == (Complexity.COMPLEX, TaskKind.FEATURE, "router")
    assert second.source == "cache"
    assert model.asked == 1


@pytest.mark.parametrize(
    "answer", ["", "COMPLEX", "{", verdict(complexity="HUGE"), verdict(confidence=7), "[1]", "null"]
)
async def test_nonsense_gives_way_to_the_rules_and_is_said(tmp_path, answer):
    events: list[Event] = []
    route = await router(tmp_path, Answering(answer), events).classify("fix the failing test")
    assert route.source == "rules"
    assert [event.kind for event in events] == ["notice"]
    assert not list(tmp_path.rglob("*.json"))


async def test_an_unreachable_router_gives_way_to_the_rules(tmp_path):
    events: list[Event] = []
    route = await router(tmp_path, Answering(ModelError("throttled")), events).classify("fix it")
    assert route.source == "rules"
    assert "throttled" in str(events)


async def test_an_unsure_verdict_gives_way_to_a_more_careful_rule(tmp_path):
    low = verdict(complexity="SIMPLE", confidence=0.2)
    route = await router(tmp_path, Answering(low)).classify("fix the password check of the login")
    assert (route.complexity, route.source) == (Complexity.CRITICAL, "rules")


async def test_a_given_complexity_asks_nobody(tmp_path):
    model = Answering()
    route = await router(tmp_path, model).classify("anything", Complexity.CRITICAL)
    assert (route.complexity, route.source, model.asked) == (Complexity.CRITICAL, "flag", 0)


async def test_a_damaged_cache_entry_is_asked_for_again(tmp_path):
    await router(tmp_path, Answering(verdict())).classify("do it")
    (entry,) = tmp_path.rglob("*.json")
    entry.write_text("{")
    assert (await router(tmp_path, Answering(verdict())).classify("do it")).source == "router"


@given(
    st.dictionaries(st.text(), st.integers() | st.text()), st.text(), st.text().filter(lambda t: "{" not in t)
)
def test_the_last_object_is_found_whatever_stands_around_it(value, before, after):
    assert last_object(f"{before}\n{json.dumps(value)}{after}") == value


def test_a_text_without_an_object_has_none():
    assert last_object("nothing {here") is None
