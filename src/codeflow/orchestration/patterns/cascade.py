"""The verified cascade: a cheap coder, then gates; on red another specialist gets task, diff and failing output."""

from codeflow.agents.crew import Visit
from codeflow.core.errors import BadReplyError, ContextOverflowError
from codeflow.orchestration.gates import red
from codeflow.orchestration.job import Job
from codeflow.orchestration.visits import Prompt
from codeflow.policies.cascade import Ladder


async def run_cascade(job: Job, ladder: Ladder, start: str) -> str | None:
    """Do the task, beginning with `start`; green gates end it at once.

    Returns:
        None when the work was accepted, else what is wrong with it.

    Raises:
        CodeflowError: what ends the run, such as an empty budget or a model that cannot be reached.
    """
    tried = [start]
    visit = await _visit(job, ladder, tried, job.first_message)
    while not (await job.check() and visit.ok):
        following = ladder.after(tried, answered=visit.ok)
        if following is None:
            return "the gates are still red" if visit.ok else f"{tried[-1]} did not finish: {visit.text}"
        unfinished = "" if visit.ok else visit.text
        job.escalate(tried[-1], following.agent, _reason(job, unfinished))
        tried.append(following.agent)
        visit = await _visit(job, ladder, tried, await job.handover(unfinished))
    return None


async def _visit(job: Job, ladder: Ladder, tried: list[str], prompt: Prompt) -> Visit:
    """The visit of the last of those who tried; what its model could not manage is left to the next one, if any."""
    agent = tried[-1]
    try:
        return await job.visit(agent, prompt, node=agent)
    except (BadReplyError, ContextOverflowError) as error:
        if ladder.after(tried, answered=False) is None:
            raise
        return Visit(ok=False, text=str(error), said=job.crew.last_words(agent))


def _reason(job: Job, unfinished: str) -> str:
    if unfinished:
        return f"it did not finish: {unfinished}"
    return f"red gates: {', '.join(gate.name for gate in red(job.gate_results))}"
