"""How a run remembers: its notebook as its tools see it, and which notes a person is asked about."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from codeflow.agents.specialists import Specialist
from codeflow.app.books import Books
from codeflow.core.events import Event, RunResumed, RunStarted, ToolFinished, ToolStarted
from codeflow.core.notes import Draft, NoteRemembered, Remembered
from codeflow.core.places import state_home
from codeflow.core.ports import Emit
from codeflow.core.settings import Settings
from codeflow.knowledge.memory.notebook import Notebook
from codeflow.knowledge.memory.telling import recall
from codeflow.policies.taint import Source, Taint
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
    """Consumes events: whose words the agents of the session have read.

    Those of the web must not last unseen, and after them nothing goes out unasked.
    """

    def __init__(self, used_tools: frozenset[str], commands: Iterable[str] = ()) -> None:
        """`used_tools` are those that the session has called before, `commands` the shell lines it has run."""
        self.taint = Taint()
        self._commands: dict[str, str] = {}
        for tool in used_tools:
            self._read(tool)
        for command in commands:
            self._read("run_command", command)

    @property
    def was_read(self) -> bool:
        """Whether an agent has read the web, by a tool or by a command."""
        return bool(self.taint.sources)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted | RunResumed):
            started = event if isinstance(event, RunStarted) else event.started
            if started.request and started.request.quotes_strangers:
                self.taint = Taint(self.taint.sources | {Source.TASK})
        if isinstance(event, ToolStarted):
            self._commands[event.call_id] = event.summary
        if isinstance(event, ToolFinished):
            command = self._commands.pop(event.call_id, "")
            if not event.denied:
                self._read(event.tool, command)

    def _read(self, tool: str, command: str = "") -> None:
        if tool in TOOLS:
            self.taint = self.taint.after(tool, TOOLS[tool].effect, command)


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
    web = WebWatch(frozenset(books.past.used_tools), books.past.commands)
    books.broadcast.consumers.append(web)
    return notebook, web


def without_memory(specialists: Mapping[str, Specialist]) -> dict[str, Specialist]:
    """Specialists whom nobody offers the tools of the memory."""
    return {
        name: replace(one, tools=tuple(tool for tool in one.tools if tool not in _TOOLS))
        for name, one in specialists.items()
    }
