"""What holds for every test: no socket leaves this machine, and no clock decides whether a law holds."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests import user_python
from tests.attacks.world import NO_SANDBOX

settings.register_profile("codeflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("codeflow")  # by default, an example of more than 200 ms is a failure

_LOOPBACK = ("127.", "::1", "localhost")


def _refuse_the_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
        raise OSError(f"a test tried to reach {address[0]}: the wire is faked on the loopback only")


sys.addaudithook(_refuse_the_network)

# a machine without a sandbox runs the other tests all the same; those of the sandbox say why they are skipped
if NO_SANDBOX:
    os.environ["CODEFLOW_SANDBOX__BACKEND"] = "off"


_USER_PYTHON = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # a worker inherits the environment of the process that starts it
        return
    folder = config.stash[_USER_PYTHON] = Path(tempfile.mkdtemp(prefix="user-python-"))
    os.environ["PATH"] = os.pathsep.join([str(user_python.create(folder)), os.environ["PATH"]])


def pytest_unconfigure(config: pytest.Config) -> None:
    if _USER_PYTHON in config.stash:
        shutil.rmtree(config.stash[_USER_PYTHON], ignore_errors=True)
