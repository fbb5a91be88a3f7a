"""JUnit's XML, as Maven, Gradle and Node write it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from codeflow.tools.testing.report import Failure, Report, own_frames, place_in

_DESELECTED = "test name does not match pattern"
"""What Node before its version 22 says of each test that was not asked for."""


def read_junit(
    documents: Iterable[str | bytes], root: Path, test_id: Callable[[ET.Element, str], str]
) -> Report | None:
    """All documents as one report; `test_id` names a case from its element and its place. None without any case."""
    found = [case for document in documents for case in _cases(document)]
    if not found:
        return None
    cases = [case for case in found if not _was_deselected(case)]
    failures = tuple(_failure(case, root, test_id) for case in cases if _fault(case) is not None)
    skipped = sum(case.find("skipped") is not None for case in cases)
    return Report(passed=len(cases) - skipped - len(failures), skipped=skipped, failures=failures)


def _cases(document: str | bytes) -> list[ET.Element]:
    """Those of a document that is complete; a runner that was killed leaves a torn one."""
    try:
        return list(ET.fromstring(document).iter("testcase"))  # noqa: S314 - expat bounds entity expansion
    except ET.ParseError:
        return []


def _was_deselected(case: ET.Element) -> bool:
    skipped = case.find("skipped")
    return skipped is not None and skipped.get("message") == _DESELECTED


def _fault(case: ET.Element) -> ET.Element | None:
    failure = case.find("failure")
    return failure if failure is not None else case.find("error")


def _failure(case: ET.Element, root: Path, test_id: Callable[[ET.Element, str], str]) -> Failure:
    fault = _fault(case)
    trace = (fault.text or "").strip() if fault is not None else ""
    message = fault.get("message", "") if fault is not None else ""
    own_file = case.get("classname", "").rpartition(".")[2].partition("$")[0]
    place = place_in(trace, root, [f"{own_file}.{suffix}" for suffix in ("java", "kt", "groovy", "scala")])
    printed = "\n".join(case.findtext(name) or "" for name in ("system-out", "system-err")).strip()
    details = own_frames(trace, root)
    if printed:
        details += f"\n--- printed ---\n{printed}"
    return Failure(
        test=test_id(case, place),
        place=place,
        message=message or trace.partition("\n")[0],
        details=details,
    )
