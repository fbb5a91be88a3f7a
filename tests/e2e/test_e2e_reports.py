"""Reports on a run that took place: the bill and the transcript, for spreadsheets and browsers."""

import csv
import io
import json

import pytest
from tests.e2e.harness import REPAIR, SAID
from tests.unit.cli.pages import check, words

HOSTILE = "<script>alert(1)</script> **done** ![x](http://evil/x.png)"


@pytest.mark.slow
def test_a_run_can_be_read_and_its_bill_adds_up(shell, scripted, tmp_path):
    with scripted([*REPAIR[:-1], {**SAID, "say": HOSTILE}]) as endpoint:
        result = shell.run(endpoint).result
    page = tmp_path / "s.html"
    shown = shell("sessions", "show", result["session_id"], "--html", str(page))
    assert (shown.code, shown.stderr) == (0, "")
    tree = check(page.read_text())
    told = words(tree)
    for said in (
        "make the failing test pass",
        "✗ gate tests red",
        "✓ gate tests green",
        "✓ edit_file calc.py",
        "Done in",
    ):
        assert said in told, said
    assert [one.text for one in tree.xpath("//article//*[@class='add']")] == ["+    2\t    return a + b"]
    assert [words(one) for one in tree.xpath("//section[@class='end']//strong")] == ["done"]

    csv_rows = [*csv.DictReader(io.StringIO(shell("cost", "--csv").stdout))]
    assert [row["agent"] for row in csv_rows] == ["router", "fast_coder", "fast_coder", "fast_coder"]
    assert sum(float(row["cost_usd"]) for row in csv_rows) == pytest.approx(result["cost_usd"])
    (row,) = json.loads(shell("cost", "--repository", ".", "--output", "json").stdout)
    assert row["cost_usd"] == pytest.approx(result["cost_usd"])
    assert check(shell("cost", "--html").stdout).xpath("//svg/rect")
