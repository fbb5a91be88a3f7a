"""`codeflow cost` on a ledger that a recorder wrote."""

import csv
import io
import json
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pexpect
import pytest
from tests.unit.cli.pages import check, words

from codeflow.cli.main import run_command_line
from codeflow.cli.render.clean import clean
from codeflow.cli.render.cost_csv import csv_of_calls
from codeflow.cli.request import moment
from codeflow.core.errors import UsageError
from codeflow.core.events import ModelCalled, PatternChosen, RunStarted
from codeflow.core.values import Complexity, Mode, Pattern, Usage
from codeflow.telemetry.bill import Call
from codeflow.telemetry.ledger import Ledger

HAIKU = "global.anthropic.claude-haiku-5-5"
HOSTILE = '=HYPERLINK("http:")<img src=x onerror=alert(1)>'
USAGE = Usage(input_tokens=1000, output_tokens=200, cache_read_tokens=3000)


def called(agent: str, cost: str | None, usage: Usage | None = USAGE) -> ModelCalled:
    return ModelCalled(
        agent=agent, step=1, attempt=1, model=HAIKU, invoked_model=HAIKU, usage=usage,
        cost=None if cost is None else Decimal(cost), duration_s=1.0, first_token_s=None, outcome="ok",
    )  # fmt: skip


@pytest.fixture
def spent(home, tmp_path) -> Path:
    """Ten days ago 2 dollars in `old`; just now 1 dollar, and a call of unknown cost, in a folder with a wicked name."""
    path = Path(home["XDG_STATE_HOME"]) / "codeflow/ledger.sqlite3"
    ledger = Ledger(path)
    begin = RunStarted(session_id="s", task="t", workspace="/", mode=Mode.EDIT, roster="r", version="1")
    chosen = PatternChosen(pattern=Pattern.SINGLE, complexity=Complexity.SIMPLE, reason="")
    record = ledger.recorder("20261112-080000-aaaa", tmp_path / "old")
    for event in (begin, chosen, called("fast_coder", "2")):
        record(event)
    record = ledger.recorder("20261122-080000-bbbb", tmp_path / HOSTILE)
    for event in (begin, called("router", "0.25"), called("coder", "0.75"), called("coder", None, None)):
        record(event)
    ledger.close()
    database = sqlite3.connect(path)
    ago = (datetime.now(UTC) - timedelta(days=10)).isoformat(timespec="microseconds")
    database.execute("UPDATE calls SET at = ? WHERE run = 1", (ago,))
    database.commit()
    database.close()
    return path


@pytest.fixture
def cost(home, folder, monkeypatch, capfd):
    """Runs `codeflow cost` in this process, away from the developer's own settings, and returns what it printed."""
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> str:
        assert run_command_line(["cost", *arguments]) == 0
        printed = capfd.readouterr()
        assert printed.err == ""
        return str(printed.out)

    return run


def test_the_bill_is_plain_columns_in_a_pipe_and_says_what_it_rests_on(cost, spent):
    shown = cost("--by", "agent")
    head, *lines = shown.splitlines()
    assert head.split() == ["agent", "calls", "in", "cached", "out", "cost"]
    assert lines[0].split() == ["fast_coder", "1", "4.0k", "75%", "200", "$2.00"]
    assert lines[3].split() == ["total", "4", "12.0k", "75%", "600", "≥", "$3.00"]
    assert "█" not in shown
    assert "1 of 4 calls could not be priced" in shown
    assert "Assumed: the same calls but the router's" in shown
    assert "Left out on both sides: 1 call of unknown size" in shown


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("--since 5", {"router", "coder"}),
        ("--since today", {"router", "coder"}),
        ("--until 5d", {"fast_coder"}),
        ("--repository old", {"fast_coder"}),
        ("--repository ../old", {"fast_coder"}),
        ("--session 20261122", {"router", "coder"}),
        ("--since 2000-01-01 --until 2000-12-31", set()),
    ],
)
def test_calls_can_be_chosen(cost, spent, tmp_path, arguments, names):
    (tmp_path / "old").mkdir()
    shown = cost("--by", "agent", "--output", "json", *arguments.split())
    assert {row["name"] for row in json.loads(shown)} == names


def test_json_has_sums_shares_and_the_comparison(cost, spent):
    shown = cost("--by", "session", "--versus", HAIKU, "--output", "json")
    old, new = json.loads(shown)
    assert (old["cost_usd"], old["cache_hit_rate"], old["unpriced_calls"]) == (2.0, 0.75, 0)
    assert (new["cost_usd"], new["cost_known_usd"], new["unpriced_calls"]) == (None, 1.0, 1)
    each = (1000 * 0.1 + 200 * 0.5 + 3000 * 0.01) / 1e6
    assert old["same_calls_with_usd"] == {HAIKU: pytest.approx(each)}
    assert new["same_calls_with_usd"] == {HAIKU: pytest.approx(each)}, "the router is spared"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--since yesterday", "--since yesterday: not a time"),
        ("--until 2026-13-01", "--until 2026-13-01: not a time"),
        ("--since 1d --until 2d", "--since is not before --until"),
        ("--repository odl", "--repository odl: nothing was done in a repository of this name"),
        ("--session 2026", "'2026' means several sessions"),
        ("--session zzz", "no session 'zzz'"),
        ("--versus nova-prro", "unknown model 'nova-prro'"),
        ("--csv --html x.html", "--csv, --html and --output json exclude each other"),
        ("--html missing/x.html", "missing/x.html: its folder does not exist"),
        ("--csv .", ".: is not a file"),
        ("--html notes.txt", "notes.txt: is there, and is another file"),
    ],
)
def test_what_cannot_be_used_is_said_with_a_hint(cost, spent, folder, arguments, message):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError) as refused:
        cost(*arguments.split())
    assert str(refused.value).startswith(message)
    assert refused.value.hint
    assert (folder / "notes.txt").read_text() == "mine"


