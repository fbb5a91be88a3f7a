"""`python -m codeflow.models.endpoint TRANSCRIPT`: serve a transcript to any program that uses boto3."""

import argparse
import contextlib
import shlex
import sys
import threading
from pathlib import Path

from codeflow.core.errors import CodeflowError
from codeflow.models.catalogue import Catalogue
from codeflow.models.endpoint import CONFLICTING_VARIABLES, Endpoint, environment, load, rules_from


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m codeflow.models.endpoint", description=__doc__)
    parser.add_argument("transcript", type=Path)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    arguments = parser.parse_args()
    interrupted = contextlib.suppress(KeyboardInterrupt)  # Ctrl-C is how serving ends
    try:
        rules_for = rules_from(Catalogue.load())
        script = load(arguments.transcript)
        with interrupted, Endpoint(script, rules_for=rules_for, port=arguments.port) as endpoint:
            lines = [f"unset {name}" for name in CONFLICTING_VARIABLES]
            lines += [f"export {name}={shlex.quote(v)}" for name, v in environment(endpoint.url).items()]
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
            threading.Event().wait()
    except CodeflowError as error:
        sys.stderr.write(f"{error}\n{error.hint}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
