"""A stock Debian machine with a stock Asterisk and a small office, as an overlay over this machine.

An overlay over `/`, or over another root, in a mount namespace of its own takes every change; a network namespace has
only loopback, so the usual ports are free; systemd is the first process of namespaces of its own. Needs root.
Asterisk's files are where Debian's package puts them, owned by the user it makes.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import shlex
import shutil
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.fetch import PbxPaths
from tests.waiting import wait_until

OFFICE = Path(__file__).parent / "office"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
UNPACKED = Path("/opt/asterisk-packages")
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
BOOT_SECONDS = 200.0  # systemd gives a job 90 s before it goes on without it
SYSTEMD = "/usr/lib/systemd/systemd"
# Minor numbers of mem(4).
DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
APT_INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
# What a container's manager mounts. Kernel settings and devices are those of the machine around: read only. No more
# than basic.target: a console's getty or an sshd of this machine's image is nothing to us.
BOOT = f"""set -e
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
export container=test
exec chroot . {SYSTEMD} --unit=basic.target --log-target=console --show-status=no
"""
# In a control group of its own, which is the root of what the machine sees. Two machines that are booted at once would
# else have the same group for a unit, and each would find, and stop, processes of the other.
# The shell starts no program before it becomes one: its first child is the machine's first process.
IN_ITS_GROUP = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
RUNNING = ("running", "degraded")  # degraded: a unit of this machine's own image had nothing to work on
LOG_SHOWN = 4000
COMMAND_SECONDS = 300.0
# A machine on which CallSieve was installed, or Asterisk, is made as new.
LEFT_OF_OTHERS = ("/etc/callsieve", "/etc/asterisk", "/opt/callsieve", "/var/lib/callsieve", "/var/lib/asterisk")
# What Debian's package owns by its user `asterisk` (postinst).
OWNED = ("/etc/asterisk", "/var/lib/asterisk", "/var/log/asterisk", "/var/spool/asterisk", "/run/asterisk")


class Machine:
    """A machine in which commands run as root, in a shell, as an administrator would type them."""

    def __init__(self, top: Path, checkout: Path, lower: Path = Path("/")) -> None:
        self.root = top / "root"
        self._top = top
        self._checkout = checkout
        self._lower = lower
        self._inside: tuple[str, ...] = ("chroot", str(self.root))  # what runs a command in it

    def run(self, command: str, *, code: int | None = 0) -> str:
        """Run a command and return its output. It must end with `code`, unless that is None."""
        done = subprocess.run(
            self.command(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=ENVIRONMENT | {name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if code is not None and done.returncode != code:
            log = self.run(f"journalctl --no-pager | tail -c {LOG_SHOWN}", code=None)
            raise AssertionError(f"{command!r} ended with {done.returncode}, not {code}:\n{done.stdout}\nlog: {log}")
        return done.stdout

    def command(self, command: str) -> list[str]:
        """Return the command line that runs it from here, which needs ENVIRONMENT."""
        return [*self._inside, "/bin/sh", "-c", f"cd {shlex.quote(str(self._checkout))} && {command}"]

    def path(self, name: str | Path) -> Path:
        """Return the path of a file of the machine, as seen from here."""
        return self.root / str(name).lstrip("/")

    def make(self) -> None:
        """Make the overlay. The caller is in its own mount namespace."""
        _mount("-t", "tmpfs", "tmpfs", str(self._top))
        for name in ("root", "upper", "work"):
            (self._top / name).mkdir()
        layers = f"lowerdir={self._lower},upperdir={self._top}/upper,workdir={self._top}/work"
        _mount("-t", "overlay", "overlay", "-o", layers, str(self.root))
        _mount("-t", "proc", "proc", str(self.path("/proc")))
        for name in ("/dev", "/run", "/tmp"):
            _mount("-t", "tmpfs", "tmpfs", str(self.path(name)))
        self._make_devices()
        for left in LEFT_OF_OTHERS if self._lower == Path("/") else ():
            shutil.rmtree(self.path(left), ignore_errors=True)
        # The checkout may be a mount of its own, or in a directory that others may not enter.
        self.path(str(self._checkout)).mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(self._checkout), str(self.path(str(self._checkout))))
        if not self.path(SYSTEMD).exists():
            self.run(f"apt-get update -qq -o Acquire::Check-Valid-Until=false && {APT_INSTALL} systemd")

    def _make_devices(self) -> None:
        for name, minor in DEVICES.items():
            os.mknod(self.path(f"/dev/{name}"), 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            self.path(f"/dev/{name}").chmod(0o666)
        for name in ("pts", "shm"):
            self.path(f"/dev/{name}").mkdir()
        _mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", str(self.path("/dev/pts")))
        _mount("-t", "tmpfs", "tmpfs", str(self.path("/dev/shm")))
        self.path("/dev/ptmx").symlink_to("pts/ptmx")
        self.path("/dev/fd").symlink_to("/proc/self/fd")

    def install_asterisk(self, packages: Path, paths: PbxPaths) -> None:
        """Install Asterisk as Debian's package does: files, the user `asterisk`, and the sample configuration."""
        unpacked = self.path(UNPACKED)
        unpacked.mkdir(parents=True)
        _mount("--bind", str(packages), str(unpacked))
        modules, data = (self.path(str(place.relative_to(packages))) for place in (paths.modules, paths.data))
        modules.mkdir(parents=True)
        _mount("--bind", str(paths.modules), str(modules))
        for entry in paths.data.rglob("*"):  # a directory of its own: prompts are written there
            if entry.is_dir():
                (data / entry.relative_to(paths.data)).mkdir(parents=True)
            else:
                (data / entry.relative_to(paths.data)).symlink_to(UNPACKED / entry.relative_to(packages))
        (data / "sounds/en").symlink_to(paths.sounds.name)  # as the alternatives of Debian's sounds do
        words = [word.replace(str(packages), str(UNPACKED)) for word in paths.asterisk]
        program = self.path("/usr/sbin/asterisk")
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        program.chmod(0o755)
        self.run("getent group asterisk >/dev/null || groupadd --system asterisk")
        self.run(
            "id asterisk >/dev/null 2>&1 || "
            "useradd --system --gid asterisk --home-dir /var/lib/asterisk --shell /usr/sbin/nologin asterisk"
        )
        shutil.copytree(packages / "etc/asterisk", self.path("/etc/asterisk"))
        shutil.copytree(packages / "var/lib/asterisk", self.path("/var/lib/asterisk"), symlinks=True)
        for name in OWNED[2:]:
            self.path(name).mkdir(parents=True, exist_ok=True)
        self.run(f"chown -R asterisk:asterisk {' '.join(OWNED)}")

    def move_in(self) -> None:
        """Append the office's lines to Debian's sample files."""
        for file in sorted(OFFICE.iterdir()):
            with self.path(f"/etc/asterisk/{file.name}").open("a") as conf:
                conf.write(file.read_text())

    def go_offline(self) -> None:
        """Leave only the loopback network, with all its ports free."""
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        with socket.socket() as any_socket:  # netdevice(7): a bare Debian has no `ip`
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP | IFF_RUNNING))

    @contextmanager
    def systemd(self) -> Iterator[None]:
        """Boot systemd for the `with` block. Units that the administrator enables run under it."""
        alone = ("unshare", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child")
        groups = self._top / "groups"
        groups.mkdir()
        _mount("-t", "cgroup2", "cgroup2", str(groups))
        group = groups / f"callsieve-{secrets.token_hex(8)}"
        group.mkdir()
        boot = [*alone, "/bin/sh", "-c", BOOT, "boot", str(self.root)]
        command = ["/bin/sh", "-c", IN_ITS_GROUP, str(group), *boot]
        log, outside = self.path("/var/log/boot"), self._inside
        with log.open("wb") as console:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            # This process sees another /proc than that of its namespace, which the machine has.
            children = self.path(f"/proc/{process.pid}/task/{process.pid}/children")
            give_up_at = time.monotonic() + BOOT_SECONDS
            while not (first := children.read_text().strip()):
                time.sleep(0.1)
            self._inside = (*outside, "nsenter", "--target", first, "--pid", "--mount", "--root", "--wd")
            while self.run("systemctl is-system-running", code=None).strip() not in RUNNING:
                if process.poll() is not None or time.monotonic() > give_up_at:
                    waits_for = self.run("systemctl list-jobs --no-pager", code=None)
                    raise AssertionError(f"{waits_for}\n{log.read_text(errors='replace')[-LOG_SHOWN:]}")
                time.sleep(0.1)
            yield
        finally:
            self._inside = outside
            process.kill()
            process.wait(20)
            wait_until(lambda: "populated 0" in (group / "cgroup.events").read_text(), "the end of all that ran in it")
            subprocess.run(["find", str(group), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], check=False)

    @contextmanager
    def asterisk(self) -> Iterator[None]:
        """Run Asterisk as its unit starts it, for the `with` block."""
        command = ["chroot", str(self.root), "/usr/sbin/asterisk", "-g", "-f", "-p", "-U", "asterisk", "-G", "asterisk"]
        with self.path("/var/log/asterisk/console").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            give_up_at = time.monotonic() + BOOT_SECONDS
            while "fully booted" not in self.run('asterisk -rx "core waitfullybooted"', code=None):
                if process.poll() is not None or time.monotonic() > give_up_at:
                    raise AssertionError(self.path("/var/log/asterisk/console").read_text(errors="replace")[-3000:])
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(20)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
