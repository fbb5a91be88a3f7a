"""Events of a workflow's nodes; `core.events` has them in its union."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted:
    """A workflow's node begins; `node` is its path through nested workflows, `work` what it is, in words."""

    node: str
    work: str
    visit: int
    kind: Literal["node_started"] = "node_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFinished:
    """It ended; `status` is what conditions see, `summary` its text."""

    node: str
    visit: int
    ok: bool
    status: str
    summary: str
    kind: Literal["node_finished"] = "node_finished"
