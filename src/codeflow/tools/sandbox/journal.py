"""What stands on disk about a command while it runs, for the case that codeflow does not live to look after it.

The guard then runs this file as a script, with the journal's path; what it did is told when codeflow next works there.
"""

import fcntl
import json
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from codeflow.core.places import private_folder
from codeflow.tools.sandbox.protected import Protection
from codeflow.tools.sandbox.stashes import Stashes
from codeflow.tools.sandbox.watch import Watch


@dataclass(frozen=True, slots=True)
class Journal:
    """Locked as long as the process lives that wrote it."""

    path: Path
    _held: IO[str]

    def close(self, *, kept: bool) -> None:
        """The command was looked after; what is `kept` is told again when codeflow next works there."""
        if not kept:
            self.path.unlink(missing_ok=True)
        self._held.close()


def begin(folder: Path, watch: Watch) -> Journal:
    """Writes down what was there before a command.

    Raises:
        OSError: when it cannot be written.
    """
    path = private_folder(folder) / f"{uuid.uuid4().hex}.json"
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    json.dump(asdict(watch), file, default=str)
    file.flush()
    return Journal(path, file)


def told_late(folder: Path) -> Iterator[str]:
    """What a person should know of commands that outlived codeflow; each is told once."""
    for path in sorted(folder.glob("*.json")):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield from _late(file)
            path.unlink(missing_ok=True)


def _late(file: IO[str]) -> Iterator[str]:
    try:
        known = json.load(file)
    except ValueError:  # cut off while it was written: the command had not begun
        return
    if "told" in known:
        yield from known["told"]
        return
    watch = _watch(known)
    if watch.stashes and (taken := watch.stashes.put_back()):
        yield taken
    if touched := [*map(str, watch.touched())]:
        yield (
            "a command changed what is protected, and nobody could put it back: codeflow was killed, or was refused. Look "
            "at these before you use git, an editor or a shell here, they are not as they were before the command: "
            f"{', '.join(touched)}"
        )


def main(path: Path) -> None:
    """Puts aside what the command of a journal left, once codeflow is gone."""
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        watch = _watch(json.load(file))
        taken = watch.stashes.put_back() if watch.stashes else ""
        told = [*watch.put_aside().told, *filter(None, [taken])]
        file.seek(0)
        file.truncate()
        json.dump({"told": told}, file)
    if not told:
        path.unlink()


def _watch(known: dict[str, Any]) -> Watch:
    before, stashes = known["before"], known["stashes"]

    def pairs(name: str) -> tuple[tuple[Path, Path], ...]:
        return tuple((Path(folder), Path(path)) for folder, path in before[name])

    return Watch(
        before=Protection(
            real=(),
            links=tuple((Path(link), target) for link, target in before["links"]),
            absent=pairs("absent"),
            nested=pairs("nested"),
            todos=tuple((Path(root), Path(path), tuple(known)) for root, path, known in before["todos"]),
        ),
        aside=Path(known["aside"]),
        git=known["git"],
        copies=tuple((Path(root), Path(path), Path(copy)) for root, path, copy in known["copies"]),
        ends=tuple(known["ends"]),
        stashes=stashes
        and Stashes(
            Path(stashes["root"]),
            Path(stashes["git_folder"]),
            tuple((commit, message) for commit, message in stashes["entries"]),
        ),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
