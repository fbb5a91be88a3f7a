"""Prints what showing a fast stream costs the prompt, and how long a key takes meanwhile; `python -m tests.bench.prompt`.

The endpoint sends an answer of numbered words, in frames of a size and pace that come to about 2,000 tokens a second,
from a process of its own. `codeflow` runs on a pseudo-terminal; a key is typed four times a second, and its latency is
the time until the terminal is sent anything back that shows it.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pexpect
import yaml

from codeflow.models.endpoint import environment
from codeflow.models.endpoint.answers import DELTA_CHARS

TOKENS_A_SECOND = 2_000
CHARS_A_TOKEN = 4
CHARS_A_WORD = 8
KEY = "~"
ASKS = "\x1b[6n"
WORD = re.compile(r"w(\d{6})")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")
TICKS = os.sysconf("SC_CLK_TCK")
ROUTED = '{"complexity": "SIMPLE", "kind": "question", "confidence": 0.9, "reason": "asks"}'


def answer(tokens: int) -> str:
    """Paragraphs, a list and code, of words that are numbered, so that a lost or moved one is seen."""
    words = [f"w{number:06d}" for number in range(tokens * CHARS_A_TOKEN // CHARS_A_WORD)]
    parts = [words[start : start + 80] for start in range(0, len(words), 80)]
    shapes: tuple[Callable[[Sequence[str]], str], ...] = (" ".join, _list, _code)
    return "\n\n".join(shapes[index % 3](part) for index, part in enumerate(parts))


def _list(words: Sequence[str]) -> str:
    return "\n".join(f"- {word}" for word in words)


def _code(words: Sequence[str]) -> str:
    return "```python\n" + "\n".join(f"{word} = 1" for word in words) + "\n```"


def served(folder: Path, seconds: int) -> tuple[subprocess.Popen[str], str]:
    """An endpoint in a process of its own, and its address."""
    pace_ms = int(0.6 * 1_000 * DELTA_CHARS / (TOKENS_A_SECOND * CHARS_A_TOKEN))  # sending takes the rest
    replies = [
        {"agent": "router", "say": ROUTED},
        {"agent": "fast_coder", "say": answer(TOKENS_A_SECOND * seconds), "pace_ms": pace_ms},
    ]
    script = folder / "transcript.yaml"
    script.write_text(yaml.safe_dump({"codeflow_transcript": 1, "task": "tell", "replies": replies}))
    process = subprocess.Popen(
        [sys.executable, "-m", "codeflow.models.endpoint", str(script)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    found = next(filter(None, (re.search(r"http://[\d.:]+", line) for line in process.stdout)), None)
    assert found, "the endpoint says where it is"
    return process, found[0]


def cpu_s(pid: int) -> float:
    """Of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Person:
    """Types at a pseudo-terminal, and answers for the terminal where its cursor is."""

    def __init__(self, folder: Path, url: str) -> None:
        homes = ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
        env = {**os.environ, **{name: str(folder / name) for name in homes}, **environment(url)}
        (folder / "project").mkdir()
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "codeflow"],
            cwd=folder / "project",
            env={**env, "TERM": "xterm-256color", "CODEFLOW_RUN__MAX_COST": "100"},
            dimensions=(40, 100),
            encoding="utf-8",
        )
        self.child.delaybeforesend = None  # 50 ms, else
        self.shown = ""

    def read(self) -> str:
        """What the terminal was sent within 5 ms."""
        try:
            piece: str = self.child.read_nonblocking(65_536, 0.005)
        except pexpect.TIMEOUT:
            return ""
        for _ in range(piece.count(ASKS)):
            self.child.send("\x1b[30;1R")
        self.shown += piece
        return piece

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            self.read()


def latencies_s(person: Person) -> Iterator[float]:
    """Of keys typed four times a second until the run is over."""
    typed_at: float | None = None
    next_key_s = time.monotonic() + 0.25
    while "done in" not in person.shown[-4_000:]:
        piece, now_s = person.read(), time.monotonic()
        if typed_at and KEY in piece:
            yield now_s - typed_at
            typed_at = None
            person.child.send("\x7f")
        elif typed_at is None and now_s >= next_key_s:
            person.child.send(KEY)
            typed_at, next_key_s = now_s, now_s + 0.25


def measure(folder: Path, url: str) -> None:
    write = sys.stdout.write
    person = Person(folder, url)
    pid = person.child.pid
    assert pid is not None
    person.wait_for(">")
    person.child.send("tell\r")
    person.wait_for("w000000")
    begin_s, begin_cpu_s = time.monotonic(), cpu_s(pid)
    latencies = sorted(latencies_s(person))
    wall, cpu = time.monotonic() - begin_s, cpu_s(pid) - begin_cpu_s
    person.child.kill(signal.SIGKILL)
    words = [int(number) for number in WORD.findall(ESCAPES.sub("", person.shown))]
    in_order = words == [*range(len(words))]
    tokens = len(words) * CHARS_A_WORD / CHARS_A_TOKEN
    write(f"{len(words):,} words in {wall:.1f} s: {tokens / wall:,.0f} tokens a second\n")
    write(f"every word once and in its order: {'yes' if in_order else 'NO'}\n")
    write(f"CPU time of codeflow: {100 * cpu / wall:.0f}% of one core\n")
    ninety_fifth = latencies[int(len(latencies) * 0.95)]
    write(
        f"{len(latencies)} keys were shown after {1e3 * statistics.median(latencies):.0f} ms (median), "
        f"{1e3 * ninety_fifth:.0f} ms (95%), {1e3 * latencies[-1]:.0f} ms (worst)\n"
    )


def main() -> None:
    """Raises AssertionError when the endpoint does not start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        endpoint, url = served(Path(name), seconds)
        try:
            measure(Path(name), url)
        finally:
            endpoint.kill()
            endpoint.wait()


if __name__ == "__main__":
    main()
