"""Who works on what, and what it has cost so far: the one line that moves."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from codeflow.cli.render.clean import one_line
from codeflow.cli.render.figures import money, tokens
from codeflow.core.events import (
    AgentFinished,
    AgentStarted,
    Event,
    GateFinished,
    GateStarted,
    ModelCalled,
    ToolFinished,
    ToolStarted,
)
from codeflow.core.values import Spend, Usage

_DOING_LIMIT = 60


class Progress:
    """What the events seen so far add up to."""

    def __init__(self) -> None:
        self._agents: dict[str, None] = {}
        self._doing: dict[str, str] = {}
        self._gate = ""
        self._usage = Usage()
        self._spend = Spend()

    def note(self, event: Event) -> None:
        match event:
            case AgentStarted():
                self._agents[event.agent] = None
            case AgentFinished():
                self._agents.pop(event.agent, None)
                self._doing.pop(event.agent, None)
            case ToolStarted():
                self._doing[event.agent] = f"{event.tool} {event.summary}"
            case ToolFinished():
                self._doing.pop(event.agent, None)
            case GateStarted():
                self._gate = f"gate {event.name}: {event.command}"
            case GateFinished():
                self._gate = ""
            case ModelCalled():
                self._usage += event.usage or Usage()
                self._spend = self._spend.add(event.cost)
            case _:
                pass

    @property
    def alone(self) -> str:
        """The agent that works, if it is just one; else ""."""
        return next(iter(self._agents)) if len(self._agents) == 1 else ""

    def line(self) -> str:
        """One line for now, cleaned of control characters."""
        workers = [f"{agent}: {self._doing.get(agent, 'thinking')}" for agent in self._agents]
        if self._gate:
            workers.append(self._gate)
        now = ", ".join(one_line(worker, _DOING_LIMIT) for worker in workers) or "working"
        count = tokens(self._usage.prompt_tokens + self._usage.output_tokens)
        return f"{count} tokens · {money(self._spend.total, self._spend.known)} · {now}"


class Moving(Protocol):
    """Where the one line stands."""

    def show(self, text: str) -> None: ...

    def stop(self) -> None:
        """Take the line away."""
        ...


class StatusLine:
    """The last line of a terminal, redrawn twice a second; without a terminal it does nothing."""

    def __init__(self, console: Console, *, enabled: bool) -> None:
        self._text = "starting"
        self._begin = time.monotonic()
        self._live = (
            Live(console=console, get_renderable=self._render, transient=True, refresh_per_second=2)
            if enabled and console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def show(self, text: str) -> None:
        if self._live and text != self._text:
            self._text = text
            self._live.refresh()

    def stop(self) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The terminal without the line, for a question."""
        self.stop()
        try:
            yield
        finally:
            self.__enter__()

    def _render(self) -> Text:
        seconds = int(time.monotonic() - self._begin)
        return Text(f"{seconds} s · {self._text}", style="dim", no_wrap=True, overflow="ellipsis")
