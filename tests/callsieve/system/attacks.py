"""What somebody who runs code in the public page's process would try, each as a system call; run by its own text.

Names, and what the kernel said: an errno, or `done`. Imports nothing of ours: a process that is confined reads little.
"""

from __future__ import annotations

import array
import ctypes
import errno
import os
import socket
from collections.abc import Callable

X86, ARM = 0, 1
COLUMN = ARM if os.uname().machine == "aarch64" else X86
MSG_FASTOPEN = 0x20000000
# Numbers on x86-64 and arm64; None: arm64 has another for the same.
CALLS: dict[str, tuple[int, int | None]] = {
    "bind": (49, 200),
    "bpf": (321, 280),
    "chmod": (90, None),
    "chown": (92, None),
    "clone3": (435, 435),
    "connect": (42, 203),
    "creat": (85, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "fork": (57, None),
    "fsetxattr": (190, 7),
    "futimesat": (261, None),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kill": (62, 129),
    "lchown": (94, None),
    "link": (86, None),
    "linkat": (265, 37),
    "listen": (50, 201),
    "lsetxattr": (189, 6),
    "mount": (165, 40),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "rename": (82, None),
    "renameat2": (316, 276),
    "sendmmsg": (307, 269),
    "setuid": (105, 146),
    "setxattr": (188, 5),
    "setxattrat": (463, 463),
    "symlinkat": (266, 36),
    "truncate": (76, 45),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
    "vfork": (58, None),
}
libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Makes a system call without the C library. OSError."""
    number = CALLS[name][COLUMN]
    assert number is not None
    # What is no argument is nothing to look at: a call that is allowed ends with EFAULT, EBADF or EINVAL.
    ctypes.set_errno(0)
    if libc.syscall(number, *(arguments or (-1, 0, 0, 0, 0, 0))) == -1:
        raise OSError(ctypes.get_errno(), name)


def datagram_pair() -> socket.socket:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0]


def attacks(port: int, path: str, unix: str) -> dict[str, Callable[[], object]]:
    """`port`: FastAGI's; `path`: a file or directory of ours; `unix`: a socket for datagrams."""
    ours, _ = socket.socketpair()
    made: dict[str, Callable[[], object]] = {
        "socket for TCP": socket.socket,
        "socket for UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "socket for Unix": lambda: socket.socket(socket.AF_UNIX),
        "socket for netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
        "pair of datagram sockets": datagram_pair,
        "pair of sequenced sockets": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET),
        "sendto with MSG_FASTOPEN": lambda: sendto_port(ours, MSG_FASTOPEN, port),
        "sendto without an address, with MSG_FASTOPEN": lambda: ours.send(b"agi", MSG_FASTOPEN),
        "sendto with an address": lambda: ours.sendto(b"agi", unix),
        "sendmsg with MSG_FASTOPEN": lambda: ours.sendmsg([b"agi"], [], MSG_FASTOPEN),
        "chmod": lambda: os.chmod(path, 0o777),
        "chown": lambda: os.chown(path, -1, -1),
        "utime": lambda: os.utime(path),
        "setxattr": lambda: os.setxattr(path, "user.x", b"x"),
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "signal": lambda: os.kill(os.getppid(), 0),
    }
    names = (name for name in CALLS if CALLS[name][COLUMN] is not None and name not in ("fork", "vfork", "clone3"))
    return made | {f"call {name}": lambda name=name: call(name) for name in names}


def sendto_port(sock: socket.socket, flags: int, port: int) -> None:
    """With the address of a TCP port, which Python takes for a socket of that family alone. OSError."""
    address = array.array("B", b"\x02\x00" + port.to_bytes(2, "big") + b"\x7f\x00\x00\x01" + bytes(8))
    where, size = address.buffer_info()
    if libc.sendto(sock.fileno(), b"agi", 3, flags, ctypes.c_void_p(where), size) == -1:
        raise OSError(ctypes.get_errno(), "sendto")


def outcomes(port: int, path: str, unix: str) -> dict[str, str]:
    """What became of each."""
    said = {}
    for name, attempt in attacks(port, path, unix).items():
        try:
            attempt()
            said[name] = "done"
        except OSError as error:
            said[name] = errno.errorcode.get(error.errno or 0, str(error))
    return said
