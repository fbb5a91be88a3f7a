"""Prints how other agents' edit functions fare with the damaged edits of tests.bench.edits.

Nothing is installed by this; each peer is given by its name and where it was installed:

    python -m tests.bench.edit_peers aider-editblock=PYTHON aider-udiff=PYTHON codex=BINARY \
        gemini/10=NODE_MODULES cline-editor=NODE_MODULES cline-patch/10=NODE_MODULES opencode=BINARY

`/10` takes every tenth case only, for peers that need a second for one. Peers that take search and replace blocks are
compared with edit_file, those that take patches with apply_patch.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.bench.edit_cases import RELEASES, Case, cases
from tests.bench.edit_damages import DAMAGES
from tests.bench.edit_patches import NAME, applied, codex_style
from tests.bench.edits import (
    LABELS,
    NOT_AS_PATCH,
    Apply,
    Labelled,
    Scores,
    damaged,
    edit_file,
    exact_once,
    measure,
    row,
    total,
)

HERE = Path(__file__).parent / "peers"
TIMEOUT = 60
PATCHES = {"aider-udiff", "codex", "cline-patch"}
"""Peers that take a patch, which is the same with and without final newlines."""
NO_NEWLINE = ", no final \\n"


@contextmanager
def answering(command: list[str]) -> Iterator[Apply]:
    """A peer that answers lines of JSON."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        reader, writer = process.stdout, process.stdin

        def apply(case: Case) -> str | None:
            request = {"content": case.content, "old": case.old, "new": case.new, "patch": codex_style(case)}
            writer.write(json.dumps(request) + "\n")
            writer.flush()
            answer = json.loads(reader.readline())
            return None if answer == case.content else answer

        yield apply
        writer.close()


def codex(binary: str, case: Case) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, NAME)
        file.write_bytes(case.content.encode())
        command = [binary, "--codex-run-as-apply-patch", codex_style(case)]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=TIMEOUT, check=False)
        after = file.read_bytes().decode()
    return None if done.returncode or after == case.content else after


@contextmanager
def peer(name: str, place: str) -> Iterator[Apply]:
    if name == "codex":
        yield lambda case: codex(place, case)
        return
    if name.startswith("aider-"):
        command = [place, str(HERE / "aider_peer.py"), name.removeprefix("aider-")]
    else:
        command = ["node", str(HERE / "node_peer.mjs"), name, place]
    with answering(command) as apply:
        yield apply


def trimmed(case: Case) -> Case:
    """Old and new text without their final newlines, as many models send them."""
    if not (case.old.endswith("\n") and case.new.endswith("\n")):
        return case
    return replace(case, old=case.old.removesuffix("\n"), new=case.new.removesuffix("\n"))


def report(name: str, apply: Apply, found: list[Labelled], *, forms: int = 2) -> dict[str, Scores]:
    """Prints the rows of one tool, without the second form for patches, which are the same in both."""
    trimmed_too = [
        ("", found),
        (NO_NEWLINE, [(damage, label, trimmed(case)) for damage, label, case in found]),
    ]
    result = {}
    for suffix, labelled in trimmed_too[:forms]:
        scores = result[suffix] = measure(labelled, apply)
        lines = [row(name + suffix, label or "all", total(scores, label)) for label in LABELS]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    return result


def behind(ours: dict[str, Scores], theirs: dict[str, Scores]) -> Iterator[str]:
    """A row for each kind of damage that a peer is more often right about than we are, our scores first."""
    for suffix, scores in theirs.items():
        for damage, score in scores.items():
            if score["right"] > ours[suffix][damage]["right"]:
                yield row(f"  {damage}{suffix}", DAMAGES[damage][0], ours[suffix][damage], score)


def compare(name: str, place: str, found: list[Labelled]) -> None:
    """Prints how a peer and we fare with the same cases, and where the peer is better."""
    if name in PATCHES:
        found = [case for case in found if case[0] not in NOT_AS_PATCH]
        ours = report("codeflow", lambda case: applied(case.content, codex_style(case)), found, forms=1)
    else:
        ours = report("codeflow", edit_file, found)
    with peer(name, place) as apply:
        theirs = report(name, apply, found, forms=len(ours))
    sys.stdout.write("".join(f"{line}\n" for line in behind(ours, theirs)))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = list(damaged(cases(Path(folder), RELEASES)))
    report("exact once", exact_once, found)
    for argument in sys.argv[1:]:
        name, _, place = argument.partition("=")
        name, _, every = name.partition("/")
        compare(name, place, found[:: int(every or 1)])


if __name__ == "__main__":
    main()
