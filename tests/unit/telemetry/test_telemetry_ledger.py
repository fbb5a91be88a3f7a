import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from codeflow.core.errors import CodeflowError
from codeflow.core.events import ModelCalled, PatternChosen, RunStarted
from codeflow.core.values import Complexity, Mode, Pattern, Usage
from codeflow.telemetry.ledger import Ledger

STARTED = RunStarted(session_id="s", task="t", workspace="/w", mode=Mode.EDIT, roster="current", version="1")
CHOSEN = PatternChosen(pattern=Pattern.SINGLE, complexity=Complexity.SIMPLE, reason="")


def called(agent: str = "coder", cost: str | None = "0.1", usage: Usage | None = None) -> ModelCalled:
    return ModelCalled(
        agent=agent, step=1, attempt=1, model="m", invoked_model="m", usage=usage,
        cost=None if cost is None else Decimal(cost), duration_s=1.0, first_token_s=None, outcome="ok",
    )  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "state" / "ledger.sqlite3")
    yield opened
    opened.close()


def test_costs_are_summed_exactly_and_unknown_ones_counted(ledger, tmp_path):
    record = ledger.recorder("s1", tmp_path)
    record(STARTED)
    for _ in range(10):
        record(called(usage=Usage(input_tokens=10, cache_read_tokens=30)))
    record(called(cost=None))
    (row,) = ledger.report("agent")
    assert (row.name, row.calls, row.known_cost, row.unpriced_calls) == ("coder", 11, Decimal("1.0"), 1)
    assert row.usage == Usage(input_tokens=100, cache_read_tokens=300)
    assert row.cache_read_share == 0.75


def test_the_complexity_holds_for_calls_before_it_was_known(ledger, tmp_path):
    record = ledger.recorder("s1", tmp_path)
    for event in (STARTED, called("router"), CHOSEN, called("coder"), STARTED, called("router")):
        record(event)
    assert {row.name: row.calls for row in ledger.report("complexity")} == {"SIMPLE": 2, "-": 1}


def test_a_repository_is_named_by_the_folder_that_holds_git(ledger, tmp_path):
    (tmp_path / "project" / ".git").mkdir(parents=True)
    (tmp_path / "project" / "sub").mkdir()
    for workspace in (tmp_path / "project" / "sub", tmp_path / "project"):
        record = ledger.recorder("s1", workspace)
        record(STARTED)
        record(called())
    assert [(row.name, row.calls) for row in ledger.report("repository")] == [("project", 2)]


def test_rows_come_dearest_first(ledger, tmp_path):
    record = ledger.recorder("s1", tmp_path)
    for event in (STARTED, called("cheap", "0.1"), called("dear", "9"), called("middle", "1")):
        record(event)
    assert [row.name for row in ledger.report("agent")] == ["dear", "middle", "cheap"]


def test_since_leaves_out_what_is_older_and_days_are_local(ledger, tmp_path):
    record = ledger.recorder("s1", tmp_path)
    record(STARTED)
    record(called())
    now = datetime.now(UTC)
    assert ledger.report("day", since=now + timedelta(seconds=5)) == []
    (row,) = ledger.report("day", since=now - timedelta(hours=1))
    assert row.name in {
        now.astimezone().date().isoformat(),
        datetime.now(UTC).astimezone().date().isoformat(),
    }


def test_the_file_is_readable_by_its_owner_only(ledger, tmp_path):
    files = list((tmp_path / "state").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_several_processes_open_and_write_at_once(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_telemetry_ledger import STARTED, called\n"
        "from codeflow.telemetry.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "record = ledger.recorder(sys.argv[2], Path('/'))\n"
        "record(STARTED)\n"
        "for _ in range(40): record(called())\n"
        "print(record.problem)\n"
    )
    path = tmp_path / "ledger.sqlite3"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), f"s{number}"], stdout=subprocess.PIPE, text=True
        )
        for number in range(3)
    ]
    assert [process.communicate()[0] for process in processes] == ["None\n"] * 3
    ledger = Ledger(path)
    assert [row.calls for row in ledger.report("session")] == [40, 40, 40]
    ledger.close()


@pytest.mark.parametrize(
    "content", [b"this is not a database, but long enough to be taken for one" * 20, None]
)
def test_a_ledger_that_cannot_be_opened_is_a_clear_error(tmp_path, content):
    path = tmp_path / "ledger.sqlite3"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(CodeflowError, match="the cost ledger cannot be opened") as error:
        Ledger(path)
    assert "runs go on without it" in error.value.hint


def test_a_ledger_of_a_newer_codeflow_is_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(CodeflowError, match="newer codeflow"):
        Ledger(path)


def test_a_write_that_fails_is_remembered_and_not_raised(ledger, tmp_path):
    record = ledger.recorder("s1", tmp_path)
    record(STARTED)
    with sqlite3.connect(tmp_path / "state" / "ledger.sqlite3") as other:
        other.execute("DROP TABLE calls")
    other.close()
    record(called())
    assert record.problem == "the cost ledger misses calls of this run: no such table: calls"


READER = """
import os, sys
from pathlib import Path
from codeflow.telemetry.ledger import ledger_to_read
if os.getuid() == 0:
    os.setuid(65534)
with ledger_to_read(Path(sys.argv[1])) as ledger:
    print([row.calls for row in ledger.report("session")])
"""


def test_a_ledger_in_a_read_only_folder_is_read_with_what_a_killed_process_left_beside_it():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders may be entered by nobody else
        path = Path(folder) / "ledger.sqlite3"
        writer = Ledger(path)
        record = writer.recorder("s1", Path("/"))
        record(STARTED)
        record(called())
        assert path.with_name(f"{path.name}-wal").stat().st_size > 0
        for file in Path(folder).iterdir():
            file.chmod(0o444)
        Path(folder).chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=False
        )
        Path(folder).chmod(0o700)
        writer.close()
    assert (done.stdout, done.stderr) == ("[1]\n", "")


def test_a_copy_of_a_session_does_not_count_its_calls_again(ledger):
    calls = [called() for _ in range(3)]
    record = ledger.recorder("original", Path("/"))
    record(STARTED)
    for call in calls[:2]:  # the third was made elsewhere
        record(call)
    copy = ledger.recorder("copy", Path("/"))
    copy.catch_up(calls, "original")
    assert {row.name: row.calls for row in ledger.report("session")} == {"original": 2, "copy": 1}
    stranger = ledger.recorder("stranger", Path("/"))
    stranger.catch_up(calls, "never heard of")
    assert {row.name: row.calls for row in ledger.report("session")}["stranger"] == 3
