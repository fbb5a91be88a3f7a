"""Brings this machine's copy of a session and a shared store's to the same lines."""

from codeflow.core.errors import SessionError
from codeflow.sessions.records import Chain, DamagedLineError, read_file, whole_lines
from codeflow.sessions.stores.port import Lease, LogStore
from codeflow.sessions.stores.replicator import add
from codeflow.sessions.writer import SessionLog


def catch_up(log: SessionLog, store: LogStore, lease: Lease) -> bool:
    """Sends the store what it lacks, or takes what it has more; False when each has lines of its own.

    Raises:
        SessionError: when the store cannot be used, or its copy is damaged.
    """
    head = store.head(log.session_id)
    there = head.lines if head else 0
    chain = log.tally.chain
    if there > chain.count:
        return _pull(log, store)
    if head and _tip(log, there) != head.tip:
        return False
    if there < chain.count:
        lines = list(read_file(log.path))[there:]
        add(store, lease, lines, log.tally.head(log.session_id))
    return True


def replace_by_shared(log: SessionLog, store: LogStore) -> None:
    """Empties this machine's copy and takes the store's."""
    log.restart()
    _pull(log, store)


def _pull(log: SessionLog, store: LogStore) -> bool:
    had = log.tally.chain.count
    for line in store.read(log.session_id, after=had):
        try:
            log.take(line)
        except DamagedLineError as error:
            number = log.tally.chain.count + 1
            if number == had + 1 and had:
                return False
            raise SessionError(
                f"session {log.session_id} in {store.name}: line {number} is damaged ({error})",
                hint="`codeflow sessions export ID --salvage -o FILE` keeps every line that can be read.",
            ) from error
    return True


def _tip(log: SessionLog, count: int) -> str:
    """The checksum of this machine's copy as of its line number `count`."""
    chain = Chain()
    for _ in whole_lines(read_file(log.path), str(log.path), chain):
        if chain.count == count:
            break
    return chain.tip
