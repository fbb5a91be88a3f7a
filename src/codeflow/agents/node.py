"""A guarded graph node: runs one piece of work, never raises, keeps the fault for whoever runs the graph."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from strands.multiagent.base import MultiAgentBase, MultiAgentResult, Status
from typing_extensions import override

from codeflow.core.errors import CodeflowError


class Walk:
    """One walk through the nodes of a graph, which ends when it is cancelled.

    Strands waits for its nodes with `asyncio.wait_for`, which before Python 3.12 loses a cancellation that comes
    together with an event. So the node at work is cancelled here, and no further one begins.
    """

    def __init__(self) -> None:
        self._cancelled = asyncio.Event()
        self._working: asyncio.Future[bool] | None = None

    async def follow(self, graph: Coroutine[Any, Any, Any]) -> None:
        """Waits for the graph's end.

        Raises:
            asyncio.CancelledError: when this was cancelled; the graph has ended.
        """
        walking = asyncio.ensure_future(graph)
        try:
            await asyncio.wait([walking])
        except asyncio.CancelledError:
            self._cancelled.set()
            if self._working:
                self._working.cancel()
            await asyncio.wait([walking])
            walking.exception()  # whatever it is, the walk was cancelled
            raise
        walking.result()

    async def step(self, work: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
        """A node's work; False at once when the walk was cancelled."""
        if self._cancelled.is_set():
            return False
        self._working = asyncio.ensure_future(work())
        try:
            return await self._working
        except asyncio.CancelledError:
            if not self._cancelled.is_set():
                raise
            return False
        finally:
            self._working = None


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
