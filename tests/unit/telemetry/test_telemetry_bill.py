from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.events import ModelCalled, RunStarted
from codeflow.core.values import Mode, Usage
from codeflow.telemetry.bill import Call, Selection, grouped, rows, summed
from codeflow.telemetry.ledger import Ledger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def call(at: datetime = NOON, cost: str | None = "0.5", **more: str) -> Call:
    texts = {
        "session": "s",
        "repository": "r",
        "workspace": "/w",
        "complexity": "",
        "agent": "a",
        "model": "m",
    }
    return Call(
        at=at, outcome="ok", usage=Usage(input_tokens=10), cost=None if cost is None else Decimal(cost),
        **{**texts, **more},
    )  # fmt: skip


def test_periods_come_in_order_and_the_new_year_belongs_to_its_iso_week():
    days = ["2027-01-01T12:00", "2026-12-31T12:00", "2026-12-07T12:00"]
    calls = [call(datetime.fromisoformat(day).astimezone()) for day in days]
    assert [row.name for row in rows(calls, "day")] == ["2026-12-07", "2026-12-31", "2027-01-01"]
    assert [(row.name, row.calls) for row in rows(calls, "week")] == [("2026-W50", 1), ("2026-W53", 2)]
    assert [(row.name, row.calls) for row in rows(calls, "month")] == [("2026-12", 2), ("2027-01", 1)]


def test_other_groups_come_dearest_first_and_what_has_no_name_is_one_of_them():
    calls = [call(complexity="SIMPLE"), call(cost="2"), call(cost=None, complexity="SIMPLE")]
    assert [(row.name, row.cost, row.known_cost) for row in rows(calls, "complexity")] == [
        ("-", Decimal(2), Decimal(2)),
        ("SIMPLE", None, Decimal("0.5")),
    ]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.decimals(0, 9, places=6) | st.none())))
def test_every_call_is_in_exactly_one_group(drawn):
    calls = [call(cost=None if cost is None else str(cost), agent=agent) for agent, cost in drawn]
    found = grouped(calls, "agent")
    whole = summed("", calls)
    assert sorted(map(id, calls)) == sorted(id(one) for _, group in found for one in group)
    assert sum((row.known_cost for row, _ in found), Decimal(0)) == whole.known_cost
    assert sum(row.unpriced_calls for row, _ in found) == whole.unpriced_calls


@pytest.fixture
def ledger(tmp_path):
    """Calls of three sessions in the repositories `shop` and `api`, and in a folder whose name begins with `shop`."""
    opened = Ledger(tmp_path / "ledger.sqlite3")
    for session, folder in (("s1", "shop"), ("s2", "shop/inner"), ("t1", "shopping")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        record = opened.recorder(session, tmp_path / folder)
        record(
            RunStarted(session_id=session, task="t", workspace="/", mode=Mode.EDIT, roster="r", version="1")
        )
        record(
            ModelCalled(
                agent="coder", step=1, attempt=1, model="m", invoked_model="m", usage=None, cost=Decimal(1),
                duration_s=1.0, first_token_s=None, outcome="ok",
            )
        )  # fmt: skip
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("chosen", "sessions"),
    [
        (Selection(), "s1 s2 t1"),
        (Selection(session="s2"), "s2"),
        (Selection(session="s"), ""),
        (Selection(repository="shopping"), "t1"),
        (Selection(folder=Path("shop")), "s1 s2"),
        (Selection(folder=Path("shop/inner")), "s2"),
        (Selection(repository="x' OR 1=1 --"), ""),
    ],
)
def test_calls_are_chosen_by_where_they_were_made(ledger, tmp_path, chosen, sessions):
    if chosen.folder:
        chosen = Selection(folder=tmp_path / chosen.folder)
    assert " ".join(one.session for one in ledger.calls(chosen)) == sessions


def test_until_is_the_first_moment_that_is_left_out(ledger):
    first, _, last = ledger.calls()
    assert [one.session for one in ledger.calls(Selection(since=first.at, until=last.at))] == ["s1", "s2"]
    assert list(ledger.calls(Selection(since=last.at + timedelta(microseconds=1)))) == []


def test_names_and_ids_can_be_looked_up(ledger):
    assert ledger.repositories() == ["inner", "shop", "shopping"]
    assert (ledger.sessions("s"), ledger.sessions("x"), ledger.sessions("%")) == (["s1", "s2"], [], [])
