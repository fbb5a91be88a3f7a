"""A guarded graph node: runs one piece of work, never raises, keeps the fault for whoever runs the graph."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from strands.multiagent.base import MultiAgentBase, MultiAgentResult, Status
from typing_extensions import override

from codeflow.core.errors import CodeflowError


class GuardedNode(MultiAgentBase):
    """`work` returns whether its branch goes on; what it made lives with the pattern that made the node.

    Strands ends the whole graph, cancels siblings and loses their results when a node raises, so a
    CodeflowError becomes a failed status here and is handed to `on_fault`.
    """

    def __init__(
        self, node_id: str, work: Callable[[], Awaitable[bool]], on_fault: Callable[[CodeflowError], None]
    ) -> None:
        super().__init__()
        self.id = node_id
        self._work = work
        self._on_fault = on_fault

    @override
    async def invoke_async(
        self,
        task: Any,
        invocation_state: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> MultiAgentResult:
        try:
            goes_on = await self._work()
        except CodeflowError as fault:
            self._on_fault(fault)
            goes_on = False
        return MultiAgentResult(status=Status.COMPLETED if goes_on else Status.FAILED)

    @override
    async def stream_async(
        self, task: Any, invocation_state: dict[str, Any] | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        yield {"result": await self.invoke_async(task, invocation_state, **kwargs)}

    @override
    def serialize_state(self) -> dict[str, Any]:
        return {"id": self.id}

    @override
    def deserialize_state(self, payload: dict[str, Any]) -> None:
        """Nothing to restore: a node's state is the session log's."""
