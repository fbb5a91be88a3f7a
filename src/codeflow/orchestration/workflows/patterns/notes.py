"""What peers share: versioned notes, what becomes of contradictions, and when enough of them agree."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from codeflow.orchestration.workflows.patterns.aggregation import Shared, canonical, counted, is_tie

Strategy = Literal["last_write", "vote", "merge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A value that peers see under a key; `version` counts its changes from 1."""

    key: str
    version: int
    author: str
    value: Any

    @property
    def known(self) -> dict[str, Any]:
        return {"value": self.value, "version": self.version, "author": self.author}


Merge = Callable[[str, Sequence[Any]], Awaitable[Any]]
"""One value in place of several under a key; None for none."""


def peers_for(faulty: int) -> int:
    """How many peers it takes to bear so many faulty ones."""
    return 3 * faulty + 1


def quorum_for(faulty: int) -> int:
    """How many peers have to agree: any two such groups of 3f+1 share one that is not faulty."""
    return 2 * faulty + 1


def agreed(ballots: Mapping[str, Any], faulty: int) -> Shared | None:
    """The value that a quorum gives, or None. Two different values can never have one."""
    counts = counted(ballots)
    return counts[0] if counts and len(counts[0].members) >= quorum_for(faulty) else None


async def revised(
    notes: Mapping[str, Note],
    writes: Mapping[str, Mapping[str, Any]],
    *,
    strategy: Strategy,
    faulty: int,
    merge: Merge,
) -> dict[str, Note]:
    """The notes after a round in which each peer, in order, wrote its values; `merge` is asked by that strategy only.

    Values under one key contradict each other when peers differ, or when one changes what another wrote.
    """
    after = dict(notes)
    for key in dict.fromkeys(key for values in writes.values() for key in values):
        written = {author: values[key] for author, values in writes.items() if key in values}
        chosen = await _chosen(key, notes.get(key), written, strategy=strategy, faulty=faulty, merge=merge)
        old = after.get(key)
        if chosen is not None and (old is None or canonical(old.value) != canonical(chosen.value)):
            version = old.version + 1 if old else 1
            after[key] = Note(key=key, version=version, author=", ".join(chosen.members), value=chosen.value)
    return after


async def _chosen(
    key: str,
    old: Note | None,
    written: Mapping[str, Any],
    *,
    strategy: Strategy,
    faulty: int,
    merge: Merge,
) -> Shared | None:
    """What the key holds from now on; None: what it held."""
    counts = counted(written)
    others_is_changed = old is not None and not written.keys() <= set(old.author.split(", "))
    standing = {canonical(old.value)} if old is not None and others_is_changed else set()
    if len({canonical(one.value) for one in counts} | standing) == 1:
        return counts[0]
    if strategy == "last_write":
        author = list(written)[-1]
        return Shared(written[author], (author,))
    if strategy == "vote":
        return counts[0] if len(counts[0].members) > faulty and not is_tie(counts) else None
    values = [one.value for one in counts if canonical(one.value) not in standing]
    merged = await merge(key, [*([old.value] if old is not None and standing else []), *values])
    return None if merged is None else Shared(merged, tuple(written))
