from pathlib import Path

import pytest

from codeflow.cli.reports import Report, check_place, write_report
from codeflow.core.errors import UsageError

FIRST, SECOND = Report("<page a>\nold", "<page a>"), Report("<page a>\n\ud800new", "<page a>")


def test_an_older_report_of_the_kind_is_replaced_and_nobody_else_can_read_it(tmp_path, capsys):
    place = tmp_path / "report"
    write_report(place, FIRST)
    place.chmod(0o644)
    write_report(place, SECOND)
    assert place.read_bytes() == b"<page a>\n?new"
    assert place.stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr().out.split("\n") == [
        f"{place}: written, readable by you alone",
        f"{place}: replaced, readable by you alone",
        "",
    ]
    assert [*tmp_path.iterdir()] == [place]


def test_another_file_stays_and_an_empty_one_does_not(tmp_path):
    place = tmp_path / "report"
    place.touch()
    write_report(place, FIRST)
    with pytest.raises(UsageError, match="is there, and is another file"):
        write_report(place, Report("<page b>", "<page b>"))
    assert place.read_text() == FIRST.text


def test_a_link_stays_one(tmp_path):
    place, link = tmp_path / "report", tmp_path / "link"
    write_report(place, FIRST)
    link.symlink_to(place)
    write_report(link, SECOND)
    assert link.is_symlink()
    assert place.read_bytes().endswith(b"new")


def test_a_name_that_cannot_be_is_said_and_nothing_is_left_behind(tmp_path):
    place = tmp_path / ("x" * 255)
    place.touch()
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(place.with_name("x" * 256), FIRST)
    assert [*tmp_path.iterdir()] == [place]


def test_a_pipe_has_the_report_and_nothing_else(capfdbinary):
    write_report(Path("-"), FIRST)
    assert capfdbinary.readouterr().out == FIRST.text.encode()


@pytest.mark.parametrize("place", [".", "/dev/null", "missing/x"])
def test_a_place_for_no_file_is_refused(place):
    with pytest.raises(UsageError):
        check_place(Path(place), is_page=True)
