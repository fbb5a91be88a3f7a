"""A pytest plugin that writes one line of JSON for each event to $CODEFLOW_TEST_REPORT.

It runs in the user's interpreter, so it needs nothing but pytest and works on old Pythons. A command may run pytest
more than once: every line names its `run`, which is over when it has said `finish`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

_LONGEST = 6000

# Tests see the environment as it was, and runs of pytest inside tests report nothing.
_report_path = os.environ.pop("CODEFLOW_TEST_REPORT", None)
for _name, _own in (("PYTEST_ADDOPTS", "-p codeflow_pytest"), ("PYTHONPATH", str(Path(__file__).parent))):
    _rest = os.environ.get(_name, "").replace(_own, "", 1).strip(" " + os.pathsep)
    if _rest:
        os.environ[_name] = _rest
    else:
        os.environ.pop(_name, None)


def pytest_configure(config: Any) -> None:
    # Under xdist the controller hears everything; workers would say it twice.
    if _report_path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(_report_path), "codeflow-recorder")


class _Recorder:
    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - open for the whole session
        self._run = os.getpid()
        self._write(event="begin")

    def _write(self, **event: Any) -> None:
        self._file.write(json.dumps({"run": self._run, **event}) + "\n")
        self._file.flush()

    def pytest_collection_finish(self, session: Any) -> None:
        self._write(event="collected", count=len({item.nodeid for item in session.items}))

    @pytest.hookimpl(optionalhook=True)  # type: ignore[untyped-decorator,unused-ignore]  # pytest of the user's project
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._write(event="collected", count=len(set(ids)))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(event="start", id=nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or not report.passed:
            self._write(event="result", id=report.nodeid, outcome=report.outcome, **_failure(report))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write(event="end", id=nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._write(event="result", id=report.nodeid, outcome="failed", **_failure(report))

    @pytest.hookimpl(tryfirst=True)  # type: ignore[untyped-decorator,unused-ignore]  # as above
    def pytest_sessionfinish(self) -> None:
        self._write(event="finish")
        self._file.close()


def _failure(report: Any) -> dict[str, Any]:
    if not report.failed:
        return {}
    crash = getattr(report.longrepr, "reprcrash", None)
    captured = {title: text[-_LONGEST:] for title, text in report.sections if text.strip()}
    return {
        "path": str(crash.path) if crash else "",
        "line": crash.lineno if crash else 0,
        "message": str(crash.message)[:_LONGEST] if crash else "",
        "location": [report.location[0], (report.location[1] or 0) + 1]
        if hasattr(report, "location")
        else [],
        "text": report.longreprtext[-_LONGEST:],
        "captured": captured,
    }
