"""The members of a pattern: each sits in a seat of its own below the node, and fails alone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from codeflow.core.errors import CodeflowError
from codeflow.orchestration.replies import last_object
from codeflow.orchestration.workflows.spot import Outcome, Spot, is_the_nodes_own
from codeflow.orchestration.workflows.tables import Form, Template
from codeflow.tools.untrusted import as_data

MAX_ANSWER_CHARS = 16_000
"""Of one member's answer, as others are shown it."""
MAX_ATTEMPTS = 2
"""An answer that cannot be used is sent back once."""

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


class MemberForm(Form):
    """An agent in a pattern; written as its name alone where nothing else is to be said."""

    agent: str
    task: Template | None = None
    """What it is asked instead of the pattern's task."""


def _as_table(given: object) -> object:
    return {"agent": given} if isinstance(given, str) else given


MemberTable = Annotated[MemberForm, BeforeValidator(_as_table, json_schema_input_type=str | MemberForm)]


class UnusableError(ValueError):
    """An answer that does not have the form it was asked for; `reasons` say why, for its author."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Whom a pattern asks: `name` is the seat's, below the node's path."""

    name: str
    agent: str
    reads_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a member said, or why nothing came of it."""

    member: str
    ok: bool
    text: str
    fault: CodeflowError | None = None

    @property
    def known(self) -> dict[str, Any]:
        """As expressions see it in the node's result."""
        return {"ok": self.ok, "text": self.text}

    @property
    def shown(self) -> str:
        """For another agent: data, since a colleague's words are no orders."""
        if not self.ok:
            return f"({self.member} gave no answer)"
        return quoted(self.text, f"answer of {self.member}")


def quoted(text: str, source: str) -> str:
    """What somebody else wrote, as an agent is shown it."""
    left_out = len(text) - MAX_ANSWER_CHARS
    cut = f"\n[{left_out} more characters left out]" if left_out > 0 else ""
    return as_data(f"{text[:MAX_ANSWER_CHARS]}{cut}", source)


async def hear(spot: Spot, member: Member, prompt: str, *, before: str = "") -> Reply:
    """One visit; a fault that concerns the member alone is its reply. `before` is as `Spot.ask` takes it.

    Raises:
        CodeflowError: what ends the run.
    """
    try:
        visit = await spot.ask(
            member.agent,
            prompt,
            seat=f"{spot.path}.{member.name}",
            reads_only=member.reads_only,
            before=before,
        )
    except CodeflowError as error:
        if not is_the_nodes_own(error):
            raise
        return Reply(member=member.name, ok=False, text=_unfinished(member, str(error)), fault=error)
    if visit.skipped:
        return Reply(member=member.name, ok=False, text=_unfinished(member, "you chose to skip it"))
    text = visit.text if visit.ok else _unfinished(member, visit.text)
    return Reply(member=member.name, ok=visit.ok, text=text)


def _unfinished(member: Member, problem: str) -> str:
    return f"{member.agent} did not finish: {problem}"


async def hear_as(
    spot: Spot, member: Member, prompt: str, read: Callable[[str], T], *, before: str = ""
) -> tuple[Reply, T | None]:
    """A visit whose answer has a form; one that `read` raises UnusableError for is sent back once.

    Returns:
        The last reply and what was read from it; None when the reply is not ok.
    """
    reasons: tuple[str, ...] = ()
    for _ in range(MAX_ATTEMPTS):
        reply = await hear(spot, member, prompt, before=before)
        if not reply.ok:
            return reply, None
        try:
            return reply, read(reply.text)
        except UnusableError as error:
            reasons = error.reasons
            before, prompt = "\n\n".join(filter(None, (before, prompt))), _sent_back(reasons)
    problem = f"{member.agent}'s answer cannot be used: {'; '.join(reasons)}"
    return Reply(member=member.name, ok=False, text=problem), None


def _sent_back(reasons: Iterable[str]) -> str:
    listed = "\n".join(f"- {reason}" for reason in reasons)
    return f"That cannot be used:\n{listed}\n\nGive the whole answer again, corrected, with its JSON object at the end."


async def side_by_side(*work: Awaitable[T]) -> list[T]:
    """The results in order, once all have ended.

    Raises:
        CodeflowError: the first that any of them raised.
    """
    ended = await asyncio.gather(*work, return_exceptions=True)
    results: list[T] = []
    for one in ended:
        if isinstance(one, BaseException):
            raise one
        results.append(one)
    return results


def object_in(text: str) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        UnusableError: there is none.
    """
    found = last_object(text)
    if found is None:
        raise UnusableError("the answer holds no JSON object")
    return found


def form_in(text: str, model: type[Model]) -> Model:
    """The JSON object of an answer, as a form.

    Raises:
        UnusableError: it does not have that form.
    """
    try:
        return model.model_validate(object_in(text))
    except ValidationError as error:
        reasons = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise UnusableError(*reasons) from error


def came_to(spot: Spot, text: str, result: Any) -> Outcome:
    """The outcome of a pattern that went well; its text is the run's answer until a later node has one."""
    spot.job.answer = text
    return Outcome(ok=True, status="done", text=text, result=result)


def came_to_nothing(problem: str, replies: Iterable[Reply], result: Any = None) -> Outcome:
    """The outcome of a pattern that failed, with what its members said and the first fault of one."""
    told = [*replies]
    silent = [f"{reply.member}: {reply.text}" for reply in told if not reply.ok]
    fault = next((reply.fault for reply in told if reply.fault is not None), None)
    return Outcome(ok=False, status="failed", text="\n".join([problem, *silent]), result=result, fault=fault)


def roles(spot: Spot, agents: Mapping[str, str]) -> str:
    """Names with what their agents are for, one a line."""
    specialists = spot.job.crew.specialists
    return "\n".join(f"- {name}: {specialists[agent].description}" for name, agent in agents.items())
