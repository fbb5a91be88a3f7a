"""One agent, then gates; red gates go to the debugger with the diff and the failing output."""

from codeflow.orchestration.gates import red
from codeflow.orchestration.job import Job


async def run_single(job: Job, agent: str) -> str | None:
    """Do the task with one specialist.

    Returns:
        None when the work was accepted, else what is wrong with it.
    """
    visit = await job.visit(agent, job.first_message, node=agent)
    if not visit.ok:
        await job.check()
        return f"{agent} did not finish: {visit.text}"
    green = await job.check()
    for done in range(job.settings.graph.debug_rounds):
        if green:
            return None
        names = ", ".join(gate.name for gate in red(job.gate_results))
        job.escalate("debugger" if done else agent, "debugger", f"red gates: {names}")
        await job.debug()
        green = await job.check()
    return None if green else "the gates are still red"
