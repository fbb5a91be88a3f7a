"""How a run ended, as a part of a session's page: the answer, the evidence, the change and the bill."""

import json
from collections.abc import Iterable

from codeflow.cli.render.clean import clean, one_line
from codeflow.cli.render.figures import money, tokens, total_money
from codeflow.cli.render.html import Html, element, table
from codeflow.cli.render.prose import code, difference, prose
from codeflow.cli.render.session_turns import folded
from codeflow.core.results import Attempt, RunResult, Share
from codeflow.core.values import GateResult, GateStatus, Status

_KINDS = {Status.DONE: "good", Status.PAUSED: "warn", Status.INTERRUPTED: "warn"}
_GATES = {
    GateStatus.GREEN: ("✓", "good"),
    GateStatus.RED: ("✗", "bad"),
    GateStatus.ALREADY_RED: ("!", "warn"),
    GateStatus.SKIPPED: ("-", "soft"),
}


def gate_part(gate: GateResult) -> Html:
    """A gate's verdict, with its output to be opened."""
    mark, kind = _GATES[gate.status]
    words = f"{mark} gate {one_line(gate.name)} {gate.status.replace('_', ' ')}"
    ran = "" if gate.tests_ran is None else f" · {gate.tests_ran} tests"
    head = [
        element("span", words, class_=kind),
        " ",
        element("code", one_line(gate.command)),
        element("span", f" {gate.duration_s:.1f} s{ran}", class_="soft"),
    ]
    return folded(head, code(gate.output or "no output"), class_="gate")


def end_part(result: RunResult) -> Html:
    """Everything that the result says."""
    status = result.status.replace("_", " ").capitalize()
    cost = total_money(result.known_cost, result.unpriced_calls)
    took = f" in {result.duration_s:.0f} s, {result.model_calls} model calls, {cost}"
    parts = [element("h3", element("span", status, class_=_KINDS.get(result.status, "bad")), took)]
    if result.answer:
        parts.append(prose(result.answer))
    told = (result.error, result.hint, *(f"refused: {one}" for one in result.denied))
    parts += [element("p", one_line(text), class_="bad") for text in told if text]
    if result.question:
        asked = one_line(f"{result.question.tool} {result.question.summary}: {result.question.reason}")
        parts.append(element("p", f"Waits for an answer: {asked}", class_="warn"))
    parts += map(gate_part, result.gates)
    parts += _change(result)
    parts += _bills(result)
    return element("section", parts, class_="end")


def _change(result: RunResult) -> Iterable[Html]:
    if result.files_changed:
        lines = (
            (one.change, one_line(one.path), f"+{one.added_lines}", f"-{one.removed_lines}")
            for one in result.files_changed
        )
        yield table(["change", "file", ">added", ">removed"], lines)
    if result.diff:
        yield folded("The change", element("pre", difference(clean(result.diff).rstrip())), is_open=True)
    if result.worktree:
        yield element("p", f"Worked in {one_line(str(result.worktree.path))}.", class_="soft")
    if result.outputs:
        yield folded("Outputs", code(json.dumps(result.outputs, indent=1, ensure_ascii=False, default=str)))


def _bills(result: RunResult) -> Iterable[Html]:
    for name, shares in (("agent", result.by_agent), ("model", result.by_model)):
        if shares:
            yield table([name, ">calls", ">read", ">cached", ">written", ">cost"], map(_share, shares))
    if result.attempts:
        titles = [">attempt", "begun by", "ended", "gates", ">files", ">cost", "chosen", "session"]
        yield table(titles, map(_attempt, result.attempts))


def _share(share: Share) -> tuple[str, ...]:
    usage = share.usage
    return (
        one_line(share.name),
        str(share.calls),
        tokens(usage.prompt_tokens),
        tokens(usage.cache_read_tokens),
        tokens(usage.output_tokens),
        money(share.cost, share.known_cost),
    )


def _attempt(attempt: Attempt) -> tuple[str, ...]:
    return (
        str(attempt.number),
        one_line(attempt.by),
        attempt.status.replace("_", " "),
        ", ".join(f"{gate.name} {gate.status.replace('_', ' ')}" for gate in attempt.gates),
        str(attempt.files_changed),
        money(attempt.cost, attempt.known_cost),
        one_line(attempt.chosen),
        attempt.session_id,
    )
