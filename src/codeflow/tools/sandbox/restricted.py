"""Gives up rights and becomes a command: what bubblewrap does by namespaces, done by Landlock and seccomp.

    restricted.py [KIND VALUE …] -- PROGRAM [ARGUMENT …]

KINDs are `readable`, `listed` (names only), `writable` and `device`, each with an absolute path; `network` with what is
reached, `internet` or `nothing`; `set` with NAME=VALUE and `unset` with NAME for the environment. What cannot be given up
ends the program with exit code 125, before the command has started. It is a script that imports next to nothing, since
each command waits for it.
"""

import ctypes
import os
import struct
import sys

LEAST_ABI = 6
"""Of Landlock: the first that keeps signals among the command's own processes (Linux 6.12)."""
FAILED = 125
_NOT_STARTED = 127
_IGNORED = (13, 25)
"""SIGPIPE and SIGXFSZ, which Python ignores, and its children would."""

# linux/landlock.h
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ALL = (1 << 16) - 1
_ALL_OF_TCP, _ALL_SCOPES = 0b11, 0b11
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ACCESS = {
    "readable": _READ,
    "listed": _READ_DIR,
    "writable": _ALL & ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV),
    "device": _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV,
}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

# linux/prctl.h, linux/capability.h
_NO_NEW_PRIVS, _SECCOMP, _DROP_FROM_BOUNDS, _AMBIENT, _CLEAR_ALL = 38, 22, 24, 47, 4
_CAPABILITY_VERSION = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}

# linux/seccomp.h, linux/filter.h
_FILTER_MODE = 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

