"""Prints how long the repository map and a search of Django's source take; run by `make bench`.

The first argument names a folder with the source; without one, Django's wheel is fetched by pip.
"""

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from codeflow.syntax.repomap import repository_map
from codeflow.tools.search import find_ripgrep

RUNS = 5
TASK = "Fix the bulk_create of QuerySet with unique fields"
PATTERN = r"def get_\w+\(self, request"


def fetch(folder: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        "Django==5.2.*",
    ]
    subprocess.run(command, check=True)
    source = folder / "source"
    zipfile.ZipFile(next(folder.glob("*.whl"))).extractall(source)
    return source


def draw(source: Path, cache: Path) -> float:
    paths = sorted(str(file.relative_to(source)) for file in source.rglob("*") if file.is_file())
    started = time.perf_counter()
    repository_map(source, paths, task=TASK, tokens=1500, cache=cache)
    return time.perf_counter() - started


def in_a_new_process(source: Path, cache: Path) -> tuple[float, float]:
    """Seconds and MB of one map; starting Python and listing the files are not counted."""
    command = [sys.executable, __file__, "--one", str(source), str(cache)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(output[0]), float(output[1])


def report(name: str, measure: Callable[[], tuple[float, float]]) -> None:
    runs = [measure() for _ in range(RUNS)]
    seconds = statistics.median(run[0] for run in runs)
    memory = max(run[1] for run in runs)
    sys.stdout.write(f"{name:28} {seconds:7.3f} s" + (f"  {memory:5.0f} MB\n" if memory else "\n"))


def maps(source: Path, folder: Path) -> None:
    caches = iter(range(RUNS))
    edited = next(source.rglob("query.py"))

    def edit() -> tuple[float, float]:
        edited.write_text(edited.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
        return in_a_new_process(source, folder / "cache0")

    def in_this_process() -> tuple[float, float]:
        return draw(source, folder / "cache0"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    report("map, cold", lambda: in_a_new_process(source, folder / f"cache{next(caches)}"))
    report("map, warm, new process", lambda: in_a_new_process(source, folder / "cache0"))
    report("map, after one edit", edit)
    report("map, warm, same process", in_this_process)


def search(source: Path) -> None:
    program = find_ripgrep(os.environ) or "rg"

    def ripgrep() -> tuple[float, float]:
        started = time.perf_counter()
        subprocess.run([program, "--count", PATTERN, str(source)], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started, 0

    def python() -> tuple[float, float]:
        started = time.perf_counter()
        wanted = re.compile(PATTERN.encode())
        for file in source.rglob("*.py"):
            any(wanted.search(line) for line in file.read_bytes().splitlines())
        return time.perf_counter() - started, 0

    report("search, ripgrep, all files", ripgrep)
    report("search, Python's re, *.py", python)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        seconds = draw(Path(sys.argv[2]), Path(sys.argv[3]))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"{seconds} {memory}\n")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        named = [Path(argument) for argument in sys.argv[1:]]
        source = shutil.copytree(named[0], folder / "source") if named else fetch(folder)
        code = [file for file in source.rglob("*") if file.suffix in {".py", ".js"}]
        lines = sum(file.read_bytes().count(b"\n") for file in code)
        sys.stdout.write(f"{len(code):,} files of Python and JavaScript, {lines:,} lines; median of {RUNS}\n")
        maps(source, folder)
        search(source)


if __name__ == "__main__":
    main()
