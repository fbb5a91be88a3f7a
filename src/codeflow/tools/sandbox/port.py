"""What every sandbox does for a command: a command line to start instead, and a look at what it left."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from codeflow.tools.sandbox import stashes
from codeflow.tools.sandbox.proxy import Proxy


def _nothing() -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Confined:
    """A command that is ready to be started. It may have so many processes at a time and write files so large; 0: any."""

    argv: Sequence[str]
    proxy: Proxy | None = None
    """Serves while the command runs, which inherits its channel."""
    processes: int = 0
    file_bytes: int = 0
    ended: Callable[[], Sequence[str]] = _nothing
    """Called when the command and all it started have ended: what to tell about what it tried."""
    journal: Path | None = None
    """What the guard is to look after when codeflow does not live to call `ended`."""
    hint: str = ""
    """What to say when it failed because something is read-only."""


class Sandbox(Protocol):
    """Holds commands to what they may reach."""

    @property
    def name(self) -> str: ...

    def confine(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        writable: Iterable[Path] = (),
        manager: str = "",
        looks: bool = False,
    ) -> Confined:
        """A program with its arguments, confined; `writable` are folders of codeflow's that it needs besides.

        `manager` is the package manager that the program is: it has the network, its own settings, and may add to its
        cache of packages. A program that only `looks`, such as a language server, cannot change the workspace.
        """
        ...


class Unconfined:
    """No sandbox: commands run with the user's rights."""

    name = "off"

    def confine(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],  # noqa: ARG002 - the port's
        writable: Iterable[Path] = (),  # noqa: ARG002
        manager: str = "",  # noqa: ARG002
        looks: bool = False,
    ) -> Confined:
        if looks:
            return Confined(argv=command)
        return Confined(argv=command, ended=partial(stashes.end, stashes.begin(cwd)))
