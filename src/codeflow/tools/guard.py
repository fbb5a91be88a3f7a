"""The process between codeflow and a command: it ends whatever the command started, also when codeflow is killed.

`guarded` runs this file as a script, in codeflow's interpreter but without any package, since each command waits for it:

    guard.py LIFELINE REPORT MEMORY PROCESSES FILE JOURNAL PROGRAM [ARGUMENT …]

LIFELINE is a pipe to read: T asks the command to end, K kills it, and so does the end of the pipe: codeflow is gone. REPORT is a pipe for one line:
`exit CODE SECONDS` (CODE is -N for a signal N), `memory BYTES` or `processes COUNT` when the command was killed for
using more than MEMORY bytes or PROCESSES processes at a time, or `error ERRNO` when PROGRAM could not be started. No
file may grow above FILE bytes. 0: no limit. JOURNAL is what the sandbox wrote down about the command; when codeflow is
gone, the guard ends as the program that looks after what the command left. Empty: there is none.

On Linux the guard adopts orphans, so that daemons stay its descendants. Elsewhere it reaches the command's process
group only, and memory is not measured.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Iterator

_FIRST_SAMPLE_S = 0.03
_SAMPLE_S = 0.1
_SAMPLING_SHARE = 20
"""A sample may take this part of the time between two: a machine with many processes is looked at less often."""

_KILLING_S = 5.0
_KILLING_STEP_S = 0.05
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_NOT_STARTED = 127


def main(arguments: list[str]) -> None:
    """Run the command to its end, and report."""
    lifeline, report, memory_bytes, processes, file_bytes = map(int, arguments[:5])
    journal, *program = arguments[5:]
    os.set_inheritable(lifeline, False)
    os.set_inheritable(report, False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    wake = _wake_on_children()
    if processes:
        _outrank()
    started = time.monotonic()
    command = os.fork()
    if not command:
        _become(program, report, processes, file_bytes)
    _let_go_of_streams()
    word = _watch(command, lifeline, wake, memory_bytes, processes)
    seconds = time.monotonic() - started
    _kill_all(command, wake)
    if journal and (word == "abandoned" or (word != "killed" and _is_closed(lifeline))):
        looks = os.path.join(os.path.dirname(__file__), "sandbox", "journal.py")  # noqa: PTH118, PTH120 - pathlib takes as long to import as all else
        os.execv(sys.executable, [sys.executable, "-I", looks, journal])  # noqa: S606 - codeflow's own
    os.write(report, f"{word} {seconds:.6f}\n".encode())


def running() -> Iterator[tuple[int, int, int]]:
    """Process id, parent and session of every process that has not ended; none where there is no /proc."""
    names = os.listdir("/proc") if sys.platform == "linux" else []  # noqa: PTH208 - pathlib takes as long to import as all else
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
                state, parent, _, session = file.read().rpartition(b")")[2].split()[:4]
        except OSError:
            continue
        if state not in {b"Z", b"X"}:
            yield int(name), int(parent), int(session)


def _become(command: list[str], report: int, processes: int, file_bytes: int) -> None:
    """Turn the forked child into the command, in a session of its own: `kill 0` must not reach the guard."""
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    _limit(processes, file_bytes)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is what this is for
    except OSError as error:
        os.write(report, f"error {error.errno}\n".encode())
    os._exit(_NOT_STARTED)


def _outrank() -> None:
    """For root, whom the kernel's own limit of processes does not bind: thousands of processes must not keep the guard
    from running. What it starts has the usual rank.
    """
    if sys.platform == "linux" and os.geteuid() == 0:
        try:
            policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(0, policy, os.sched_param(1))
        except OSError:
            return


def _limit(processes: int, file_bytes: int) -> None:
    """The kernel's limits for the command; that of processes counts all threads of the user's."""
    import resource

    if file_bytes:
        _lower(resource.RLIMIT_FSIZE, file_bytes)
    if processes and os.geteuid():
        mine = sum(_threads_of_mine(pid) for pid, _, _ in running())
        _lower(resource.RLIMIT_NPROC, mine + processes)


def _lower(kind: int, limit: int) -> None:
    import resource

    soft, hard = resource.getrlimit(kind)
    allowed = [value for value in (soft, hard, limit) if value != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min(allowed), hard))


def _threads_of_mine(pid: int) -> int:
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():  # noqa: PTH116 - pathlib takes as long to import as all else
            return 0
    except OSError:
        return 0
    return _field(f"/proc/{pid}/status", b"Threads:", 1)


def _watch(command: int, lifeline: int, wake: int, memory_bytes: int, processes: int) -> str:
    """How the command ended, or why it has to."""
    pause = _FIRST_SAMPLE_S if processes else _SAMPLE_S
    while True:
        timeout = pause if memory_bytes or processes else None
        ready, _, _ = select.select([lifeline, wake], [], [], timeout)
        if wake in ready:
            os.read(wake, 1024)
        if (status := _reap().get(command)) is not None:
            return f"exit {os.waitstatus_to_exitcode(status)}"
        if lifeline in ready:
            asked = os.read(lifeline, 1)
            if asked != b"T":
                return "killed" if asked else "abandoned"
            _signal(_without_sandbox(_descendants()) or {command}, signal.SIGTERM)
        if memory_bytes or processes:
            before = time.monotonic()
            descendants = _descendants()
            if 0 < processes < len(descendants):
                return f"processes {len(descendants)}"
            used = _memory(descendants, memory_bytes) if memory_bytes else 0
            pause = max(_SAMPLE_S, _SAMPLING_SHARE * (time.monotonic() - before))
            if used > memory_bytes:
                return f"memory {used}"


def _is_closed(pipe: int) -> bool:
    return bool(select.select([pipe], [], [], 0)[0]) and not os.read(pipe, 1)


def _without_sandbox(pids: set[int]) -> set[int]:
    """The processes but for bubblewrap's, which would kill the others before they could end by themselves."""
    return {pid for pid in pids if not _is_sandbox(pid)}


