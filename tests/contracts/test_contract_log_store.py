"""The port of shared stores by itself: leases, positions, and what a lost race does."""

import json
from dataclasses import replace

import pytest
from tests.contracts.conftest import Machines

from codeflow.core.events import Notice
from codeflow.sessions.records import Chain, encode
from codeflow.sessions.stores.owner import this_process
from codeflow.sessions.stores.port import (
    LEASE_S,
    ConflictError,
    LockedError,
    LogStore,
    acquire,
    release,
    renew,
)
from codeflow.sessions.stores.replicator import add
from codeflow.sessions.summary import Head

SESSION = "20261121-120000-0000"
ELSEWHERE = replace(this_process(), token="other", host="far", machine="far/away")
GONE = replace(this_process(), token="gone", born="another start")


@pytest.fixture
def store(shared_machines: Machines) -> LogStore:
    shared = shared_machines().shared
    assert shared is not None
    return shared


def lines_of(*texts: str, after: Chain | None = None) -> tuple[list[bytes], Head]:
    chain = after or Chain()
    lines = []
    for text in texts:
        lines.append(encode(Notice(level="info", text=text), chain))
        chain.extend(lines[-1])
    return lines, Head(session_id=SESSION, lines=chain.count, tip=chain.tip)


def test_an_unknown_session_has_nothing(store):
    assert store.head(SESSION) is None
    assert store.lease(SESSION) is None
    assert list(store.read(SESSION)) == []
    assert list(store.heads()) == []
    store.delete(SESSION)


def test_lines_are_read_from_any_number_on(store):
    lease = acquire(store, SESSION, this_process(), 0.0)
    chain, head = Chain(), Head(session_id=SESSION)
    written = []
    for texts in (("1", "2", "3"), ("4",), ("5", "6")):
        lines, head = lines_of(*texts, after=chain)
        store.append(lease, chain.count - len(lines) + 1, lines, head)
        written += lines
    for after in range(8):
        assert list(store.read(SESSION, after=after)) == written[after:]
    assert store.head(SESSION) == head
    assert list(store.heads()) == [head]


def test_lines_with_numbers_that_are_taken_are_refused_and_change_nothing(store):
    lease = acquire(store, SESSION, this_process(), 0.0)
    lines, head = lines_of("1", "2")
    store.append(lease, 1, lines, head)
    others, other_head = lines_of("other")
    with pytest.raises(ConflictError, match=f"session {SESSION} was continued by"):
        store.append(lease, 1, others, other_head)
    assert list(store.read(SESSION)) == lines
    assert store.head(SESSION) == head
    with pytest.raises(ConflictError):
        add(store, lease, others, other_head)


def test_an_append_whose_answer_got_lost_is_not_a_conflict_with_itself(store):
    lease = acquire(store, SESSION, this_process(), 0.0)
    chain = Chain()
    first, head = lines_of("1", "2", after=chain)
    store.append(lease, 1, first, head)
    add(store, lease, first, head)
    more, head = lines_of("3", "4", after=chain)
    add(store, lease, first + more, head)
    assert list(store.read(SESSION)) == first + more
    assert store.head(SESSION) == head


def test_a_lease_is_refused_naming_its_owner_until_it_is_given_back(store):
    lease = acquire(store, SESSION, ELSEWHERE, 1000.0)
    with pytest.raises(LockedError, match=r"is being written by process \d+ on far \(since ") as told:
        acquire(store, SESSION, this_process(), 1000.0 + LEASE_S - 1)
    assert "or 1 s if it has crashed" in told.value.hint
    release(store, lease)
    assert acquire(store, SESSION, this_process(), 1000.0).owner.host != "far"


def test_another_machines_lease_that_ended_can_be_taken_and_its_owner_hears_of_it(store):
    lost = acquire(store, SESSION, ELSEWHERE, 1000.0)
    taken = acquire(store, SESSION, this_process(), 1000.0 + LEASE_S + 1)
    with pytest.raises(ConflictError, match="was continued by process"):
        renew(store, lost, 1001.0)
    with pytest.raises(ConflictError):
        release(store, lost)
    assert store.lease(SESSION) == taken


def test_a_renewed_lease_holds_longer(store):
    lease = acquire(store, SESSION, ELSEWHERE, 1000.0)
    renewed = renew(store, lease, 1060.0)
    assert renewed.expires == 1060.0 + LEASE_S
    with pytest.raises(LockedError):
        acquire(store, SESSION, this_process(), 1000.0 + LEASE_S + 1)
    assert renew(store, lease, 1060.0) == renewed  # as after an answer that got lost


def test_a_process_of_this_machine_that_ended_holds_nothing_though_its_number_is_used_again(store):
    acquire(store, SESSION, GONE, 1000.0)
    acquire(store, SESSION, this_process(), 1000.0)


def test_a_process_of_this_machine_that_was_only_suspended_keeps_its_lease(store):
    acquire(store, SESSION, replace(this_process(), token="suspended"), 1000.0)
    with pytest.raises(LockedError):
        acquire(store, SESSION, this_process(), 1000.0 + 10 * LEASE_S)


def test_who_lost_the_lease_cannot_append_behind_the_new_owner(store):
    chain = Chain()
    first, head = lines_of("1", after=chain)
    lost = acquire(store, SESSION, ELSEWHERE, 1000.0)
    store.append(lost, 1, first, head)
    taken = acquire(store, SESSION, this_process(), 1000.0 + LEASE_S + 1)
    mine, head = lines_of("mine", after=Chain(chain.count, chain.tip))
    store.append(taken, 2, mine, head)
    theirs, their_head = lines_of("theirs", after=chain)
    with pytest.raises(ConflictError):
        add(store, lost, theirs, their_head)
    assert list(store.read(SESSION)) == first + mine


def test_long_lines_and_many_of_them_in_one_append(store):
    lease = acquire(store, SESSION, this_process(), 0.0)
    lines, head = lines_of("a" * 500_000, "b", *["c" * 200_000] * 30, "d" * 5_500_000, "e")
    store.append(lease, 1, lines, head)
    assert list(store.read(SESSION)) == lines
    assert store.head(SESSION) == head


def test_a_lease_survives_its_own_writing(store):
    lease = acquire(store, SESSION, this_process(), 12.5)
    assert json.loads(json.dumps(lease.to_json())) == lease.to_json()
    assert store.lease(SESSION) == lease