def test_it_is_one_line_and_exit_2(cli, spent):
    done = cli("cost", "--html", "missing/x.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "codeflow: missing/x.html: its folder does not exist\n  Make it, or name another file.\n"
    )


def test_csv_is_one_row_a_call_and_calculates_nothing(cost, spent, folder):
    shown = cost("--csv", "calls.csv")
    assert shown == "calls.csv: written, readable by you alone\n"
    assert (folder / "calls.csv").stat().st_mode & 0o777 == 0o600
    content = (folder / "calls.csv").read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") == 5
    rows = [*csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)]
    assert [row["cost_usd"] for row in rows] == ["2", "0.25", "0.75", ""]
    assert rows[1]["repository"] == "'" + HOSTILE
    assert (rows[3]["input_tokens"], rows[3][f"same_calls_with {HAIKU} usd"]) == ("", "")


def test_csv_has_one_row_a_group_where_it_is_asked_for(cost, spent):
    grouped = [*csv.reader(io.StringIO(cost("--csv", "--by", "complexity")))]
    assert [row[0] for row in grouped] == ["complexity", "SIMPLE", ""]


@pytest.mark.parametrize("first", [*"=+-@\t\r\n", "＝", "＋", "－", "＠"])  # noqa: RUF001 - what spreadsheets take
def test_no_text_becomes_a_formula(first):
    call = Call(
        at=datetime.now(UTC), session=first, repository=f"{first}1", workspace=f'{first}"', complexity="", outcome="ok",
        agent=f"{first},", model=f"{first}\n", usage=None, cost=Decimal("1E-7"),
    )  # fmt: skip
    _, row = csv.reader(io.StringIO(csv_of_calls([call], []).text, newline=""), strict=True)
    assert row[1:4] == [f"'{first}", f"'{first}1", f"'{first}\""]
    assert (row[5:7], row[-1]) == ([f"'{first},", f"'{first}\n"], "0.0000001")


def test_the_page_has_every_breakdown_and_no_markup_of_others(cost, spent, folder):
    shown = cost("--by", "model", "--html", "costs.html")
    assert shown == "costs.html: written, readable by you alone\n"
    assert (folder / "costs.html").stat().st_mode & 0o777 == 0o600
    tree = check((folder / "costs.html").read_text())
    assert [words(one) for one in tree.xpath("//h2")] == [
        *("Dollars by day", "One model for everything", "By model", "By day", "By repository", "By agent"),
        *("By complexity", "By session"),
    ]
    bars = tree.xpath("//svg/rect")
    assert len(bars) == 11, "a column for each day, empty ones too"
    assert words(bars[0]).endswith("$2.00, 1 calls")
    assert HOSTILE in words(tree)
    assert "Another model would have taken other steps" in words(tree)
    assert "75% of the tokens read came from a cache" in words(tree).replace("75%of", "75% of")


def test_a_page_of_nothing_says_so(cost):
    assert "Nothing has been spent." in words(check(cost("--html")))


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_gets_bars_that_fit_its_window(home, folder, spent, columns):
    shown, code = pexpect.run(  # type: ignore[str-unpack]  # with its exit status it is a pair
        f"{sys.executable} -m codeflow cost --by agent --since 5",
        cwd=str(folder), env=home | {"TERM": "xterm", "NO_COLOR": "1"}, dimensions=(24, columns),
        withexitstatus=True, encoding="utf-8",
    )  # fmt: skip
    assert code == 0
    lines = clean(shown).splitlines()
    assert max(len(line) for line in lines) <= columns
    bars = {line.split()[0]: line.count("█") for line in lines if "█" in line}
    assert set(bars) == {"coder", "router"}
    assert bars["coder"] >= 2 * bars["router"] > 0


def test_days_are_local_and_whole():
    begin, end = moment("2026-11-01", "--since"), moment("2026-11-01", "--until", is_end=True)
    assert end - begin == timedelta(days=1)
    assert (begin.hour, begin.minute, begin.utcoffset() is None) == (0, 0, False)
    assert moment("2026-11-01T10:00", "--until", is_end=True).hour == 10
    for text in ("", "x", "9999-12-31", "0000-01-01", "٣"):
        with pytest.raises(UsageError):
            moment(text, "--until", is_end=True)