_REFUSED = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "add_key": 248,
        "request_key": 249, "keyctl": 250, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161,
        "unshare": 272, "setns": 308, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "kexec_load": 246,
        "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176, "reboot": 169,
        "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179, "settimeofday": 164, "clock_settime": 227,
        "adjtimex": 159, "clock_adjtime": 305, "sethostname": 170, "setdomainname": 171, "open_by_handle_at": 304,
        "fanotify_init": 300, "syslog": 103, "vhangup": 153, "iopl": 172, "ioperm": 173, "modify_ldt": 154,
        "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68, "mq_open": 240,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "add_key": 217,
        "request_key": 218, "keyctl": 219, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51,
        "unshare": 97, "setns": 268, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "kexec_load": 104,
        "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106, "reboot": 142,
        "swapon": 224, "swapoff": 225, "acct": 89, "quotactl": 60, "settimeofday": 170, "clock_settime": 112,
        "adjtimex": 171, "clock_adjtime": 266, "sethostname": 161, "setdomainname": 162, "open_by_handle_at": 265,
        "fanotify_init": 262, "syslog": 116, "vhangup": 58,
        "shmget": 194, "shmat": 196, "semget": 190, "msgget": 186, "mq_open": 180,
    },
}  # fmt: skip
_REFUSED_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "quotactl_fd": 443, "open_tree_attr": 467,
}  # fmt: skip
_JUDGED = {
    "x86_64": {"socket": 41, "socketpair": 53, "clone": 56, "ioctl": 16, "prlimit64": 302},
    "aarch64": {"socket": 198, "socketpair": 199, "clone": 220, "ioctl": 29, "prlimit64": 261},
}
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000
_INTERNET = (2, 10, 16)
"""AF_INET, AF_INET6, and AF_NETLINK, by which programs ask about the machine's addresses."""
_CONNECTED_PAIRS = (1, 5)
"""SOCK_STREAM and SOCK_SEQPACKET: a pair of datagram sockets could send to any socket that has a path."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX type into a terminal."""

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """The version of Landlock that the kernel has; 0: none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def main(arguments: list[str]) -> None:
    """Become the command, with fewer rights."""
    end = arguments.index("--")
    rights = list(zip(arguments[0:end:2], arguments[1:end:2], strict=True))
    command = arguments[end + 1 :]
    try:
        _give_up(rights)
    except OSError as error:
        sys.stderr.write(f"codeflow's sandbox: {error}\n")
        sys.exit(FAILED)
    for kind, value in rights:
        if kind == "set":
            name, _, text = value.partition("=")
            os.environ[name] = text
        elif kind == "unset":
            os.environ.pop(value, None)
    for number in _IGNORED:
        _libc.signal(number, None)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is what this is for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    sys.exit(_NOT_STARTED)


def _give_up(rights: list[tuple[str, str]]) -> None:
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise OSError(f"it does not know the processor {machine}")
    internet = ("network", "internet") in rights
    _drop_capabilities(machine)
    _call(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _restrict_files(rights, 0 if internet else _ALL_OF_TCP)
    _restrict_calls(machine, _INTERNET if internet else ())


def _call(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def _drop_capabilities(machine: str) -> None:
    capability = 0
    while _libc.prctl(_DROP_FROM_BOUNDS, capability, 0, 0, 0) == 0:  # until the last one; nobody but root may
        capability += 1
    _call(_libc.prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0), "capabilities")
    header, none = struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24)
    _call(_libc.syscall(_CAPSET[machine], header, none), "capabilities")


def _restrict_files(rights: list[tuple[str, str]], tcp: int) -> None:
    handled = struct.pack("=QQQ", _ALL, tcp, _ALL_SCOPES)
    ruleset = _call(_libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0), "Landlock")
    for kind, path in rights:
        if kind in _ACCESS:
            _allow(ruleset, path, _ACCESS[kind])
    _call(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "Landlock")
    os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # gone since it was listed
    if not os.path.isdir(path):  # noqa: PTH112 - pathlib takes as long to import as all else
        access &= _OF_FILES
    rule = struct.pack("=Qi", access, place)
    _call(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0), path)
    os.close(place)


def _restrict_calls(machine: str, families: tuple[int, ...]) -> None:
    program = b"".join(_program(machine, families))
    kept = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    _call(_libc.prctl(_SECCOMP, _FILTER_MODE, header, 0, 0), "seccomp")


def _program(machine: str, families: tuple[int, ...]) -> list[bytes]:
    """Instructions of the kernel's packet filter, which looks at every system call and answers with what becomes of it."""
    calls = _JUDGED[machine]
    refuse, allow = [_return(_ERRNO | _EPERM)], [_return(_ALLOW)]
    namespaces = [_jump(_ANY_BIT, _NEW_NAMESPACES, 0, 1), *refuse, *allow]
    typing = [step for request in _TERMINAL_INPUT for step in _when(request, refuse)]
    return [
        _step(_LOAD, _ARCHITECTURE),
        *_unless(_ARCHITECTURES[machine], refuse),
        _step(_LOAD, _NUMBER),
        *([_jump(_AT_LEAST, _X32, 0, 1), *refuse] if machine == "x86_64" else []),
        *(step for number in _REFUSED[machine].values() for step in _when(number, refuse)),
        *(step for number in _REFUSED_EVERYWHERE.values() for step in _when(number, refuse)),
        *_when(_CLONE3, [_return(_ERRNO | _ENOSYS)]),  # its flags cannot be seen; libraries then use clone
        *_when(calls["clone"], [_argument(0), *namespaces]),
        *_when(calls["socket"], [_argument(0), *_only(families)]),
        *_when(calls["socketpair"], [_argument(1), _step(_AND, 0xF), *_only(_CONNECTED_PAIRS)]),
        *_when(calls["prlimit64"], [_argument(0), *_only((0,))]),  # of itself
        *_when(calls["ioctl"], [_argument(1), *typing, *allow]),
        *allow,
    ]


def _when(value: int, then: list[bytes]) -> list[bytes]:
    """Steps that are taken where the value is met; the last of them answers."""
    return [_jump(_EQUAL, value, 0, len(then)), *then]


def _unless(value: int, then: list[bytes]) -> list[bytes]:
    return [_jump(_EQUAL, value, len(then), 0), *then]


def _only(values: tuple[int, ...]) -> list[bytes]:
    allowed = [step for value in values for step in _when(value, [_return(_ALLOW)])]
    return [*allowed, _return(_ERRNO | _EPERM)]


def _argument(index: int) -> bytes:
    """Loads the lower half of an argument, which holds all of those that are judged here."""
    return _step(_LOAD, _ARGUMENTS + 8 * index)


def _return(answer: int) -> bytes:
    return _step(_RETURN, answer)


def _step(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _jump(code: int, value: int, if_so: int, if_not: int) -> bytes:
    return struct.pack("=HBBI", code, if_so, if_not, value)


if __name__ == "__main__":
    main(sys.argv[1:])
