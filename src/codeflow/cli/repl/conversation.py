"""What a REPL's tasks have in common: the folder, what was chosen, the session and what it has cost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from codeflow.cli.execute import Front, Output, execute
from codeflow.cli.request import Choices, open_store, prepare
from codeflow.cli.resume import go_on, recalled, request_of
from codeflow.core.errors import UsageError
from codeflow.core.results import RunResult
from codeflow.core.settings import Settings
from codeflow.core.trust import is_trusted
from codeflow.core.values import Mode, Spend

Begin = Callable[[Callable[[Front], int]], None]
"""Starts a run; whoever started it does not wait for its end."""


class Conversation:
    """One session at a time; the first task begins it."""

    def __init__(self, workspace: Path, begin: Begin) -> None:
        """Raises UsageError for settings that cannot be used."""
        self.workspace = workspace
        self._begin = begin
        self.choices = Choices()
        self.session_id: str | None = None
        self.spend = Spend()
        self._settings = self._prepared()

    @property
    def mode(self) -> Mode:
        return self.choices.mode or self._settings.run.mode

    @property
    def is_trusted(self) -> bool:
        return is_trusted(self.workspace, self._settings.trusted_folders)

    def next_mode(self) -> None:
        """The next of the modes, and after the last one the first."""
        modes = [*Mode]
        after = modes[(modes.index(self.mode) + 1) % len(modes)]
        self.choices = replace(self.choices, mode=after)

    def choose(self, choices: Choices) -> None:
        """Hold on to other choices for the tasks to come.

        Raises:
            UsageError: when they name what there is not; the old ones hold then.
        """
        before, self.choices = self.choices, choices
        try:
            self._settings = self._prepared()
        except UsageError:
            self.choices = before
            raise

    def begin_again(self) -> None:
        """The next task begins a new session; what was chosen holds on."""
        self.session_id = None
        self.spend = Spend()

    def ask(self, text: str, *, workflow: str | None = None) -> None:
        """Begin a task, in the session if there is one."""
        choices = replace(self.choices, workflow=workflow)
        if self.session_id is not None:
            self._continue(self.session_id, text, choices)
            return
        settings, task = prepare(text, self.workspace, choices)
        self._begin(lambda front: execute(settings, task, after=self._note, front=front))

    def take_up(self) -> bool:
        """Go on with this session's last run if it was cut short; whether it was."""
        if self.session_id is None:
            return False
        store, _ = open_store(self.workspace)
        if recalled(store, self.session_id).run.is_over:
            return False
        self._continue(self.session_id, None, self.choices)
        return True

    def go_back_to(self, name: str) -> bool:
        """Take up a session; whether its last run was cut short and goes on, else the next task will."""
        store, _ = open_store(self.workspace)
        session_id = store.find(name)
        recalled(store, session_id)  # before anything of this session is left
        self.begin_again()
        self.session_id = session_id
        return self.take_up()

    def _continue(self, session_id: str, text: str | None, choices: Choices) -> None:
        """A session in a worktree is asked about at its end, at the terminal, which nobody can type on meanwhile."""
        store, _ = open_store(self.workspace)
        past = recalled(store, session_id)

        def work(front: Front | None) -> int:
            return go_on(
                session_id,
                past,
                text,
                choices,
                None,
                output=Output.TEXT,
                quiet=False,
                after=self._note,
                front=front,
            )

        if request_of(past, session_id).worktree:
            work(None)
        else:
            self._begin(work)

    def _note(self, result: RunResult) -> None:
        self.session_id = result.session_id
        self.spend = Spend(
            known=self.spend.known + result.known_cost,
            unpriced_calls=self.spend.unpriced_calls + result.unpriced_calls,
        )

    def _prepared(self) -> Settings:
        settings, _ = prepare("x", self.workspace, self.choices)
        return settings
