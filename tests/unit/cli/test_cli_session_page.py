"""A session as a page: what is in it, and that nothing in a session becomes a part of the page."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.cli.pages import check, parsed, words

from codeflow.cli.render.clean import clean
from codeflow.cli.render.html import element, page
from codeflow.cli.render.prose import code, prose
from codeflow.cli.render.session_page import session_page
from codeflow.core.cascade import Escalated
from codeflow.core.events import (
    AgentFinished,
    AgentStarted,
    ApprovalDecided,
    BaselineMeasured,
    BreakerChanged,
    Briefed,
    CallJudged,
    ConversationCompacted,
    Event,
    GateFinished,
    MessageAdded,
    ModelCalled,
    ModelRetried,
    Notice,
    PatternChosen,
    Planned,
    Routed,
    RunFinished,
    RunResumed,
    RunStarted,
    ToolFinished,
    ToolStarted,
)
from codeflow.core.messages import MessageSent
from codeflow.core.node_events import NodeFinished, NodeStarted
from codeflow.core.permissions import Layer, Reach
from codeflow.core.redacted_events import redacted
from codeflow.core.session_events import CheckpointTaken, SessionForked, SessionMoved, SessionNamed
from codeflow.core.values import (
    Complexity,
    GateStatus,
    Mode,
    Pattern,
    Plan,
    PlanStep,
    Question,
    Status,
    Usage,
)
from codeflow.sessions.log import SessionStore

AT = "2026-11-22T08:30:05.123+00:00"
SECRET = "ghp_" + "0123456789abcdefABCDEF0123456789abcd"
WICKED = (
    '</pre></code></title></style></details>--><script>alert(1)</script><img src=x onerror="alert(1)">'
    "<svg/onload=alert(1)><a href=javascript:alert(1)>x</a>' onmouseover='alert(1)\" style=\"background:url(//evil)"
    "\x1b]8;;http://evil\x07\x00\u202e&lt;b&gt;"
)
LINKS = (
    "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) [d](vbscript:x) [e](file:///etc/passwd)"
    " ![p](http://evil/pixel.png) <javascript:alert(1)> [f]: javascript:x\n\n[web](https://example.org/a?b=1&c=2)"
)


def called(agent: str, *reply: dict[str, object], **more: Any) -> ModelCalled:
    made = ModelCalled(
        agent=agent, step=1, attempt=1, model="haiku", invoked_model="haiku",
        usage=Usage(input_tokens=200, output_tokens=20, cache_read_tokens=800), cost=Decimal("0.25"), duration_s=1.5,
        first_token_s=None, outcome="ok", reply=reply,
    )  # fmt: skip
    return replace(made, **more)


def use(tool: str, call_id: str, **arguments: object) -> dict[str, object]:
    return {"toolUse": {"toolUseId": call_id, "name": tool, "input": arguments}}


def ended(agent: str, tool: str, call_id: str, text: str, **more: Any) -> ToolFinished:
    made = ToolFinished(
        agent=agent, call_id=call_id, tool=tool, is_error=False, display="fine", duration_s=0.2, content=({"text": text},)
    )  # fmt: skip
    return replace(made, **more)


@pytest.fixture
def events(result) -> list[Event]:
    """A run in which everything happens once."""
    plan = Plan(summary="compare", steps=(PlanStep(id="1", specialist="coder", goal="fix it", files=("a.py",)),),
                acceptance=("pytest -q",), risks=("none",))  # fmt: skip
    answers: Any = {"tool": "run_command", "summary": "rm -rf build"}
    judged = CallJudged(
        **answers, agent="coder", call_id="c2", outcome="denied", answered_by="person", reason="keep it", rule="run_command(rm *)",
        layer=Layer.USER,
    )  # fmt: skip
    gate = result.gates[0]
    return [
        RunStarted(session_id="s", task="fix it\nplease", workspace="/w", mode=Mode.EDIT, roster="current", version="1",
                   notes=("not a git repository",)),
        called("router", {"text": '{"complexity": "SIMPLE"}'}),
        Routed(route=result.route),
        Briefed(instructions="Be kind.", facts="Linux"),
        PatternChosen(pattern=Pattern.SINGLE, complexity=Complexity.SIMPLE, reason="one agent does"),
        Planned(plan=plan),
        BaselineMeasured(results=(replace(gate, status=GateStatus.RED, output="1 failed"),)),
        *[CheckpointTaken(checkpoint_id="s/0001", label="start", files=12)] * 2,
        NodeStarted(node="build", work="agent coder", visit=1),
        AgentStarted(agent="coder", node="coder", visit=2, model="haiku"),
        MessageAdded(agent="coder", message={"role": "user", "content": [{"text": "the task"}, {"image": {"format": "png"}}]}),
        called(
            "coder", {"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "I **mend** `a.py`."},
            use("edit_file", "c1", path="a.py", old_text="a\nb", count=2), use("run_command", "c2", command="rm -rf build"),
            use("read_file", "c3", path="b.py"),
        ),
        ToolStarted(agent="coder", call_id="c1", tool="edit_file", summary="a.py"),
        ended("coder", "edit_file", "c1", "edited.\n     1\tx\n-    2\told\n+    2\tnew"),
        judged,
        ApprovalDecided(**answers, agreed=False, reason="keep it"),
        ended("coder", "run_command", "c2", "no", is_error=True, denied=True, display="the user said no"),
        ended("elsewhere", "glob", "c9", "of an older log"),
        ApprovalDecided(**answers, agreed=True, reason="", reach=Reach.SESSION, rule="run_command(rm -rf build)"),
        called("coder", outcome="throttled", detail="too fast", usage=None, cost=None),
        ModelRetried(agent="coder", model="m", next_model="n", delay_s=1.5, reason="throttled"),
        BreakerChanged(model="m", region="r", state="open", reason="throttled", cool_down_s=1.0),
        ConversationCompacted(agent="coder", messages=(), before_tokens=9000, after_tokens=1000, method="digest"),
        MessageSent(message_id="m1", sender="coder", to="reviewer", purpose="finding", content="look"),
        Escalated(from_agent="coder", to_agent="debugger", reason="red gates"),
        AgentFinished(agent="coder", node="coder", visit=2, ok=False, summary="gave up"),
        NodeFinished(node="build", visit=1, ok=False, status="failed", summary="no"),
        GateFinished(result=gate),
        Notice(level="warning", text="the ledger cannot be written"),
        RunFinished(result=replace(result, answer="It **works**.", denied=("run_command rm",), error="odd", plan=plan)),
        SessionNamed(name="login bug"),
        SessionForked(parent="p", checkpoint_id=None),
        SessionMoved(written=("a.py",)),
        RunStarted(session_id="s", task="another", workspace="/w", mode=Mode.EDIT, roster="current", version="1"),
        RunResumed(started=RunStarted(session_id="s", task="another", workspace="/w", mode=Mode.EDIT, roster="c",
                                      version="1"), calls=2, known_cost=Decimal("0.5")),
        CallJudged(agent="coder", call_id="x", tool="git_push", summary="origin", outcome="asked", answered_by="nobody",
                   reason="leaves the machine", rule="", layer=Layer.MODE),
        RunFinished(result=replace(result, status=Status.PAUSED, diff="", question=Question(
            tool="git_push", summary="origin", reason="leaves the machine", preview="git push"))),
    ]  # fmt: skip


def shown(events: list[Event]):
    return check(session_page("20261122-083005-ce2c", [(AT, event) for event in events]).text)


def test_everything_that_happened_is_told(events):
    tree = shown(events)
    told = words(tree.xpath("//body")[0])
    for said in (
        "login bug Session 20261122-083005-ce2c", "3 model calls, ≥ $0.5000 (1 call could not be priced)", "fix it please",
        "route SIMPLE bugfix", "pattern single: one agent does", "Plan: compare", "coder: fix it (a.py)",
        "Accepted when pytest -q succeeds", "before the first change", "✗ gate tests red", "saved s/0001, 12 files",
        "coder (haiku, visit 2)", "coder haiku · 08:30:05 · 1.5 s · 1.0k read (80% cached), 20 written · $0.2500",
        "✓ edit_file a.py fine · 0.2 s", "✗ run_command", "refused: the user said no",
        "denied by you (user rule run_command(rm *)): keep it", "… read_file no end in the log", "✓ glob fine",
        "you refused: keep it", "you allowed it; from now on (session): run_command(rm -rf build)", "throttled: too fast",
        "retry coder", "circuit m in r: open", "9.0k → 1.0k tokens", "coder → reviewer (finding): look", "coder → debugger",
        "failed: gave up", "the ledger cannot be written", "Done in 12 s", "odd", "refused: run_command rm", "forked from p",
        "moved to files", "Resumed 2026-11-22 08:30:05 UTC; done before: 2 model calls, $0.5000", "asked git_push origin",
        "Paused in", "Waits for an answer: git_push origin: leaves the machine", "[image: png]",
    ):  # fmt: skip
        assert said.replace(" ", "") in told.replace(" ", ""), said
    assert told.count("saved") == 1
    assert "did not end" not in told


def test_markdown_is_rendered_and_differences_are_coloured(events):
    tree = shown(events)
    assert [words(one) for one in tree.xpath("//article//strong")] == ["mend"]
    assert [words(one) for one in tree.xpath("//section//div[@class='prose']//strong")] == ["works"]
    assert [one.text for one in tree.xpath("//article//*[@class='cut']")] == ["-    2\told"]
    assert [one.text for one in tree.xpath("//article//*[@class='add']")] == ["+    2\tnew"]
    assert [one.text for one in tree.xpath("//section//details[@open]//*[@class='add']")] == ["+b"]


def test_tools_are_folded_and_several_tasks_can_be_reached(events):
    tree = shown(events)
    tools = tree.xpath("//details[@class='tool']")
    assert len(tools) == 4
    assert not [one for one in tools if one.get("open") is not None]
    assert [one.get("href") for one in tree.xpath("//ol/li/a")] == ["#task-1", "#task-2"]
    assert len(tree.xpath("//h2[@id]")) == 2


def test_a_run_without_an_end_says_so(events):
    assert "The run did not end." in words(shown(events[:12]))


def test_nothing_that_a_session_says_becomes_a_part_of_the_page(events):
    """Every text of every event is hostile; the page has the same elements as that of a harmless session."""
    wicked = [redacted(event, lambda text: f"{text}{WICKED}" if " " in text else text) for event in events]
    tree = shown(wicked)
    harmless = [redacted(event, lambda text: f"{text}harmless" if " " in text else text) for event in events]
    assert [one.tag for one in tree.iter()] == [one.tag for one in shown(harmless).iter()]
    assert "<script>alert(1)</script>" in words(tree)
    text = "".join(tree.itertext())
    assert not [character for character in "\x00\x1b\x07\u202e" if character in text]


def test_ids_and_keys_may_be_hostile_too(result):
    events: list[Event] = [
        AgentStarted(agent=WICKED, node=WICKED, visit=1, model=WICKED),
        called(WICKED, use(WICKED, WICKED, **{WICKED: WICKED}), {WICKED: 1}, model=WICKED, outcome=WICKED),
        ended(WICKED, WICKED, WICKED, WICKED),
        GateFinished(result=replace(result.gates[0], name=WICKED, command=WICKED, output=WICKED)),
    ]
    shown(events)
    check(session_page(WICKED.replace("--", ""), [("<script>" * 9, event) for event in events], WICKED).text)


def test_links_lead_to_the_web_only_and_pictures_are_not_fetched():
    tree = check(page("<!doctype html>", "t", prose(LINKS)))
    assert [one.get("href") for one in tree.xpath("//a") if one.get("href")[0] == "h"] == [
        "http://evil/pixel.png",
        "https://example.org/a?b=1&c=2",
    ]
    assert {one.get("rel") for one in tree.xpath("//a")} == {"noreferrer noopener"}


MARKUP = st.text("<>&\"'/=!-`*_[]()#|:~\\ \nabsx0")
ANY = st.one_of(st.text(), MARKUP)


@given(ANY)
@settings(max_examples=50)
def test_any_markdown_gives_harmless_markup(text):
    check(
        page(
            "<!doctype html>",
            text,
            [prose(text), prose(f"```diff\n{text}\n```"), prose(f"```{text}\nx\n```")],
        )
    )


@given(
    st.one_of(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])), st.text("<>&'\"+-@\tab "))
)
def test_code_is_shown_as_it_is(text):
    tree = parsed(page("<!doctype html>", "t", element("section", code(f"@@ \n{text}."), title=text)))
    assert tree.xpath("string(//pre)") == clean(f"@@ \n{text}.")
    assert tree.xpath("string(//section/@title)").split() == clean(text).split()


@pytest.fixture
def session(home, folder, events) -> str:
    log = SessionStore(Path(home["XDG_STATE_HOME"]) / "codeflow/sessions").create(folder)
    for event in [*events, Notice(level="info", text=f"found {SECRET}")]:
        log(event)
    log.close()
    return log.session_id


def test_a_page_is_written_for_its_owner_alone_and_redacted(cli, folder, session):
    done = cli("sessions", "show", session, "--html", "s.html")
    assert (done.returncode, done.stdout, done.stderr) == (0, "s.html: written, readable by you alone\n", "")
    file = folder / "s.html"
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert text.startswith(f"<!doctype html><!-- codeflow session {session} -->\n")
    assert SECRET not in text
    assert "[REDACTED:github-token]" in text
    check(text)
    assert [*folder.iterdir()] == [file]


def test_a_page_and_another_form_exclude_each_other(cli, session):
    done = cli("sessions", "show", session, "--html", "--summary")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "codeflow: --html excludes --summary and --output json"


@pytest.mark.slow
def test_without_a_file_the_page_goes_to_stdout_and_an_export_is_the_same(cli, session):
    piped = cli("sessions", "show", session, "--html").stdout
    check(piped)
    assert cli("sessions", "export", session, "--format", "html").stdout == piped


def test_of_a_damaged_session_the_page_has_what_stands_before_the_damage(cli, home, folder, session):
    path = next(Path(home["XDG_STATE_HOME"]).rglob(f"{session}.jsonl"))
    path.write_bytes(path.read_bytes().replace(b"gave up", b"gone up"))
    done = cli("sessions", "show", session, "--html", "s.html")
    assert done.returncode == 1
    assert "damaged line (wrong checksum)" in done.stderr
    told = words(check((folder / "s.html").read_text()))
    assert "The log cannot be read further" in told
    assert "throttled: too fast" in told
    assert "gone up" not in told
