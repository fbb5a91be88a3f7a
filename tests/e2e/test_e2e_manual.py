"""The manual page says what the commands say, in a form that man and mandoc take without a word."""

import shutil
import subprocess

import pytest


@pytest.fixture
def page(shell) -> str:
    done = shell("man", env={"SOURCE_DATE_EPOCH": "0"})
    assert (done.code, done.stderr) == (0, "")
    return str(done.stdout)


@pytest.mark.parametrize(
    "checker", [["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-man", "-ww", "-z", "-Tutf8"]]
)
def test_it_is_valid(page, checker):
    if shutil.which(checker[0]) is None:
        pytest.skip(f"{checker[0]} is not installed")
    done = subprocess.run(checker, input=page, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_has_every_command_and_option(page):
    text = page.replace(r"\-", "-")
    assert '.TH CODEFLOW 1 "1970-01-01"' in text
    for part in (
        "codeflow run ",
        "codeflow sessions export ",
        "--max-cost USD",
        "--profile",
        r"\fB77\fR",
    ):
        assert part in text
