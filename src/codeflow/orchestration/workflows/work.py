"""What each kind of node does when it is its turn."""

import shlex
from collections.abc import Mapping
from typing import Any

from codeflow.agents.toolbox import PolicedTool
from codeflow.core.values import LOOKING, Gate, GateResult, GateStatus, Mode, Question
from codeflow.orchestration.briefs import failing_gates
from codeflow.orchestration.gates import red
from codeflow.orchestration.replies import last_object
from codeflow.orchestration.workflows.expressions import filled, rendered, texts
from codeflow.orchestration.workflows.form import (
    AgentNode,
    ApprovalNode,
    CommandNode,
    GateNode,
    ToolNode,
    WorkflowNode,
)
from codeflow.orchestration.workflows.spot import NodeStatus, Outcome, Spot, failed
from codeflow.orchestration.workflows.tables import NodeForm, PatternNode
from codeflow.sessions.talk import Conversation
from codeflow.tools.registry import TOOLS


async def visit_agent(node: AgentNode, spot: Spot, seat: str) -> Outcome:
    """A specialist's visit, and once more when the keys of its result are missing."""
    task = await spot.render(node.task)
    visit = await spot.ask(node.agent, task, seat=seat, reads_only=node.reads_only)
    result: dict[str, Any] | None = None
    if visit.ok and node.result:
        result = last_object(visit.text)
        if missing := _missing(node, result):
            prompt = f"Your answer has to end with a single JSON object; missing: {missing}. Give it now."
            visit = await spot.ask(node.agent, prompt, seat=seat, reads_only=node.reads_only, before=task)
            result = last_object(visit.text) if visit.ok else None
        if visit.ok and (missing := _missing(node, result)):
            return failed(f"{node.agent}'s answer has no {missing}")
    if not visit.ok:
        return failed(f"{node.agent} did not finish: {visit.text}")
    spot.job.answer = visit.text
    return Outcome(ok=True, status="done", text=visit.text, result=result)


def _missing(node: AgentNode, result: Mapping[str, Any] | None) -> str:
    return ", ".join(key for key in node.result if key not in (result or {}))


async def check_gates(node: GateNode, spot: Spot) -> Outcome:
    """The project's gates, all or some."""
    job = spot.job
    if job.task.mode is Mode.PLAN:
        return Outcome(ok=True, status="unchecked")
    async with spot.at_work(writes=True):
        await job.gates.baseline_ready()
        chosen = [gate for gate in job.gates.gates if node.gate == "all" or gate.name in node.gate]
        results = await job.gates.run_only(chosen)
        await job.took(results)
    return _judged(results, node.expect)


async def run_command(node: CommandNode, spot: Spot) -> Outcome:
    """A command as a gate; what is put into it is quoted for the shell."""
    job = spot.job
    if job.task.mode is Mode.PLAN:
        return Outcome(ok=True, status="unchecked")
    command = rendered(node.command, await spot.seen(node.command), quote=shlex.quote)
    timeout_s = node.timeout_s or job.settings.tools.command_timeout_s
    async with spot.at_work(writes=True):
        results = await job.gates.run_only([Gate(name=spot.path, command=command, timeout_s=timeout_s)])
        await job.took(results if node.expect == "green" else ())
    return _judged(results, node.expect)


def _judged(results: tuple[GateResult, ...], expect: str) -> Outcome:
    ran = [result for result in results if result.status is not GateStatus.SKIPPED]
    is_red = bool(red(ran)) or (expect == "red" and any(one.status is GateStatus.ALREADY_RED for one in ran))
    status: NodeStatus = "red" if is_red else "green" if ran else "unchecked"
    ok = status == expect or (status == "unchecked" and expect == "green")
    surprise = "" if ok else f"{status}, where {expect} was expected\n\n"
    shown = [one for one in ran if one.status is not GateStatus.GREEN] if is_red else ran
    return Outcome(
        ok=ok,
        status=status,
        text=f"{surprise}{failing_gates(shown)}",
        result=[{"name": one.name, "status": one.status, "exit_code": one.exit_code} for one in results],
    )


async def call_tool(node: ToolNode, spot: Spot) -> Outcome:
    """One call, which a resumed run does not make again."""
    tool, job = TOOLS[node.tool], spot.job
    who = f"workflow@{spot.path}"

    async def call() -> dict[str, Any]:
        past = job.past.conversations.get(who, Conversation())
        policed = PolicedTool(tool, who, job.crew.bench, job.crew.bench.workspace.for_agent(who), past=past)
        known = await spot.seen(*(text for _, text in texts(node.arguments)))
        arguments = filled(node.arguments, known)
        result = await policed.call(f"{spot.path}-{spot.visit}", arguments)
        return {"ok": not result.is_error, "text": result.content}

    writes = tool.effect not in LOOKING
    async with spot.at_work(writes=writes):
        job.is_unchecked |= writes
        came = await job.once_done(f"tool of {spot.path}, visit {spot.visit}", call)
    return Outcome(ok=came["ok"], status="done" if came["ok"] else "failed", text=came["text"])


async def ask_person(node: ApprovalNode, spot: Spot) -> Outcome:
    """A person's yes or no.

    Raises:
        PausedError: nobody is here to be asked.
    """
    question = Question(
        tool="workflow",
        summary=spot.path,
        reason=await spot.render(node.approve),
        preview="",
    )

    async def ask() -> str:
        return await spot.job.crew.bench.consent(question) or ""

    refusal = await spot.job.once_done(f"approval at {spot.path}, visit {spot.visit}", ask)
    return Outcome(ok=not refusal, status="refused" if refusal else "approved", text=refusal)


def kind_of(node: NodeForm) -> str:
    """What a node is, in a few words for people."""
    match node:
        case AgentNode(agent=agent):
            return agent
        case GateNode(gate=gate, expect=expect):
            names = gate if isinstance(gate, str) else ", ".join(gate)
            return f"gate {names}" + (", red expected" if expect == "red" else "")
        case CommandNode(command=command):
            return f"command {command}"
        case ToolNode(tool=tool):
            return f"tool {tool}"
        case ApprovalNode():
            return "a person's approval"
        case WorkflowNode(workflow=name):
            return f"workflow {name}"
        case PatternNode():
            return node.words
    raise AssertionError(node)
