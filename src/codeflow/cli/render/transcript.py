"""A session as a Markdown document, for people who were not there."""

import json
import os
from collections.abc import Iterable, Iterator

from codeflow.cli.render.clean import clean, one_line
from codeflow.cli.render.figures import total_money
from codeflow.cli.render.markup import fenced
from codeflow.cli.render.summary import summary
from codeflow.core.cascade import Escalated
from codeflow.core.events import (
    AgentStarted,
    Event,
    GateFinished,
    MessageAdded,
    ModelCalled,
    Notice,
    PatternChosen,
    Planned,
    Routed,
    RunFinished,
    RunStarted,
    ToolFinished,
)
from codeflow.core.messages import MessageSent, UserSpoke
from codeflow.core.redacted_events import redacted
from codeflow.core.redaction import Redactor


def markdown(session_id: str, events: Iterable[Event]) -> Iterator[str]:
    """The paragraphs of the document, each with its blank line."""
    yield f"# Session {session_id}\n\n"
    redact = Redactor(os.environ).redact  # logs of before 2026-11-21 hold what tools printed as it was
    everything = [redacted(event, redact) for event in events]
    yield _fenced("\n".join(summary(everything)), "text") + "\n\n"
    for event in everything:
        yield from (f"{paragraph}\n\n" for paragraph in _paragraphs(event))


def _paragraphs(event: Event) -> Iterator[str]:
    match event:
        case RunStarted():
            yield f"## {one_line(event.task)}"
            yield f"In `{one_line(event.workspace)}`, mode {event.mode}, roster {event.roster}, codeflow {event.version}."
        case Routed(route=route):
            yield f"Routed as {route.complexity} {route.kind}: {one_line(route.reason)}"
        case PatternChosen():
            yield f"Pattern {event.pattern}: {one_line(event.reason)}"
        case Escalated():
            reason = one_line(event.reason)
            yield f"From {one_line(event.from_agent)} to {one_line(event.to_agent)}: {reason}"
        case MessageSent():
            to = f"{one_line(event.sender)} to {one_line(event.to)} ({event.purpose})"
            yield f"> message {event.message_id}, {to}: {one_line(event.content)}"
        case UserSpoke():
            yield f"> the user said, while the run went on: {one_line(event.content)}"
        case Planned(plan=plan):
            steps = [f"{step.id}. {step.specialist}: {one_line(step.goal)}" for step in plan.steps]
            yield "\n".join([f"Plan: {one_line(plan.summary)}", "", *steps])
        case AgentStarted():
            yield f"### {one_line(event.agent)} ({one_line(event.model)})"
        case Notice():
            yield f"> {event.level}: {one_line(event.text)}"
        case _:
            yield from _work(event)


def _work(event: Event) -> Iterator[str]:
    match event:
        case MessageAdded():
            yield from _message(event)
        case ModelCalled():
            yield from _reply(event)
        case ToolFinished():
            mark = "✗" if event.is_error else "•"
            yield f"{mark} `{event.tool}`: {one_line(event.display)}"
        case GateFinished(result=gate):
            yield f"Gate {gate.name} {gate.status.replace('_', ' ')}: `{one_line(gate.command)}`"
        case RunFinished():
            yield from _ending(event)
        case _:
            pass


def _message(event: MessageAdded) -> Iterator[str]:
    """What was said to an agent; its own words come with its model calls."""
    if event.message.get("role") != "user":
        return
    for block in event.message.get("content", ()):
        if "text" in block:
            yield f"To {one_line(event.agent)}:\n\n{_fenced(block['text'], 'text')}"


def _reply(event: ModelCalled) -> Iterator[str]:
    if event.detail:
        yield f"> model call failed: {one_line(event.detail)}"
    for block in event.reply:
        if "text" in block:
            yield clean(block["text"]).strip()
        if "toolUse" in block:
            use = block["toolUse"]
            arguments = json.dumps(use.get("input"), indent=2, ensure_ascii=False)
            yield f"`{use.get('name')}`\n\n{_fenced(arguments, 'json')}"


def _ending(event: RunFinished) -> Iterator[str]:
    result = event.result
    yield f"### {result.status.replace('_', ' ').capitalize()}"
    if result.answer:
        yield clean(result.answer).strip()
    if result.error:
        yield f"> {one_line(result.error)}"
    if result.diff:
        yield _fenced(result.diff, "diff")
    cost = total_money(result.known_cost, result.unpriced_calls)
    yield f"{result.model_calls} model calls, {cost}, {result.duration_s:.0f} s."


def _fenced(text: str, language: str) -> str:
    """A code block that nothing in the text ends."""
    return fenced(f"{clean(text).rstrip()}\n", language)
