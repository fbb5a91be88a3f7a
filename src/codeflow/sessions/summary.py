"""What the lines of a session add up to, as a list of sessions shows it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from codeflow.core.errors import SessionError
from codeflow.core.events import Event, ModelCalled, RunFinished, RunResumed, RunStarted, ToolFinished
from codeflow.core.session_events import SessionNamed
from codeflow.core.values import Cost, Spend
from codeflow.sessions.records import Chain, decode, whole_lines, written_at

UNFINISHED = "unfinished"
_SUMMED = tuple(
    f'"kind":"{kind}"'.encode()
    for kind in (
        "run_started",
        "run_resumed",
        "model_called",
        "tool_finished",
        "run_finished",
        "session_named",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A session in short, as shared stores keep it beside its lines.

    `lines` counts them and `tip` is the checksum of the last; `updated` is that one's ISO time in UTC.
    `cost` is None when a call could not be priced; `files_changed` counts paths.
    """

    session_id: str
    lines: int = 0
    tip: str = ""
    updated: str = ""
    workspace: str = ""
    task: str = ""
    name: str = ""
    status: str = UNFINISHED
    cost: Cost = Decimal(0)
    files_changed: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"cost": None if self.cost is None else str(self.cost)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Head":
        """Raises TypeError or ValueError for anything that `to_json` did not write."""
        cost = data.pop("cost")
        return Head(**data, cost=None if cost is None else Decimal(cost))


@dataclass(slots=True)
class Tally:
    """What a log adds up to, as far as it can be read; `problem` says what cannot."""

    task: str = ""
    workspace: str = ""
    name: str = ""
    status: str = UNFINISHED
    updated: str = ""
    spend: Spend = field(default_factory=Spend)
    changed: set[str] = field(default_factory=set)
    chain: Chain = field(default_factory=Chain)
    problem: str | None = None

    def add(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.task = self.task or event.task
                self.workspace = event.workspace
                self.status = UNFINISHED
            case RunResumed():
                self.workspace = event.started.workspace
                self.status = UNFINISHED
            case ModelCalled():
                self.spend = self.spend.add(event.cost)
            case ToolFinished():
                self.changed.update(event.changed)
            case SessionNamed():
                self.name = event.name
            case RunFinished():
                self.status = event.result.status
                self.changed.update(change.path for change in event.result.files_changed)
            case _:
                pass

    def follow(self, line: bytes, place: str = "") -> None:
        """Adds the next line of the log.

        Raises:
            DamagedLineError: when it does not follow the last one; nothing is added.
            SessionError: when its event cannot be read.
        """
        self.chain.extend(line)
        self._count(line, place)

    def read(self, lines: Iterable[bytes], name: str) -> None:
        """Adds a log from its first line to its last whole one.

        Raises:
            SessionError: naming the line that cannot be read; what stands before it has been added.
        """
        for place, line in whole_lines(lines, name, self.chain):
            self._count(line, place)

    def _count(self, line: bytes, place: str) -> None:
        if any(mark in line for mark in _SUMMED):
            self.add(decode(line, place))
        self.updated = written_at(line)

    def head(self, session_id: str) -> Head:
        return Head(
            session_id=session_id,
            lines=self.chain.count,
            tip=self.chain.tip,
            updated=self.updated,
            workspace=self.workspace,
            task=self.task,
            name=self.name,
            status=self.status,
            cost=self.spend.total,
            files_changed=len(self.changed),
        )


def summarize(lines: Iterable[bytes], name: str) -> Tally:
    """Adds up a log to its end or to its first unreadable line."""
    tally = Tally()
    try:
        tally.read(lines, name)
        if tally.chain.torn:
            tally.problem = f"{name}:{tally.chain.count + 1}: the last line was cut off"
    except SessionError as error:
        tally.problem = str(error)
        tally.spend = tally.spend.add(None)  # of what cannot be read
    return tally
