"""What a run of tests showed, whatever ran them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_MOST_SHOWN = 10
_MESSAGE_CHARS = 600
_MOST_NAMES = 40
_LEAST_DETAILS_CHARS = 80
_FRAME = re.compile(r"\s+at \S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed test. `test` is the target that runs it again, `place` is file:line or empty."""

    test: str
    place: str
    message: str
    details: str
    """The traceback and what the test printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Tests by how they ended; `unfinished` are those that had begun when the run was ended.

    `cut_short` says how the report shows that the run did not get to its end; it is empty for a complete one.
    """

    passed: int = 0
    skipped: int = 0
    failures: tuple[Failure, ...] = ()
    unfinished: tuple[str, ...] = ()
    cut_short: str = ""

    @property
    def ran(self) -> int:
        """How many tests were run or skipped."""
        return self.passed + self.skipped + len(self.failures)

    @property
    def early_end(self) -> str:
        """How the process left before its tests were through; empty when it did not."""
        if self.unfinished:
            running = ", ".join(self.unfinished[:5])
            return f"the test process ended in the middle of {running}: what should follow did not run"
        return self.cut_short

    @property
    def counts(self) -> str:
        """Such as "2 failed, 5 passed"."""
        named = {"failed": len(self.failures), "passed": self.passed, "skipped": self.skipped}
        return ", ".join(f"{count:,} {name}" for name, count in named.items() if count) or "no tests ran"


def text(report: Report, limit_chars: int) -> str:
    """The failures, each within its share of the limit; empty when there are none."""
    if not report.failures:
        return ""
    shown = report.failures[:_MOST_SHOWN]
    share = max(200, limit_chars // len(shown))
    parts = [_failure_text(failure, share) for failure in shown]
    if rest := report.failures[_MOST_SHOWN:]:
        names = [f"  {failure.test}" for failure in rest[:_MOST_NAMES]]
        parts.append("\n".join([f"{len(rest)} more failed; name one as target to see why:", *names]))
    return "\n\n".join(parts)


def _failure_text(failure: Failure, limit_chars: int) -> str:
    place = f"  at {failure.place}" if failure.place else ""
    message, details = failure.message.strip(), failure.details.strip()
    parts = [f"FAILED {failure.test}{place}"]
    opening = "\n".join(details.splitlines()[: message.count("\n") + 2])
    if message not in opening:
        parts.append(clip(message, min(_MESSAGE_CHARS, limit_chars)))
    room = limit_chars - sum(map(len, parts))
    if room >= _LEAST_DETAILS_CHARS:
        parts.append(clip(details, room))
    return "\n".join(part.rstrip() for part in parts if part.strip())


def clip(content: str, limit_chars: int) -> str:
    """The beginning and the end of a text that is too long."""
    content = content.strip("\n")
    if len(content) <= limit_chars:
        return content
    half = limit_chars // 2
    return f"{content[:half]}\n[... {len(content) - 2 * half:,} characters ...]\n{content[len(content) - half :]}"


def relative(path: str, root: Path) -> str:
    """A path as it is written inside the project; others stay as they are."""
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


def own_frames(trace: str, root: Path) -> str:
    """The trace without the stack frames of runners, libraries and the language."""
    trace = re.sub(r"^stack backtrace:\n(?: +.*\n?)*(?:note: .*\n?)?", "", trace, flags=re.MULTILINE)
    lines = trace.splitlines()
    return "\n".join(line for line in lines if not _FRAME.match(line) or place_in(line, root))


def place_in(trace: str, root: Path, names: Iterable[str] = ()) -> str:
    """The first file:line of a stack trace that belongs to the project, or that has one of the names."""
    for match in re.finditer(r"(?P<path>[\w./@+-]+\.\w+):(?P<line>\d+)", trace):
        path = Path(match["path"])
        inside = (root / path).is_file() and (root / path).is_relative_to(root)
        if (inside and "node_modules" not in path.parts) or match["path"] in names:
            return f"{relative(match['path'], root)}:{match['line']}"
    return ""
