"""Prints how long `codeflow --version` and `--help` take beside a bare interpreter; run by `make bench`."""

import statistics
import subprocess
import sys
import time

RUNS = 15
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "codeflow --version": ["-m", "codeflow", "--version"],
    "codeflow --help": ["-m", "codeflow", "--help"],
}


def seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    for arguments in COMMANDS.values():
        seconds(arguments)
    # interleaved, so that a busy machine slows all three alike
    taken = [{name: seconds(arguments) for name, arguments in COMMANDS.items()} for _ in range(RUNS)]
    medians = {name: statistics.median(run[name] for run in taken) for name in COMMANDS}
    bare = medians["python -c pass"]
    for name, median in medians.items():
        sys.stdout.write(f"{name:20} {median * 1000:6.1f} ms   {median / bare:4.1f} x\n")


if __name__ == "__main__":
    main()
