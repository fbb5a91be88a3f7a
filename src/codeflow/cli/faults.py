"""Faults as people and programs see them: one line, what to do about it, an exit code."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import typer

from codeflow.cli.render.clean import one_line
from codeflow.cli.render.json import fault_object
from codeflow.core.errors import CodeflowError, UsageError
from codeflow.core.redaction import Redactor
from codeflow.core.values import EXIT_CODES, EXIT_USAGE, Status

USAGE = "usage"
_RUNS = frozenset({"run", "plan", "resume", "replay"})
"""The commands whose JSON is a result object."""
CRASH_HINT = "Run `codeflow --debug …` again for the traceback."


class CrashError(CodeflowError):
    """A fault inside codeflow ended a run, and the run's result has been shown already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a command ended without a result; `status` is a run status or `usage`."""

    status: str
    exit_code: int
    message: str
    hint: str


def explain(error: BaseException) -> Fault:
    """What to tell about an exception that ended a command."""
    match error:
        case UsageError():
            return Fault(status=USAGE, exit_code=EXIT_USAGE, message=str(error), hint=error.hint)
        case CodeflowError():
            return Fault(status=error.status, exit_code=error.exit_code, message=str(error), hint=error.hint)
        case typer.TyperException():
            hint = "`codeflow --help` lists the commands, `codeflow COMMAND --help` their options."
            return Fault(status=USAGE, exit_code=EXIT_USAGE, message=error.format_message(), hint=hint)
        case KeyboardInterrupt() | typer.Abort():
            return _failed(Status.INTERRUPTED, "interrupted", "")
        case OSError() if error.strerror:
            where = f"{error.filename}: " if error.filename else ""
            return _failed(Status.FAILED, f"{where}{error.strerror}", "")
        case _:
            message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return _failed(Status.FAILED, message, CRASH_HINT)


def report(error: BaseException, argv: Sequence[str]) -> int:
    """Tell about the exception on stderr, and on stdout where JSON was asked for; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        return EXIT_CODES[Status.DONE]  # the reader went away (`| head`) and has had what was wanted
    redact = Redactor(os.environ).redact
    if "--debug" in argv or os.environ.get("CODEFLOW_DEBUG") == "1":
        sys.stderr.write(redact("".join(traceback.format_exception(error))))
    fault = _redacted(explain(error), redact)
    print(f"codeflow: {one_line(fault.message)}", file=sys.stderr)
    if fault.hint:
        print(f"  {one_line(fault.hint)}", file=sys.stderr)
    output = _machine_output(argv)
    if output and not isinstance(error, CrashError):
        fields = fault_object(fault.status, fault.exit_code, fault.message, fault.hint)
        envelope = {"kind": "result"} if output == "stream-json" else {}
        print(json.dumps(envelope | fields))
    return fault.exit_code


def _redacted(fault: Fault, redact: Callable[[str], str]) -> Fault:
    """The fault without credentials: it may quote a URL or an answer of a service."""
    return replace(fault, message=redact(fault.message), hint=redact(fault.hint))


def _failed(status: Status, message: str, hint: str) -> Fault:
    return Fault(status=status, exit_code=EXIT_CODES[status], message=message, hint=hint)


def _machine_output(argv: Sequence[str]) -> str | None:
    """The JSON form that a run was asked for, read from argv because parsing it may be what failed."""
    if not _RUNS.intersection(argv):
        return None
    for position, argument in enumerate(argv):
        following = argv[position + 1 : position + 2]
        value = following[0] if argument == "--output" and following else argument.removeprefix("--output=")
        if value in {"json", "stream-json"}:
            return value
    return None
