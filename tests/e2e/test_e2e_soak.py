"""A session far longer than its model's window, on the wire."""

import itertools
from decimal import Decimal

import pytest
from tests.bench.soak import AGENT, SUMMARY, TASK, project, session, small_roster, transcript
from tests.e2e.harness import RULES

from codeflow.core.events import ConversationCompacted, Event, ModelCalled
from codeflow.core.values import Status
from codeflow.models.endpoint import Endpoint, environment, load
from codeflow.models.endpoint.cache import estimated_tokens

TURNS = 500
WINDOW = 24_000


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_500_turns_stay_within_the_window_and_keep_what_matters(tmp_path, monkeypatch):
    root = project(tmp_path / "project")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    roster = small_roster(tmp_path / "small.toml", WINDOW)
    events: list[Event] = []
    with Endpoint(load(transcript(tmp_path / "t.yaml", TURNS)), rules_for=RULES) as endpoint:
        for name, value in environment(endpoint.url).items():
            monkeypatch.setenv(name, value)
        result = await session(root, roster, env, [events.append], TURNS + 10)
        assert endpoint.violations == []  # roles alternate, every call has its result
        requests = [request for request in endpoint.requests if request.agent == AGENT]
        others = [request for request in endpoint.requests if request.agent == "summarizer"]
    assert (result.status, result.error) == (Status.DONE, None)
    assert len(requests) == TURNS
    assert max(estimated_tokens(request.body) for request in (*requests, *others)) < WINDOW

    compactions = [event for event in events if isinstance(event, ConversationCompacted)]
    assert len(compactions) >= 5
    assert all(event.after_tokens < event.before_tokens < WINDOW for event in compactions)
    positions = [index for index, event in enumerate(events) if isinstance(event, ConversationCompacted)]
    answers = [index for index, event in enumerate(events) if isinstance(event, ModelCalled)]
    assert all(
        any(a < i < b for i in answers) for a, b in itertools.pairwise(positions)
    )  # never twice in a row

    first, *_rest, last = requests[-1].body["messages"]
    assert TASK in first["content"][0]["text"]
    memo = first["content"][1]["text"]
    assert SUMMARY in memo
    assert "edit_file notes.md" in memo
    assert f"broken-{TURNS - 3}" in str(requests[-1].body["messages"])  # the last failing command
    assert last["role"] == "user"

    summaries = next(share for share in result.by_agent if share.name == "summarizer")
    assert summaries.calls == sum(event.method == "summary" for event in compactions) > 0
    costs = [event.cost for event in events if isinstance(event, ModelCalled)]
    assert result.cost == sum(cost or Decimal(0) for cost in costs)
    assert summaries.cost is not None
    assert summaries.cost > 0
