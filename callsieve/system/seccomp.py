"""Confine a process to some system calls (seccomp) and some files (Landlock), without root's rights.

A confined process cannot open sockets, send to an address, start programs or inspect other processes. It cannot change
a file's mode, owner or time. seccomp(2) covers all threads and cannot be undone. Landlock limits which files may be
opened. Its constants (landlock(7)) are those of <linux/landlock.h>, and its system calls have the same numbers on all
architectures.
"""

import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct
import termios
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PR_SET_NAME, PR_SET_NO_NEW_PRIVS = 15, 38
SET_MODE_FILTER, ALL_THREADS = 1, 1  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000  # SECCOMP_RET_ALLOW, _KILL_PROCESS, _ERRNO
LOAD, AND, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # <linux/bpf_common.h>, of 32 bits
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data
ALL_BITS = 0xFFFFFFFF
X32 = 0x40000000  # the other interface of x86-64, whose numbers begin here
FIONBIO, FIOCLEX, TCGETS = 0x5421, 0x5451, termios.TCGETS
CLONE_THREAD = 0x10000
TCP_NODELAY = 1
MSG_FASTOPEN = 0x20000000


class Architecture(NamedTuple):
    """A processor architecture. `audit`: AUDIT_ARCH_* of <linux/audit.h>; `column`: its column in NUMBERS."""

    audit: int
    column: int


ARCHITECTURES = {"x86_64": Architecture(0xC000003E, 0), "aarch64": Architecture(0xC00000B7, 1)}

# Numbers on x86-64 (<asm/unistd_64.h>) and arm64 (<asm-generic/unistd.h>). arm64 lacks calls that newer ones replaced.
NUMBERS: dict[str, tuple[int, int | None]] = {
    "accept": (43, 202),
    "accept4": (288, 242),
    "access": (21, None),
    "arch_prctl": (158, None),
    "brk": (12, 214),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "clone": (56, 220),
    "clone3": (435, 435),
    "close": (3, 57),
    "close_range": (436, 436),
    "dup": (32, 23),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_pwait": (281, 22),
    "epoll_wait": (232, None),
    "eventfd2": (290, 19),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "faccessat": (269, 48),
    "fcntl": (72, 25),
    "fdatasync": (75, 83),
    "fstat": (5, 80),
    "fsync": (74, 82),
    "ftruncate": (77, 46),
    "futex": (202, 98),
    "getcwd": (79, 17),
    "getdents64": (217, 61),
    "getegid": (108, 177),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getpeername": (52, 205),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "getuid": (102, 174),
    "ioctl": (16, 29),
    "lseek": (8, 62),
    "lstat": (6, None),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "newfstatat": (262, 79),
    "open": (2, None),
    "openat": (257, 56),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "prctl": (157, 167),
    "pread64": (17, 67),
    "prlimit64": (302, 261),
    "pselect6": (270, 72),
    "pwrite64": (18, 68),
    "read": (0, 63),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "select": (23, None),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "set_robust_list": (273, 99),
    "setpriority": (141, 140),
    "setsockopt": (54, 208),
    "shutdown": (48, 210),
    "sigaltstack": (131, 132),
    "socketpair": (53, 199),
    "stat": (4, None),
    "statx": (332, 291),
    "sysinfo": (99, 179),
    "tgkill": (234, 131),
    "time": (201, None),
    "uname": (63, 160),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "write": (1, 64),
    "writev": (20, 66),
}
SECCOMP = (317, 277)  # the call that installs the filter; the filter forbids it


