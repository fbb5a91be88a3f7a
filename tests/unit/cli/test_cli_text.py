import io
from dataclasses import replace
from decimal import Decimal

import pytest
from inline_snapshot import snapshot
from rich.console import Console

from codeflow.cli.render.figures import money, tokens, total_money
from codeflow.cli.render.progress import Progress, StatusLine
from codeflow.cli.render.text import TextRenderer
from codeflow.core.events import (
    AgentFinished,
    AgentStarted,
    GateFinished,
    GateStarted,
    ModelCalled,
    ModelRetried,
    Notice,
    PatternChosen,
    Planned,
    Routed,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from codeflow.core.session_events import CheckpointTaken
from codeflow.core.values import Complexity, Mode, Pattern, Plan, PlanStep, Status, Usage


def called(cost: Decimal | None) -> ModelCalled:
    return ModelCalled(
        agent="fast_coder",
        step=1,
        attempt=1,
        model="m",
        invoked_model="m",
        usage=Usage(input_tokens=1000, output_tokens=500),
        cost=cost,
        duration_s=1,
        first_token_s=None,
        outcome="ok",
    )


def tool(name: str, summary: str, display: str, *, is_error: bool = False, denied: bool = False):
    return [
        ToolStarted(agent="fast_coder", call_id=summary, tool=name, summary=summary),
        ToolFinished(
            agent="fast_coder",
            call_id=summary,
            tool=name,
            is_error=is_error,
            display=display,
            duration_s=0.1,
            denied=denied,
        ),
    ]


@pytest.fixture
def show():
    def rendered(events, *, quiet=False) -> tuple[str, str]:
        out, err = (
            Console(file=io.StringIO(), width=200, markup=False, emoji=False, highlight=False) for _ in "oe"
        )
        with StatusLine(err, enabled=True) as line:
            renderer = TextRenderer(out, err, line, quiet=quiet)
            for event in events:
                renderer(event)
        return tuple(console.file.getvalue() for console in (out, err))  # type: ignore[attr-defined]  # StringIO

    return rendered


@pytest.fixture
def events(result):
    plan = Plan(
        summary="compare with >=",
        steps=(PlanStep(id="1", specialist="senior_coder", goal="fix it"),),
        acceptance=("pytest -q",),
    )
    return [
        RunStarted(
            session_id=result.session_id,
            task="fix\nit",
            workspace="/w",
            mode=Mode.EDIT,
            roster="current",
            version="0.1.0",
            notes=("not a git repository",),
        ),
        Routed(route=result.route),
        PatternChosen(pattern=Pattern.SINGLE, complexity=Complexity.SIMPLE, reason="one agent does"),
        Planned(plan=plan),
        CheckpointTaken(checkpoint_id="s/1", label="start", files=12),
        AgentStarted(agent="fast_coder", node="coder", visit=2, model="haiku"),
        *tool("read_file", "a.py:1-80", "80 lines"),
        *tool("run_command", "rm -rf x", "not permitted: the user said no", is_error=True, denied=True),
        called(None),
        ModelRetried(agent="fast_coder", model="m", next_model="n", delay_s=1.5, reason="throttled"),
        AgentFinished(agent="fast_coder", node="coder", visit=2, ok=True, summary="I\nhave\nfixed\nit"),
        GateStarted(name="tests", command="pytest -q"),
        *(GateFinished(result=gate) for gate in result.gates),
        Notice(level="warning", text="the ledger cannot be written"),
        RunFinished(result=result),
    ]


def test_an_answer_goes_on_where_something_else_happens_while_it_is_said():
    paper = io.StringIO()
    out, err = (
        Console(file=paper, width=80, force_terminal=True, no_color=True, _environ={"TERM": "xterm"})
        for _ in "oe"
    )
    renderer = TextRenderer(out, err, StatusLine(err, enabled=False))
    renderer(AgentStarted(agent="fast_coder", node="coder", visit=1, model="haiku"))
    renderer(TextDelta(agent="fast_coder", text="one wo"))
    renderer(Notice(level="warning", text="meanwhile"))
    renderer(TextDelta(agent="fast_coder", text="rd\n\nlast wo"))
    renderer(replace(called(None), agent="summarizer"))
    renderer(TextDelta(agent="fast_coder", text="rd"))
    assert "last word" not in paper.getvalue()
    renderer(called(None))
    shown = paper.getvalue()
    assert shown.index("meanwhile") < shown.index("one word") < shown.index("last word")


def test_a_run_is_told_in_plain_lines_where_there_is_no_terminal(show, events):
    _, err = show(events)
    assert "\n".join(line.rstrip() for line in err.splitlines()) == snapshot("""\
codeflow 0.1.0, mode edit, roster current
task     fix it
note     not a git repository
route    SIMPLE bugfix (router): one file
pattern  single: one agent does
plan     compare with >=
         1. senior_coder: fix it
         accepted when `pytest -q` succeeds
saved    12 files (start)
fast_coder (haiku, visit 2)
• read_file a.py:1-80: 80 lines
✗ run_command rm -rf x: not permitted: the user said no
retry    fast_coder: throttled; n in 1.5 s
✓ gate tests green: pytest -q (1.2 s)
✗ gate lint red: ruff check (1.2 s)
    ok
warning  the ledger cannot be written
fast_coder: I
have
fixed
…

--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-a
+b

gate   verdict  seconds  command
tests  green        1.2  pytest -q
lint   red          1.2  ruff check

agent       calls    in  cached  out       cost
fast_coder      2  1.2k    5.0k  340  ≥ $0.0123

done in 12.3 s, ≥ $0.0123 (1 call could not be priced)
session 20261121-084512-k3f9; `codeflow undo 20261121-084512-k3f9` takes it back\
""")


def test_stdout_gets_the_answer_and_the_changed_files_only(show, events):
    out, _ = show(events)
    assert out == snapshot("""\
The comparison was off by one.

modified  a.py  +1 -1
""")


def test_quiet_leaves_stderr_to_errors(show, events, result):
    assert show(events, quiet=True)[1] == ""
    failed = replace(result, status=Status.FAILED, error="tests are red", hint="look at them")
    assert show([RunFinished(result=failed)], quiet=True)[1] == "codeflow: tests are red\n  look at them\n"


def test_models_cannot_write_control_sequences_or_markup(show, result):
    hostile = replace(result, answer="\x1b[2J[bold]x[/bold] :smile:", diff="+\x1b[31m[red]\n")
    out, err = show([*tool("read\x07", "[link=x]\x1b]0;t\x07", "\x1b[1m"), RunFinished(result=hostile)])
    assert out.startswith("[bold]x[/bold] :smile:\n")
    assert "• read [link=x]" in err
    assert "\x1b" not in out + err


def test_a_long_diff_is_capped_and_says_where_the_rest_is(show, result):
    long = replace(result, diff="\n".join(f"+{n}" for n in range(250)))
    err = show([RunFinished(result=long)])[1]
    assert "+199\n" in err
    assert "+200\n" not in err
    assert "50 more lines; `git diff` shows them all" in err


def test_progress_counts_every_call_and_marks_a_lower_bound():
    progress = Progress()
    assert progress.line() == "0 tokens · $0.0000 · working"
    progress.note(AgentStarted(agent="fast_coder", node="coder", visit=1, model="haiku"))
    progress.note(called(Decimal("0.5")))
    assert progress.line() == "1.5k tokens · $0.5000 · fast_coder: thinking"
    progress.note(called(None))
    progress.note(ToolStarted(agent="fast_coder", call_id="1", tool="read_file", summary="a.py"))
    assert progress.line() == "3.0k tokens · ≥ $0.5000 · fast_coder: read_file a.py"


def test_the_status_line_leaves_nothing_behind_and_makes_room_for_a_question():
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    with StatusLine(terminal, enabled=True) as line:
        line.show("reading [bold]a.py[/bold]")
        with line.paused():
            terminal.file.write("QUESTION")
        line.show("again")
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]  # StringIO
    assert "reading [bold]a.py[/bold]" in shown
    before, after = shown.split("QUESTION")
    assert before.rindex("\x1b[?25h") > before.rindex("reading")
    assert "again" in after
    assert after.rstrip().endswith("\x1b[2K")


def test_money_and_tokens_are_readable():
    assert money(Decimal(0), Decimal(0)) == "$0.0000"
    assert money(Decimal("0.00001"), Decimal(0)) == "< $0.0001"
    assert money(Decimal("12.345"), Decimal(0)) == "$12.34"
    assert money(None, Decimal("0.1")) == "≥ $0.1000"
    assert total_money(Decimal("0.1"), 2) == "≥ $0.1000 (2 calls could not be priced)"
    assert [tokens(n) for n in (999, 1000, 1_500_000)] == ["999", "1.0k", "1.5M"]
