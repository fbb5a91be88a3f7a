"""argv -> exit code."""

import gc
import os
import sys
from collections.abc import Sequence

from codeflow import __version__
from codeflow.cli import streams
from codeflow.cli.leaving import AbandonedCalls, leave

_OBJECTS_BEFORE_A_COLLECTION = 100_000
"""The default of 700 looks for garbage all through the imports, which leave none: a tenth of the start-up."""


_COMPLETING = "_CODEFLOW_COMPLETE"
"""Set by a shell that asks for completions, also where its stdin and stdout are the terminal."""


def main(argv: list[str] | None = None) -> int:
    """Run one command line; messages go to stderr, results to stdout."""
    arguments = sys.argv[1:] if argv is None else argv
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION)
    streams.prepare()
    try:
        code = _begin(arguments)
        streams.deliver()
    except AbandonedCalls as end:
        leave(end.code)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort: people never see a traceback
        from codeflow.cli.faults import report

        code = report(error, arguments)
    streams.settle()
    return code


def _begin(arguments: list[str]) -> int:
    if not arguments and not os.environ.get(_COMPLETING) and streams.are_interactive():
        from codeflow.cli.repl.loop import start

        return start(_run)
    return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    if [*arguments] == ["--version"]:
        sys.stdout.write(f"codeflow {__version__}\n")
        return 0
    from codeflow.cli.main import run_command_line

    return run_command_line(arguments)


if __name__ == "__main__":
    sys.exit(main())
