"""A session that goes on: whether its files are still as its conversation says, and who has to know if not."""

from dataclasses import dataclass

from codeflow.app.books import Books
from codeflow.core.text import listed
from codeflow.sessions.carrying import settle_in
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.returning import not_as_said

_MOST_NAMES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """`notes` are for the user; `not_as_said` are files that models must not take the conversation's word for."""

    notes: tuple[str, ...] = ()
    not_as_said: tuple[str, ...] = ()


def return_to(checkpoints: Checkpoints, books: Books, *, cut_at: float | None) -> Returned:
    """Looks at the files before anything is done; those of a run that goes on here, from elsewhere, are put in place.

    `cut_at`, in seconds since 1970, is when the process before this one was alive last.

    Raises:
        SessionError: when a run is to go on from other files than it left.
    """
    if books.resumes:
        notes = settle_in(checkpoints, books.past, books.broadcast, cut_at=cut_at, as_is=books.as_is)
        started = books.past.run.started
        return Returned(notes=notes, not_as_said=started.not_as_said if started else ())
    if not books.goes_on:
        return Returned()
    other = not_as_said(checkpoints, books.past, cut_at=cut_at)
    told = []
    if other:
        names = listed(other, _MOST_NAMES)
        told.append(f"not as this session had left them, and the model is told so: {names}")
    if dropped := books.dropped:
        call = f"{dropped.tool} {dropped.summary}".strip()
        told.append(
            f"the run before waited for your answer; its question is dropped, and this is not done: {call}"
        )
    return Returned(notes=tuple(told), not_as_said=other)