class ArgumentCheck(NamedTuple):
    """A check of a system call's argument, which succeeds if the argument's lower half & `mask` is in `values`.

    `high`: whether to check the upper half instead.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = ALL_BITS
    high: bool = False


# Allowed if all checks of one line hold. A filter sees the arguments, but not the memory that they point to.
SOME: dict[str, tuple[tuple[ArgumentCheck, ...], ...]] = {
    # Only threads, no processes: fork and vfork do not set this flag.
    "clone": ((ArgumentCheck(0, (CLONE_THREAD,), CLONE_THREAD),),),
    "ioctl": ((ArgumentCheck(1, (FIONBIO, FIOCLEX, TCGETS)),),),
    "fcntl": (
        (ArgumentCheck(1, (fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_SETFL)),),
    ),
    # Only this process's own limits.
    "prlimit64": ((ArgumentCheck(0, (0,)),),),
    "prctl": ((ArgumentCheck(0, (PR_SET_NAME,)),),),
    # Only without an address. MSG_FASTOPEN would connect an unconnected socket.
    "sendto": ((ArgumentCheck(4, (0,)), ArgumentCheck(4, (0,), high=True), ArgumentCheck(3, (0,), MSG_FASTOPEN)),),
    "sendmsg": ((ArgumentCheck(2, (0,), MSG_FASTOPEN),),),
    "setpriority": ((ArgumentCheck(0, (os.PRIO_PROCESS,)), ArgumentCheck(1, (0,))),),
    "setsockopt": (
        (ArgumentCheck(1, (socket.SOL_SOCKET,)),),
        (ArgumentCheck(1, (socket.IPPROTO_TCP,)), ArgumentCheck(2, (TCP_NODELAY,))),
    ),
    # Streams only: a datagram pair accepts an address in `sendmsg`, and so could reach every Unix socket.
    "socketpair": ((ArgumentCheck(0, (socket.AF_UNIX,)), ArgumentCheck(1, (socket.SOCK_STREAM,), 0xF)),),
}
# `clone3` has its flags behind a pointer, so it is reported as missing. The C library then uses `clone`.
UNKNOWN = ("clone3",)

Instruction = tuple[int, int, int, int]  # of <linux/filter.h>: code, jump if true, jump if false, value


class SeccompError(OSError):
    """Raised if the process cannot be confined. The text gives the reason."""


def serve_only() -> None:
    """Restrict all threads of this process to serving their open sockets. Raise SeccompError on failure."""
    name = platform.machine()
    program = filter_for(name, os.getpid())
    number = SECCOMP[ARCHITECTURES[name].column]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise SeccompError(ctypes.get_errno(), "no_new_privs")
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    # struct sock_fprog: how many, and where.
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    result = libc.syscall(number, SET_MODE_FILTER, ALL_THREADS, head)
    if result != 0:  # more than 0: the thread that has another filter
        raise SeccompError(ctypes.get_errno() if result < 0 else errno.EBUSY, "the kernel supports no seccomp filter")


def filter_for(machine: str, process: int) -> list[Instruction]:
    """Return the seccomp filter for an architecture, as named by `uname -m`. Raise SeccompError if unsupported.

    `process`: the id of the process to which signals may be sent.
    """
    if machine not in ARCHITECTURES:
        raise SeccompError(errno.ENOSYS, f"no table of system calls for the architecture {machine}")
    return list(_instructions(ARCHITECTURES[machine], process))


def _instructions(architecture: Architecture, process: int) -> Iterator[Instruction]:
    yield LOAD, 0, 0, ARCHITECTURE_AT
    yield EQUAL, 1, 0, architecture.audit
    yield RETURN, 0, 0, KILL
    yield LOAD, 0, 0, NUMBER_AT
    yield AT_LEAST, 0, 1, X32
    yield RETURN, 0, 0, KILL
    some = SOME | {"tgkill": ((ArgumentCheck(0, (process,)),),)}  # signals to ourselves, as `raise` sends them
    for name, numbers in NUMBERS.items():
        number = numbers[architecture.column]
        if number is None:
            continue
        if name in UNKNOWN:
            yield from _returning(number, ERROR | errno.ENOSYS)
        elif name not in some:
            yield from _returning(number, ALLOW)
        for checks in some.get(name, ()):
            body = [instruction for check in checks for instruction in _failing_unless(check)]
            yield EQUAL, 0, len(body) + 2, number
            yield from _resolved(body)
            yield RETURN, 0, 0, ALLOW
            yield LOAD, 0, 0, NUMBER_AT
    yield RETURN, 0, 0, ERROR | errno.EPERM


def _returning(number: int, value: int) -> Iterator[Instruction]:
    yield EQUAL, 0, 1, number
    yield RETURN, 0, 0, value


FAILED = 255  # a jump that _resolved aims


def _failing_unless(check: ArgumentCheck) -> Iterator[Instruction]:
    yield LOAD, 0, 0, ARGUMENTS_AT + 8 * check.argument + 4 * check.high
    if check.mask != ALL_BITS:
        yield AND, 0, 0, check.mask
    last = len(check.values) - 1
    for at, value in enumerate(check.values):
        yield EQUAL, last - at, FAILED if at == last else 0, value


def _resolved(body: list[Instruction]) -> Iterator[Instruction]:
    """Yield the instructions of a check with complete jumps. A failed check skips the RETURN that follows the check."""
    for at, (code, true, false, value) in enumerate(body):
        yield code, true, len(body) - at if false == FAILED else false, value


CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
WRITE_FILE, READ_FILE, READ_DIR, REMOVE_FILE, MAKE_REG, TRUNCATE = (1 << bit for bit in (1, 2, 3, 5, 8, 14))
READ = READ_FILE | READ_DIR
READ_AND_WRITE = READ | WRITE_FILE | REMOVE_FILE | MAKE_REG | TRUNCATE
OF_A_FILE = READ_FILE | WRITE_FILE | TRUNCATE
# By the version of the interface: how many rights over files it knows, from the lowest bit on.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
NEWEST_FILE_RIGHTS = 16
NETWORK, BIND_AND_CONNECT_TCP = 4, 0b11
SCOPES, ABSTRACT_SOCKETS_AND_SIGNALS = 6, 0b11


def confine(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Restrict this thread and its children with Landlock. Return False if the kernel has no Landlock.

    The restricted threads can use only files at and below these paths. They cannot run programs, open TCP connections
    or signal other processes. Call this before other threads start. Raise OSError on failure.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    if version < 1:
        return False
    handled = (1 << FILE_RIGHTS.get(version, NEWEST_FILE_RIGHTS)) - 1
    fields = [handled]
    if version >= NETWORK:
        fields.append(BIND_AND_CONNECT_TCP)
    if version >= SCOPES:
        fields.append(ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _done(libc, CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for rights, paths in ((READ, readable), (READ_AND_WRITE, writable)):
            for path in paths:
                _allow(libc, ruleset, path, rights & handled)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _done(libc, RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = rights if path.is_dir() else rights & OF_A_FILE
        _done(libc, ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", allowed, handle), 0)
    finally:
        os.close(handle)


def _done(libc: ctypes.CDLL, call: int, *arguments: object) -> int:
    result = int(libc.syscall(call, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    return result
