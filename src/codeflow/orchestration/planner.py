"""From an architect's answer to a plan that passed the design check."""

import shlex
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codeflow.core.values import Plan, PlanStep
from codeflow.orchestration.replies import last_object

MAX_STEPS = 8
MAX_ANSWERS = 2

_SHELL_BUILTINS = frozenset({"test", "[", "!", "cd", "true", "false", "export", "if", "for", "while", "set"})


class StepForm(BaseModel):
    """A step as it is written down."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1)
    specialist: str
    goal: str = Field(min_length=1)
    files: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class PlanForm(BaseModel):
    """A plan as models and people write it down."""

    model_config = ConfigDict(extra="forbid")

    summary: str = Field(min_length=1)
    steps: tuple[StepForm, ...] = Field(min_length=1, max_length=MAX_STEPS)
    acceptance: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()

    def plan(self) -> Plan:
        return Plan(
            summary=self.summary,
            steps=tuple(PlanStep(**step.model_dump()) for step in self.steps),
            acceptance=self.acceptance,
            risks=self.risks,
        )


@dataclass(frozen=True, slots=True)
class DesignProblem:
    """What makes a plan impossible to carry out; `place` is where in the plan."""

    text: str
    place: tuple[str | int, ...]


def parse(answer: str) -> tuple[Plan | None, tuple[str, ...]]:
    """The plan in an architect's answer, or what is wrong with its form."""
    found = last_object(answer)
    if found is None:
        return None, ("the answer holds no JSON object",)
    try:
        parsed = PlanForm.model_validate(found)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        return None, tuple(problems)
    return parsed.plan(), ()


def design_problems(plan: Plan, *, workspace: Path, specialists: Collection[str]) -> Iterator[DesignProblem]:
    """What makes a plan impossible to carry out; nothing when it can be."""
    ids = [step.id for step in plan.steps]
    if len(set(ids)) < len(ids):
        yield DesignProblem("two steps have the same id", ("steps",))
    for number, step in enumerate(plan.steps):
        yield from _step_problems(step, ("steps", number), ids, workspace, specialists)
    try:
        TopologicalSorter({step.id: step.needs for step in plan.steps}).prepare()
    except CycleError:
        yield DesignProblem("the steps need each other in a circle", ("steps",))
    for number, command in enumerate(plan.acceptance):
        if problem := _command_problem(command, workspace):
            yield DesignProblem(problem, ("acceptance", number))


def _step_problems(
    step: PlanStep,
    place: tuple[str | int, ...],
    ids: list[str],
    workspace: Path,
    specialists: Collection[str],
) -> Iterator[DesignProblem]:
    if step.specialist not in specialists:
        names = ", ".join(sorted(specialists))
        yield DesignProblem(
            f"step {step.id}: no specialist {step.specialist!r} (there are: {names})", (*place, "specialist")
        )
    for name in step.needs:
        if name not in ids:
            yield DesignProblem(f"step {step.id}: needs unknown step {name!r}", (*place, "needs"))
    for name in step.files:
        if not is_inside(workspace, name):
            yield DesignProblem(
                f"step {step.id}: {name!r} is not a path inside the workspace", (*place, "files")
            )


def is_inside(workspace: Path, name: str) -> bool:
    """Whether a path that a model wrote can exist and stays inside the workspace."""
    try:
        return (workspace / name).resolve().is_relative_to(workspace.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, a loop of links
        return False


def _command_problem(command: str, workspace: Path) -> str | None:
    if "\0" in command:
        return f"acceptance command {command!r} holds a NUL"
    try:
        words = shlex.split(command)
    except ValueError as error:
        return f"acceptance command {command!r} cannot be parsed: {error}"
    program = next((word for word in words if "=" not in word.split("/")[0]), "")
    if not program:
        return f"acceptance command {command!r} runs nothing"
    here = is_inside(workspace, program) and (workspace / program).exists()
    found = here or program in _SHELL_BUILTINS or shutil.which(program)
    return None if found else f"acceptance command {command!r}: no program {program!r} here"


@dataclass(slots=True, kw_only=True)
class Planning:
    """One plan in the making: an invalid answer is sent back once, with the reasons."""

    workspace: Path
    specialists: Collection[str]
    once: Callable[[str, Callable[[], list[str]]], list[str]] = lambda _question, look: look()
    """Lets a resumed run judge a plan as it was judged before."""
    plan: Plan | None = None
    problems: tuple[str, ...] = ()
    answers: int = 0

    @property
    def settled(self) -> bool:
        """Whether asking again is pointless: there is a plan, or the second answer was no better."""
        return self.plan is not None or self.answers >= MAX_ANSWERS

    @property
    def corrections(self) -> str:
        """What to ask the architect after an answer that cannot be used; empty before that."""
        if not self.problems:
            return ""
        listed = "\n".join(f"- {problem}" for problem in self.problems)
        return f"The plan cannot be used:\n{listed}\n\nReturn the corrected plan as a single JSON object."

    def take(self, answer: str) -> None:
        """Parse and check an answer; afterwards either `plan` or `problems` is set."""
        self.answers += 1
        plan, self.problems = parse(answer)
        if plan is not None:
            found = partial(design_problems, plan, workspace=self.workspace, specialists=self.specialists)
            question = f"problems of plan {self.answers}"
            self.problems = tuple(self.once(question, lambda: [problem.text for problem in found()]))
        self.plan = None if self.problems else plan
