"""How a run remembers: its notebook as its tools see it, and which notes a person is asked about."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from codeflow.agents.specialists import Specialist
from codeflow.app.books import Books
from codeflow.core.events import Event, NoteRemembered, ToolFinished
from codeflow.core.notes import Draft, Remembered
from codeflow.core.places import state_home
from codeflow.core.ports import Emit
from codeflow.core.settings import Settings
from codeflow.core.values import Effect
from codeflow.knowledge.memory.notebook import Notebook
from codeflow.knowledge.memory.telling import recall
from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

_TOOLS = frozenset({"remember", "recall"})


class RunNotes:
    """A notebook for the tools of a run, which tells about every note that is kept."""

    def __init__(self, notebook: Notebook, emit: Emit) -> None:
        self._notebook = notebook
        self._emit = emit

    async def remember(self, draft: Draft) -> Remembered:
        done = await asyncio.to_thread(self._notebook.remember, draft)
        self._emit(NoteRemembered(note=done.note, outcome=done.outcome))
        return done

    async def recall(self, query: str) -> tuple[str, int]:
        return await asyncio.to_thread(recall, self._notebook, query)


class WebWatch:
    """Consumes events: whether an agent of the session has read the web, whose words must not last unseen."""

    def __init__(self, used_tools: frozenset[str]) -> None:
        """`used_tools` are those that the session has called before."""
        self.was_read = any(map(_reads_web, used_tools))

    def __call__(self, event: Event) -> None:
        if isinstance(event, ToolFinished) and not event.denied and _reads_web(event.tool):
            self.was_read = True


def open_notebook(
    settings: Settings, workspace: Path, env: Mapping[str, str], session_id: str | None
) -> Notebook | None:
    """The notebook of a run or a person; None when memory is turned off."""
    if not settings.memory.enabled:
        return None
    return Notebook(
        state_home(env) / "memory",
        workspace,
        ttl_days=settings.memory.ttl_days,
        env=env,
        session_id=session_id,
    )


def start_remembering(
    settings: Settings, workspace: Workspace, books: Books, env: Mapping[str, str]
) -> tuple[Notebook | None, WebWatch]:
    """Give a run's tools their notebook, and begin to watch what they read."""
    notebook = open_notebook(settings, workspace.root, env, books.log.session_id)
    workspace.notes = RunNotes(notebook, books.broadcast) if notebook else None
    web = WebWatch(frozenset(books.past.used_tools))
    books.broadcast.consumers.append(web)
    return notebook, web


def without_memory(specialists: Mapping[str, Specialist]) -> dict[str, Specialist]:
    """Specialists whom nobody offers the tools of the memory."""
    return {
        name: replace(one, tools=tuple(tool for tool in one.tools if tool not in _TOOLS))
        for name, one in specialists.items()
    }


def _reads_web(tool: str) -> bool:
    return tool in TOOLS and TOOLS[tool].effect is Effect.NETWORK
