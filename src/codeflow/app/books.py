"""Where a run is written down: session log, budget, meter and ledger."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from codeflow.core.cascade import Expense, Lesson
from codeflow.core.errors import CodeflowError
from codeflow.core.events import ModelCalled
from codeflow.core.places import state_home
from codeflow.core.ports import Broadcast, Closable
from codeflow.core.settings import Settings
from codeflow.core.values import Continuation, Question, Task
from codeflow.knowledge.memory.identity import project_home
from codeflow.policies.budget import Budget, limit_of_day, limit_of_session
from codeflow.sessions.log import SessionStore
from codeflow.sessions.opening import open_sessions
from codeflow.sessions.past import Past, recall
from codeflow.sessions.worktrees.records import Worktrees
from codeflow.telemetry.ledger import Ledger, ledger_to_read
from codeflow.telemetry.meter import Meter
from codeflow.telemetry.recorder import Recorder
from codeflow.tools.tool import one_line


class Books:
    """Who listens to a run: its session log first, then budget, meter and ledger."""

    def __init__(
        self,
        settings: Settings,
        task: Task,
        budget: Budget,
        env: Mapping[str, str],
        *,
        spends: bool,
        session: Continuation | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        """`session` is the one that goes on; None: a new one.

        `redact` takes credentials out of what they hear. A run that `spends` nothing stays on this machine and out of the ledger.

        Raises:
            SessionError: when its log cannot be read or written, or another process writes it.
        """
        self.budget = budget
        self.meter = Meter()
        store = open_sessions(settings, env, shared=spends)
        self.neighbours = [] if task.worktree else _neighbours(store, task.home, env)
        self.past = Past()
        self.goes_on = session is not None
        self.resumes = session is not None and session.resumes
        self.as_is = session is not None and session.as_is
        if session is None:
            self.log = store.create(task.home, task.worktree.session_id if task.worktree else None)
        else:
            self.log = store.resume(session.session_id, task.home)
            self.past = recall(store.events(session.session_id))
        self.dropped: Question | None = None
        """What the run before waited for, when another one begins."""
        self.ledger_problem: str | None = None
        self.broadcast = Broadcast([self.log, self.budget, self.meter], redact)
        self.resources: list[Closable] = [self.log]
        self._recorder: Recorder | None = None
        self._ledger: Ledger | None = None
        if spends:
            self._open_ledger(task.home, env)
        self._go_on()
        self.broadcast.consumers.append(self.past.run.mail.add)
        if settings.run.max_cost_session is not None:
            self.budget.tighten(limit_of_session(settings.run.max_cost_session, self._spent_before()))
        if settings.run.max_cost_day is not None:
            others = self._spent_elsewhere_today(env)
            self.budget.tighten(limit_of_day(settings.run.max_cost_day, others))

    def _spent_before(self) -> Decimal:
        """What the session's earlier runs have spent, a call of unknown cost at its worst."""
        spent = Decimal(0)
        for run in self.past.earlier_runs:
            counted = Budget(unknown_prices=self.budget.unknown_prices)
            for event in run:
                counted(event)
            spent += counted.taken.cost
        return spent

    def _spent_elsewhere_today(self, env: Mapping[str, str]) -> Decimal:
        """What the ledger has of today without what this run spent before, as far as that was today."""
        today = spent_today(env)
        own = min(self.budget.spent.cost, today.get(self.log.session_id, Decimal(0)))
        return sum(today.values(), Decimal(0)) - own

    def experience(self, workspace: Path) -> tuple[list[Lesson], list[Expense]]:
        """What the ledger has learned in a folder's project; nothing where there is no ledger."""
        if self._ledger is None:
            return [], []
        project = project_home(workspace)
        try:
            return self._ledger.lessons(project), self._ledger.expenses(project)
        except CodeflowError as error:
            self.ledger_problem = str(error)
            return [], []

    def _open_ledger(self, workspace: Path, env: Mapping[str, str]) -> None:
        """A run does not depend on its ledger: one that cannot be opened is said."""
        try:
            ledger = Ledger(state_home(env) / "ledger.sqlite3")
        except CodeflowError as error:
            self.ledger_problem = str(error)
            return
        self._recorder = ledger.recorder(self.log.session_id, workspace, project_home(workspace))
        self._ledger = ledger
        self.broadcast.consumers.append(self._recorder)
        self.resources.append(ledger)

    def _go_on(self) -> None:
        """Prepare for the session's last run to go on, its spending counted, or for a new one."""
        if not self.resumes:
            self.dropped = self.past.run.question
            self.past.begin_run()
            return
        self.past.reopen()
        for event in self.past.run.metered:
            self.budget(event)
            self.meter(event)
        started = self.past.run.started
        if self._recorder and started:
            called = [event for event in self.past.run.metered if isinstance(event, ModelCalled)]
            self._recorder.catch_up(called, started.session_id)

    def late_warnings(self) -> list[str]:
        """What only the end of a run shows."""
        warnings = [
            f"the price of {model} is unknown: the budget took it for the dearest known"
            for model in sorted(self.budget.unpriced)
        ]
        warnings += [
            f"nobody has read {one.message_id} of {one.sender} to {one.to} ({one.purpose}): {one_line(one.content)}"
            for one in self.past.run.mail.unread
        ]
        if self._recorder and self._recorder.problem:
            warnings.append(f"the ledger could not be written: {self._recorder.problem}")
        if self.log.problem:
            warnings.append(f"the session log is incomplete: {self.log.problem}")
        return warnings


def spent_today(env: Mapping[str, str]) -> dict[str, Decimal]:
    """What the ledger has of today, in US dollars by session."""
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    with ledger_to_read(state_home(env) / "ledger.sqlite3") as ledger:
        return {row.name: row.known_cost for row in ledger.report("session", midnight)}


def _neighbours(store: SessionStore, folder: Path, env: Mapping[str, str]) -> list[str]:
    """The sessions that are at work in a folder, without those that have a worktree to themselves."""
    worktrees = Worktrees(state_home(env) / "worktrees")
    return [session_id for session_id in store.running(folder) if worktrees.find(session_id) is None]
