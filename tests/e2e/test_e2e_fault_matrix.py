"""Each row of the fault matrix is played on the wire, and docs/reliability.md shows what came of it."""

import os

import pytest
from tests.e2e.fault_matrix import HEAD, ROWS, documented, line, play_all

from codeflow.models.endpoint import environment

REWRITE = (
    "docs/reliability.md is out of date: run `python -m tests.e2e.fault_matrix` and look at the difference"
)


@pytest.fixture(autouse=True)
def _own_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """No AWS configuration of this machine reaches a run; each case names its own endpoint."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)


def marked(row):
    silent = "stall" in row.fault
    return pytest.param(row, id=row.title, marks=[pytest.mark.slow] if silent else [])


@pytest.mark.slow
@pytest.mark.parametrize("row", [marked(row) for row in ROWS])
def test_a_fault_ends_as_documented(row, tmp_path):
    endings = play_all(row, tmp_path)
    for ending in endings:
        result = ending.result
        assert ending.violations == ()
        assert (result.cost is None) == bool(result.unpriced_calls)
        assert result.known_cost > 0 or result.model_calls == len(ending.tries)
        assert bool(result.error) == bool(ending.exit_code)
        assert result.hint or ending.exit_code not in {75, 77}
    assert line(row, endings) in documented(), REWRITE


def test_the_document_shows_every_row_and_no_other():
    shown = [tuple(cell.strip() for cell in text.split("|")[1:3]) for text in documented()[len(HEAD) :]]
    assert documented()[: len(HEAD)] == HEAD, REWRITE
    assert shown == [(row.name, row.moment) for row in ROWS], REWRITE
