"""How a process ends that must not wait for its threads."""

import os
import sys
from typing import NoReturn


class AbandonedCalls(BaseException):
    """All is done, but threads may still wait for a model, up to the connection's timeout."""

    def __init__(self, code: int) -> None:
        """`code` is the exit code of what was done."""
        super().__init__(code)
        self.code = code


class Leave(Exception):  # noqa: N818 - no error
    """The person wants to leave, or is to."""


def leave(code: int) -> NoReturn:
    """End the process now, without waiting for anything."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
