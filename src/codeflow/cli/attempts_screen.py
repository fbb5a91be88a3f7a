"""Several runs at once on one screen: each line says whose it is, and the result of all comes last."""

import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from codeflow.cli.drive import Shield
from codeflow.cli.execute import Output, shown
from codeflow.cli.render.clean import one_line
from codeflow.cli.render.console import console
from codeflow.cli.render.figures import total_money
from codeflow.cli.render.json import json_renderer, result_object
from codeflow.cli.render.progress import StatusLine
from codeflow.cli.render.stream import stream_renderer
from codeflow.cli.render.text import TextRenderer
from codeflow.core.codec import to_json
from codeflow.core.events import Event, RunFinished
from codeflow.core.ports import Emit
from codeflow.core.results import RunResult

if TYPE_CHECKING:
    pass


class Screen:
    """Where attempts are shown; a reader who goes away stops none of them."""

    def __init__(self, output: Output, *, quiet: bool) -> None:
        from codeflow.cli.approval import StandardInput, TerminalApproval, can_ask

        self._output = output
        self._quiet = quiet
        self._line = StatusLine(console(stderr=True), enabled=False)
        self._shields: list[Shield] = []
        self.person: TerminalApproval | None = (
            TerminalApproval(StandardInput(self._line.paused)) if can_ask() else None
        )

    def of(self, name: str) -> Emit:
        """What shows the events of one run: an attempt by its number, or the judge."""
        match self._output:
            case Output.JSON:
                return _nowhere
            case Output.STREAM_JSON:
                return self._shielded(_named_lines(name))
            case Output.TEXT:
                err = console(stderr=True, label=f"{name} │")
                return self._shielded(_text(TextRenderer(console(), err, self._line, quiet=self._quiet), err))

    def finish(self, result: RunResult) -> None:
        """Show the result of all."""
        if self._output is Output.JSON:
            show = json_renderer(sys.stdout)
        elif self._output is Output.STREAM_JSON:
            show = stream_renderer(sys.stdout)
        else:
            show = TextRenderer(console(), console(stderr=True), self._line, quiet=self._quiet)
        self._shielded(show)(RunFinished(result=result))

    def delivered(self) -> bool:
        """Whether everything was shown, or its reader had gone away."""
        return all(shown(shield.broken) for shield in self._shields)

    def _shielded(self, show: Emit) -> Shield:
        self._shields.append(Shield(show))
        return self._shields[-1]


def _nowhere(_event: Event) -> None:
    pass


def _named_lines(name: str) -> Emit:
    """One JSON line an event; `run` says whose it is, and the end of a run is an `attempt_result`."""

    def show(event: Event) -> None:
        if isinstance(event, RunFinished):
            shape = {"kind": "attempt_result", **result_object(event.result)}
        else:
            shape = to_json(event)
        print(json.dumps({"run": name, **shape}), flush=True)

    return show


def _text(renderer: TextRenderer, err: Console) -> Emit:
    """Progress as always, the end in a line."""

    def show(event: Event) -> None:
        if not isinstance(event, RunFinished):
            renderer(event)
            return
        result = event.result
        cost = total_money(result.known_cost, result.unpriced_calls)
        problem = f": {one_line(result.error)}" if result.error else ""
        words = f"{result.status.replace('_', ' ')} in {result.duration_s:.1f} s, {cost}{problem}"
        err.print(Text(words, style="bold"))

    return show
