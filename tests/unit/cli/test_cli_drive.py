import io
import signal
import subprocess
import sys
import textwrap

import pytest

from codeflow.cli.drive import Shield
from codeflow.core.events import Notice, RunFinished

ENGINE = """
    import asyncio, sys, threading, time
    from dataclasses import replace
    from decimal import Decimal
    from codeflow.cli.drive import Shield, drive
    from codeflow.cli.leaving import leave
    from codeflow.cli.render.json import json_renderer
    from codeflow.core.events import RunFinished
    from codeflow.core.results import RunResult
    from codeflow.core.values import EXIT_CODES, Status, Usage

    RESULT = RunResult(
        status=Status.INTERRUPTED, session_id="s", answer="", complexity=None, pattern=None, route=None, plan=None,
        files_changed=(), diff="", gates=(), usage=Usage(), cost=Decimal(0), known_cost=Decimal(0), unpriced_calls=0,
        by_agent=(), by_model=(), model_calls=0, duration_s=1.0,
    )

    class Engine:
        async def run(self, consumers):
            print("ready", file=sys.stderr, flush=True)
            try:
                await self.work()
            except asyncio.CancelledError:
                await self.wind_up()
            for consumer in consumers:
                consumer(RunFinished(result=RESULT))
            return RESULT

        async def work(self):
            await asyncio.to_thread(time.sleep, 60)

        async def wind_up(self):
            pass
"""
RUN = """
    result = drive(Engine(), [Shield(json_renderer(sys.stdout))])
    leave(EXIT_CODES[result.status])
"""
CRASHING = """
    from codeflow.cli.faults import report
    class Engine(Engine):
        async def run(self, consumers):
            await super().run(consumers)
            raise ZeroDivisionError("oops")

        async def work(self):
            pass

    try:
        drive(Engine(), [Shield(json_renderer(sys.stdout))])
    except Exception as error:
        leave(report(error, ["run", "--output", "json"]))
"""
STUBBORN = """
    class Engine(Engine):
        async def wind_up(self):
            print("winding up", file=sys.stderr, flush=True)
            time.sleep(60)
"""


def start(*parts: str) -> subprocess.Popen[str]:
    script = "".join(textwrap.dedent(part) for part in parts)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    assert process.stderr.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_its_result_although_a_thread_is_blocked(number):
    with start(ENGINE, RUN) as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert '"status": "interrupted"' in out


def test_a_second_interruption_does_not_wait_for_anything():
    with start(ENGINE, STUBBORN, RUN) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert process.stderr.readline() == "winding up\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130


def test_a_fault_at_the_end_of_a_run_does_not_print_a_second_result():
    with start(ENGINE, CRASHING) as process:
        assert process.stdout
        assert process.stderr
        out, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == 1
    assert out.count('"status"') == 1
    assert "codeflow: ZeroDivisionError: oops" in err


def test_a_run_whose_reader_went_away_goes_on_to_its_end():
    with start(ENGINE, "\n    sys.stderr.flush()\n", RUN) as process:
        assert process.stdout
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def test_a_shield_falls_silent_at_the_first_broken_write(result):
    out = io.StringIO()
    seen = []

    def consumer(event):
        seen.append(event)
        out.write("x")

    shield = Shield(consumer)
    shield(Notice(level="info", text="a"))
    out.close()
    shield(Notice(level="info", text="b"))
    shield(RunFinished(result=result))
    assert len(seen) == 2
    assert isinstance(shield.broken, ValueError)
