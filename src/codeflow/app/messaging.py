"""How the agents of a run reach each other: its mailbox, and the names that messages may go to."""

from codeflow.agents.bench import Bench
from codeflow.agents.mailbox import Mailbox
from codeflow.core.messages import Hear
from codeflow.core.values import Pattern, Task
from codeflow.orchestration.nodes import GRAPH_NODES
from codeflow.sessions.mail import Mail


def open_mailbox(task: Task, pattern: Pattern, mail: Mail, bench: Bench, hear: Hear) -> Mailbox:
    """The mailbox of a run, which its tools get where more than one agent takes part."""
    mailbox = Mailbox(mail=mail, emit=bench.emit, names=_names(task, pattern), hear=hear)
    bench.workspace.post = mailbox if mailbox.names else None
    return mailbox


def _names(task: Task, pattern: Pattern) -> frozenset[str]:
    """Agents, nodes and seats; none where one agent works, or one after the other who is not to hear of the one before."""
    if pattern is Pattern.GRAPH:
        return GRAPH_NODES
    if task.workflow is None:
        return frozenset()
    from codeflow.orchestration.workflows.terms import addresses

    return addresses(task.workflow)