def _is_sandbox(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:  # noqa: PTH123 - as above
            return file.read().strip() == b"bwrap"
    except OSError:
        return False


def _memory(pids: set[int], limit_bytes: int) -> int:
    """Bytes that processes hold in memory. Shared pages are counted once, but that costs: only above the limit."""
    page = os.sysconf("SC_PAGE_SIZE")
    resident = {pid: page * _field(f"/proc/{pid}/statm", b"", 1) for pid in pids}
    if sum(resident.values()) <= limit_bytes:
        return 0
    return sum(
        1024 * _field(f"/proc/{pid}/smaps_rollup", b"Pss:", 1) or size for pid, size in resident.items()
    )


def _field(path: str, label: bytes, index: int) -> int:
    """A number from the first line that begins with the label; 0 when the process has ended or hides it."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return next((int(line.split()[index]) for line in file if line.startswith(label)), 0)
    except OSError:
        return 0


def _kill_all(command: int, wake: int) -> None:
    """Kill until nothing is left; what was forked meanwhile is met in the next round."""
    if sys.platform != "linux":
        _signal({-command}, signal.SIGKILL)
    deadline = time.monotonic() + _KILLING_S
    while time.monotonic() < deadline and _has_children():
        _signal(_descendants(), signal.SIGKILL)
        if select.select([wake], [], [], _KILLING_STEP_S)[0]:
            os.read(wake, 1024)


def _descendants() -> set[int]:
    parents = {pid: parent for pid, parent, _ in running()}
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in sorted(pids):  # a shell before what it waits for: else it prints that this was killed
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _reap() -> dict[int, int]:
    """Children that have ended, with their wait status."""
    ended: dict[int, int] = {}
    try:
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            ended[child[0]] = child[1]
    except ChildProcessError:
        pass
    return ended


def _has_children() -> bool:
    _reap()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _wake_on_children() -> int:
    """A pipe that can be read whenever a child has ended."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return read_end


def _let_go_of_streams() -> None:
    """Whoever reads the command's output sees its end when the command closes it."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
