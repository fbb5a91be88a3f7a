"""In which order the tool calls of one message are made."""

from collections.abc import AsyncGenerator
from typing import Any

from strands.tools.executors import ConcurrentToolExecutor, SequentialToolExecutor
from strands.tools.executors._executor import ToolExecutor
from strands.types.tools import ToolUse
from typing_extensions import override

from codeflow.core.values import LOOKING
from codeflow.tools.registry import TOOLS


class OrderedToolExecutor(ToolExecutor):
    """As the model wrote them, one after the other; all at once where none of them changes anything.

    What a command does may depend on the edit or command before it, and so may a person's answer to whether it may run.
    """

    @override
    async def _execute(
        self, agent: Any, tool_uses: list[ToolUse], *rest: Any, **more: Any
    ) -> AsyncGenerator[Any, None]:
        executor = ConcurrentToolExecutor() if all(map(_is_free, tool_uses)) else SequentialToolExecutor()
        async for event in executor._execute(agent, tool_uses, *rest, **more):  # noqa: SLF001 - the method to override
            yield event


def _is_free(tool_use: ToolUse) -> bool:
    tool = TOOLS.get(tool_use["name"])
    return tool is None or tool.effect in LOOKING
