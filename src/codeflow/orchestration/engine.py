"""From a task to a result: route, plan, run a pattern, and account for it all."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from codeflow import __version__
from codeflow.agents.crew import Crew
from codeflow.core.errors import CodeflowError, PausedError
from codeflow.core.events import (
    Briefed,
    Event,
    ModelCalled,
    ModelStarted,
    Notice,
    PatternChosen,
    Planned,
    Routed,
    RunFinished,
    RunResumed,
    RunStarted,
)
from codeflow.core.ports import Broadcast, Closable, Emit, Lifeline
from codeflow.core.results import RunResult
from codeflow.core.settings import Settings
from codeflow.core.values import (
    Decide,
    FileChange,
    Mode,
    Pattern,
    Question,
    Route,
    Status,
    Task,
    TaskKind,
)
from codeflow.knowledge.briefing import Briefing
from codeflow.orchestration.choosing import choose
from codeflow.orchestration.consulting import Consultations
from codeflow.orchestration.gates import Gates
from codeflow.orchestration.job import Job
from codeflow.orchestration.patterns.cascade import run_cascade
from codeflow.orchestration.patterns.graph import GraphRun
from codeflow.orchestration.patterns.single import run_single
from codeflow.orchestration.planner import Planning
from codeflow.orchestration.router import Router
from codeflow.orchestration.safety import Safety
from codeflow.orchestration.verdict import FAULT, INTERRUPTED, Verdict, judge
from codeflow.policies.cascade import Ladder
from codeflow.sessions.past import Past
from codeflow.telemetry.meter import Meter

BASELINE_PATIENCE_S = 5.0
"""How long the first message waits for the gates' state; a slower suite is measured beside the reading."""

INTERRUPT_PATIENCE_S = 0.1
"""How long an interrupted run may take to tell what it changed."""


HEARTBEAT_S = 0.5

_INCOMPLETE = "files_changed may be incomplete: look with `git status`."


