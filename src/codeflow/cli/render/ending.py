"""The end of a run for people: the answer, the changes, the gates and the bill."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from codeflow.cli.render.clean import clean, one_line
from codeflow.cli.render.console import table
from codeflow.cli.render.figures import money, tokens, total_money
from codeflow.core.results import Attempt, RunResult, Share
from codeflow.core.values import FileChange, GateResult, GateStatus, Status

_DIFF_LINES = 200
_ENDINGS = {Status.DONE: "bold green", Status.PAUSED: "bold yellow"}
_CUT_SHORT = {Status.INTERRUPTED, Status.STOPPED, Status.UNAVAILABLE, Status.NO_ACCESS, Status.PAUSED}
_DIFF_STYLES = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red", "diff": "bold"}


def show_answer(out: Console, err: Console, result: RunResult, *, was_said: bool, quiet: bool) -> None:
    """What the run is for, on stdout; why it did not succeed, on stderr. `was_said`: the answer stands there already."""
    if result.answer and not was_said:
        _show_text(out, result.answer)
    if result.files_changed:
        out.print(Text(f"\n{_changes(result.files_changed)}"))
    if result.diff and not quiet:
        _show_diff(err, result.diff)
    if result.error:
        err.print(Text(f"codeflow: {one_line(result.error)}", style="red"))
    if result.hint:
        err.print(Text(f"  {one_line(result.hint)}"))


def _show_text(out: Console, text: str) -> None:
    """As it was written, for whoever reads on; rendered where it is looked at."""
    if not out.is_terminal:
        out.print(Text(clean(text).strip()), soft_wrap=True)
        return
    from codeflow.cli.render.markdown import show_markdown

    show_markdown(out, text)


def show_evidence(err: Console, result: RunResult) -> None:
    """What was executed, what was refused, what it cost, and the way back."""
    if result.gates:
        err.print()
        err.print(table(["gate", "verdict", ">seconds", "command"], map(_gate_row, result.gates)))
    for action in result.denied:
        err.print(Text(f"refused: {one_line(action)}", style="red"))
    if result.by_agent:
        err.print()
        titles = ["agent", ">calls", ">in", ">cached", ">out", ">cost"]
        err.print(table(titles, map(_share_row, result.by_agent)))
    if result.attempts:
        err.print()
        titles = [">attempt", "begun by", "ended", "gates", ">files", ">cost", "chosen"]
        err.print(table(titles, map(_attempt_row, result.attempts)))
    err.print()
    cost = total_money(result.known_cost, result.unpriced_calls)
    style = _ENDINGS.get(result.status, "bold red")
    words = result.status.replace("_", " ")
    still_red = [gate.name for gate in result.gates if gate.status is GateStatus.ALREADY_RED]
    caveat = f" ({', '.join(still_red)}: red before the run, and still)" if still_red else ""
    err.print(Text(f"{words} in {result.duration_s:.1f} s, {cost}{caveat}", style=style))
    if result.attempts:
        return  # each has a session of its own, and what can be done with it is told beside its worktree
    undo = f"; `codeflow undo {result.session_id}` takes it back" if result.files_changed else ""
    resume = f"; `codeflow resume {result.session_id}` goes on" if result.status in _CUT_SHORT else ""
    err.print(Text(f"session {one_line(result.session_id)}{resume}{undo}"))


def _show_diff(err: Console, diff: str) -> None:
    lines = clean(diff).splitlines()
    err.print()
    for line in lines[:_DIFF_LINES]:
        style = next((style for prefix, style in _DIFF_STYLES.items() if line.startswith(prefix)), "")
        err.print(Text(line, style=style))
    if len(lines) > _DIFF_LINES:
        err.print(Text(f"… {len(lines) - _DIFF_LINES} more lines; `git diff` shows them all.", style="dim"))


def _changes(changes: Iterable[FileChange]) -> str:
    return "\n".join(
        f"{change.change:<9} {one_line(change.path)}  +{change.added_lines} -{change.removed_lines}"
        for change in changes
    )


def _gate_row(gate: GateResult) -> tuple[str, ...]:
    return gate.name, gate.status.replace("_", " "), f"{gate.duration_s:.1f}", gate.command


def _attempt_row(attempt: Attempt) -> tuple[str, ...]:
    return (
        str(attempt.number),
        attempt.by,
        attempt.status.replace("_", " "),
        ", ".join(f"{gate.name} {gate.status.replace('_', ' ')}" for gate in attempt.gates),
        str(attempt.files_changed),
        money(attempt.cost, attempt.known_cost),
        attempt.chosen,
    )


def _share_row(share: Share) -> tuple[str, ...]:
    usage = share.usage
    fresh = usage.prompt_tokens - usage.cache_read_tokens
    return (
        share.name,
        str(share.calls),
        tokens(fresh),
        tokens(usage.cache_read_tokens),
        tokens(usage.output_tokens),
        money(share.cost, share.known_cost),
    )