@dataclass(slots=True, kw_only=True)
class Engine:
    """One run. Every part is given by the composition root; the engine decides the order."""

    task: Task
    settings: Settings
    notes: tuple[str, ...]
    broadcast: Broadcast
    meter: Meter
    router: Router
    safety: Safety
    gates: Gates
    brief: Callable[[], Briefing]
    make_crew: Callable[[Briefing, Route, Pattern], Crew]
    consultations: Consultations
    ladder: Callable[[Route], Ladder]
    """Who may begin a task of this route, and who takes over."""
    coders: Sequence[str]
    """Specialists that a plan may name."""
    late_warnings: Callable[[], Sequence[str]]
    """What only the end of a run shows, such as models without a price."""
    close_tools: Callable[[], Awaitable[None]]
    """Ends what tools keep running between their calls."""
    resources: Sequence[Closable]
    past: Past
    """What the session's log holds already."""
    resumes: bool
    """Whether the last run of the log goes on; else a new one begins."""
    not_as_said: tuple[str, ...]
    """Files that are not as the session's conversation says any more."""
    log: Lifeline
    decide: Decide | None
    """Asks how to go on after a failure; None where nobody is there."""
    _warnings: list[str] = field(default_factory=list)
    _job: Job | None = None
    _route: Route | None = None
    _pattern: Pattern | None = None
    _question: Question | None = None
    _started: float = field(default_factory=time.monotonic)

    async def run(self, consumers: Sequence[Emit] = ()) -> RunResult:
        """Do the task; every event reaches the consumers, RunFinished last whatever happens."""
        self.broadcast.consumers.extend([self._note, *consumers])
        self._begin()
        alive = asyncio.ensure_future(self._beat())
        verdict = FAULT
        try:
            verdict = await self._bounded()
        finally:
            alive.cancel()
            result = await self._close(verdict)
        return result

    async def _beat(self) -> None:
        while True:
            self.log.beat()
            if self._job:
                self._job.crew.mailbox.listen()
            await asyncio.sleep(HEARTBEAT_S)

    def _begin(self) -> None:
        """The first event, and what an earlier process spent; a call whose answer it lost has a cost as well."""
        started = RunStarted(
            session_id=self.log.session_id,
            task=self.task.text,
            workspace=str(self.task.home),
            mode=self.task.mode,
            roster=self.settings.run.roster,
            version=__version__,
            notes=self.notes,
            request=self.task,
            ended_at=None if self.resumes else self.log.ended_at,
            not_as_said=self.not_as_said,
        )
        if not self.resumes:
            self.broadcast(started)
            return
        run = self.past.run
        self.broadcast(
            RunResumed(
                started=started, calls=run.calls, known_cost=run.spend.known, ended_at=self.log.ended_at
            )
        )
        for call in run.lost.values():
            self.broadcast(_lost(call))

    async def _bounded(self) -> Verdict:
        """The work within its wall-clock limit, every expected end turned into a verdict."""
        timeout_s = self.task.limits.timeout_s
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                problem = await self._work()
        except asyncio.CancelledError:
            _uncancel()
            return INTERRUPTED
        except TimeoutError:
            if not limit.expired():
                raise
            return Verdict(Status.STOPPED, f"stopped after {timeout_s:g} s", "Give it longer with --timeout.")
        except PausedError as error:
            self._question = error.question
            return Verdict(error.status, str(error), _how_to_answer(self.log.session_id))
        except CodeflowError as error:
            return Verdict(error.status, str(error), error.hint or None)
        return judge(self._job, problem) if self._job else FAULT

    async def _work(self) -> str | None:
        route, briefing = await asyncio.gather(self._classify(), self._brief())
        self._route = route
        self.broadcast(Routed(route=route))
        chosen = self._choose(route)
        self._pattern = chosen.pattern
        self.broadcast(chosen)
        job = self._job = Job(
            task=self.task,
            route=route,
            facts=briefing.facts,
            crew=self.make_crew(briefing, route, chosen.pattern),
            gates=self.gates,
            settings=self.settings,
            emit=self.broadcast,
            safety=self.safety,
            past=self.past,
            plan=self.past.run.plan or self.task.plan,
            decide=self.decide,
            not_as_said=self.not_as_said,
        )
        self.consultations.job = job
        if self.task.plan is not None and self.past.run.plan is None:
            self.broadcast(Planned(plan=self.task.plan))
        plan_mode = self.task.mode is Mode.PLAN
        if self.task.dry_run or (plan_mode and self._pattern is Pattern.GRAPH):
            return await self._plan_only(job)
        await self._measure(route)
        if self.task.workflow is not None:
            from codeflow.orchestration.workflows.run import run_workflow  # 60 ms that other runs do not need

            problem = await run_workflow(job, self.task.workflow)
        elif self._pattern is Pattern.GRAPH:
            problem = await GraphRun(job, self._planning(job)).run()
        else:
            problem = await self._one_by_one(job, chosen)
        return problem or job.unproven()

    async def _one_by_one(self, job: Job, chosen: PatternChosen) -> str | None:
        """The patterns in which one specialist works, and another one only on red."""
        if chosen.pattern is Pattern.CASCADE:
            return await run_cascade(job, self.ladder(job.route), chosen.agent)
        return await run_single(job, chosen.agent)

    async def _classify(self) -> Route:
        known = self.past.run.route if self.resumes else None
        return known or await self.router.classify(self.task.text, self.task.complexity)

    async def _brief(self) -> Briefing:
        """The same briefing in every process of a run, so that its prompts stay the same."""
        known = self.past.run.briefing if self.resumes else None
        if known is not None:
            return Briefing(known.instructions, known.facts, ())
        briefing = await asyncio.to_thread(self.brief)
        self.broadcast(Briefed(instructions=briefing.instructions, facts=briefing.facts))
        for notice in briefing.notices:
            self.broadcast(Notice(level="info", text=notice))
        return briefing

    async def _measure(self, route: Route) -> None:
        """Save the tree and see what the gates say of it, before anybody changes it."""
        if route.kind is TaskKind.QUESTION or self.task.mode in (Mode.PLAN, Mode.ASK):
            return
        if route.kind is TaskKind.BUGFIX:
            self.gates.strict = frozenset({"tests"})
        await self.safety.ensure()
        self.gates.measure_baseline()
        try:
            async with asyncio.timeout(BASELINE_PATIENCE_S):
                await self.gates.baseline_ready()
        except TimeoutError:
            text = "the gates are slow; they are measured while the first agent reads"
            self.broadcast(Notice(level="info", text=text))

    def _choose(self, route: Route) -> PatternChosen:
        """What the run was begun with, if it was: the ledger may have learned something meanwhile."""
        begun = self.past.run.chosen if self.resumes else None
        if begun is not None and (begun.agent or begun.pattern is not Pattern.SINGLE):
            return begun
        return choose(self.task, route, self.ladder)

    def _planning(self, job: Job) -> Planning:
        return Planning(workspace=self.task.workspace, specialists=self.coders, once=job.once)

    async def _plan_only(self, job: Job) -> str | None:
        if self._pattern is not Pattern.GRAPH or job.plan is not None:
            return None
        planning = self._planning(job)
        while not planning.settled:
            message = job.next_message(planning.corrections)
            visit = await job.visits.make("architect", message, node="architect")
            planning.take(visit.text)
        if planning.plan is None:
            return f"no valid plan: {'; '.join(planning.problems)}"
        job.plan = planning.plan
        self.broadcast(Planned(plan=planning.plan))
        return None

    async def _close(self, verdict: Verdict) -> RunResult:
        files, diff, verdict = await self._compare(verdict)
        if self.safety.unavailable and self._job:
            files = self._claimed()
        if verdict.status is not Status.DONE and (problem := await self.safety.carry()):
            self._warn(problem)
        unheard = [f"you said, and nobody heard: {said.content}" for said in self.past.run.mail.unheard]
        for text in (*self.late_warnings(), *unheard):
            self._warn(text)
        result = self._result(verdict, files, diff)
        self.broadcast(RunFinished(result=result))
        for resource in self.resources:
            resource.close()
        return result

    async def _compare(self, verdict: Verdict) -> tuple[tuple[FileChange, ...], str, Verdict]:
        """What the run changed; an interrupted one, also one interrupted here, waits for it only shortly."""
        comparing = asyncio.ensure_future(self._settle())
        try:
            interrupted = verdict.status is Status.INTERRUPTED
            await asyncio.wait({comparing}, timeout=INTERRUPT_PATIENCE_S if interrupted else None)
        except asyncio.CancelledError:
            _uncancel()
            verdict = INTERRUPTED
            await asyncio.wait({comparing}, timeout=INTERRUPT_PATIENCE_S)
        if not comparing.done():
            self._warn("the run's changes were not compared with the checkpoint before it ended")
            return self._claimed(), "", replace(verdict, hint=self._incomplete())
        try:
            return *comparing.result(), verdict
        except CodeflowError as error:
            problem = f"the run's changes could not be compared with the checkpoint: {error}"
            self._warn(problem)
            if verdict.status is Status.DONE:
                verdict = Verdict(Status.FAILED, problem, _INCOMPLETE)
            return self._claimed(), "", verdict

    def _claimed(self) -> tuple[FileChange, ...]:
        """Changed files by the tools' own account, which counts no lines and knows no command's."""
        paths = sorted(self._job.crew.bench.changed) if self._job else ()
        return tuple(
            FileChange(path=path, change="changed", added_lines=0, removed_lines=0) for path in paths
        )

    def _incomplete(self) -> str:
        """What to do about changes that were not compared."""
        if self.safety.unavailable:
            return _INCOMPLETE
        return f"{_INCOMPLETE} Undo: codeflow undo {self.log.session_id}"

    async def _settle(self) -> tuple[tuple[FileChange, ...], str]:
        """End everything that could still change the tree, then look at it."""
        await self.gates.stop()
        await self.close_tools()
        return await self.safety.finish()

    def _note(self, event: Event) -> None:
        if isinstance(event, Notice) and event.level == "warning":
            self._warnings.append(event.text)

    def _warn(self, text: str) -> None:
        self.broadcast(Notice(level="warning", text=text))

    def _result(self, verdict: Verdict, files: tuple[FileChange, ...], diff: str) -> RunResult:
        job = self._job
        return RunResult(
            status=verdict.status,
            session_id=self.log.session_id,
            answer=(job.answer or job.crew.unfinished) if job else "",
            complexity=self._route.complexity if self._route else None,
            pattern=self._pattern,
            route=self._route,
            plan=job.plan if job else None,
            files_changed=files,
            diff=diff,
            gates=job.gate_results if job else (),
            usage=self.meter.usage,
            cost=self.meter.spend.total,
            known_cost=self.meter.spend.known,
            unpriced_calls=self.meter.spend.unpriced_calls,
            by_agent=self.meter.by_agent(),
            by_model=self.meter.by_model(),
            model_calls=self.meter.calls,
            duration_s=round(time.monotonic() - self._started + self._earlier_s(), 3),
            error=verdict.error,
            hint=verdict.hint
            or (f"Undo: codeflow undo {self.log.session_id}" if files and verdict.error else None),
            denied=tuple(job.crew.bench.denied) if job else (),
            question=self._question,
            outputs=job.outputs if job else None,
            worktree=self.task.worktree,
            escalations=tuple(job.escalations) if job else (),
            unread_messages=tuple(self.past.run.mail.unread),
            warnings=tuple(self._warnings),
        )

    def _earlier_s(self) -> float:
        return self.past.run.duration_s if self.resumes else 0.0


def _lost(call: ModelStarted) -> ModelCalled:
    """The service may have answered, and billed, a call that codeflow did not live to hear of."""
    return ModelCalled(
        agent=call.agent,
        step=call.step,
        attempt=call.attempt,
        model=call.model,
        invoked_model=call.model,
        usage=None,
        cost=None,
        duration_s=0.0,
        first_token_s=None,
        outcome="lost",
        detail="codeflow was killed before the answer was there",
    )


def _how_to_answer(session_id: str) -> str:
    return (
        f"Answer in a terminal with `codeflow resume {session_id}`, or with "
        "`codeflow resume … --approve` or `--deny REASON`."
    )


def _uncancel() -> None:
    """Take note of a cancellation, so that what follows can wait for things again."""
    current = asyncio.current_task()
    if current is not None:
        current.uncancel()
