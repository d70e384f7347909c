"""Follow README.md with a Debian package on a bare Debian, and print what happened as JSON.

    unshare --mount --propagation private --pid --fork --kill-child \
        python -m tests.integration.first_contact.packaged ROOT SCRATCH OLD.deb NEW.deb

ROOT is a root that debootstrap made, with systemd; with Asterisk if its suite has one. OLD.deb is the package of an
earlier commit. It takes some minutes and the network, so it is run before a release, and not by `make test`.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from lab import CallSpec, Carrier, Phone
from lab.configuration import Ports
from lab.fetch import packaged_pbx
from tests.integration.first_contact.drive import StockPbx
from tests.integration.first_contact.machine import ENVIRONMENT, Machine

DID = "2071838752"
WITHHELD = CallSpec(caller="+12015550100", did=DID, privacy=True)
ANSWERS = {"country": "GB", "Which trunks": "", "observe or label": "label", "Write these changes": "y"}
TERMINAL = {**ENVIRONMENT, "TERM": "dumb", "COLUMNS": "120"}
SETUP_SECONDS = 300.0
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y -q"
LATER_MIGRATION = """import sqlite3
with sqlite3.connect("/var/lib/callsieve/callsieve.db") as db:
    db.execute("INSERT INTO migration SELECT max(version) + 1, 'later', 'none', 0 FROM migration")
"""
STATE = ("/etc/callsieve", "/var/lib/callsieve", "/usr/lib/callsieve", "/etc/asterisk/callsieve.d")


class Packaged:
    """A bare Debian with an Asterisk, and the steps that are done in it."""

    def __init__(self, machine: Machine, pbx: StockPbx) -> None:
        self.machine = machine
        self.pbx = pbx
        self.result: dict[str, object] = {}

    def time(self, name: str, act: Callable[[], object]) -> None:
        began = time.monotonic()
        said = act()
        self.result[f"{name}, s"] = round(time.monotonic() - began, 1)
        self.result[f"{name}, said"] = said

    def call(self) -> str:
        """Call with a withheld number, and return what the phone shows."""
        with Phone(self.pbx, "201") as phone:
            Carrier(self.pbx).call(WITHHELD)
            return phone.invites()[0].from_name

    def set_up(self, *, interrupted: bool = False) -> dict[str, object]:
        """Run `callsieve setup` at a terminal and answer its questions. When it waits for a call: call, or Ctrl-C."""
        ours, theirs = pty.openpty()
        command = self.machine.command("echo $$ >/run/setup.pid; exec callsieve setup")
        asked, shown, label, seen = [], "", "", 0
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=TERMINAL, start_new_session=True
        ) as process:
            os.close(theirs)
            give_up_at = time.monotonic() + SETUP_SECONDS
            while time.monotonic() < give_up_at:
                if select.select([ours], [], [], 1.0)[0]:
                    try:
                        shown += os.read(ours, 65536).decode(errors="replace")
                    except OSError:  # it has ended
                        break
                    continue
                rest = shown[seen:]
                if not label and "Waiting for the first call" in rest:
                    label = "none" if interrupted else self.call()
                    if interrupted:
                        self.machine.run("kill -INT $(cat /run/setup.pid)")
                elif (
                    answer := next((ANSWERS[key] for key in ANSWERS if key in rest.rsplit("\n", 1)[-1]), None)
                ) is not None:
                    asked.append(rest.rsplit("\n", 1)[-1].strip())
                    seen = len(shown)
                    os.write(ours, answer.encode() + b"\n")
            process.kill()
        return {"questions": asked, "label": label, "shown": shown.replace("\r", "").splitlines()}

    def files(self) -> set[str]:
        """Return every file, those of Asterisk and systemd in /etc with their hashes.

        Left out is what apt and logs write, and what Debian compiles of its own Python.
        """
        elsewhere = ("/tmp", "/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log")
        left_out = " -o ".join(("-name __pycache__", *(f"-path {folder}" for folder in elsewhere)))
        names = self.machine.run(f"find / -xdev '(' {left_out} ')' -prune -o -print")
        hashes = self.machine.run("find /etc/asterisk /etc/systemd -type f -exec sha256sum {} +")
        ours = self.machine.run("find / -xdev -path '*callsieve*' -not -path '/tmp/*' -not -path '/var/cache/*'")
        return {*names.splitlines(), *hashes.splitlines(), *ours.splitlines()}

    def state(self) -> dict[str, object]:
        """Return our files, users and units."""
        run = self.machine.run
        return {
            "files": [name for name in STATE if self.machine.path(name).exists()],
            "units": run("systemctl list-units --all --plain --no-legend --no-pager 'callsieve*'", code=None).split(
                "\n"
            ),
            "users": run("getent passwd callsieve callsieve-public", code=None).split(),
            "context": re.findall(r"context += +(\S+)", run("cat /etc/asterisk/pjsip.conf", code=None)),
            "package": run("dpkg-query -W -f '${Version} ${Status}' callsieve", code=None),
            "prompts": Counter(
                prompt["state"]
                for prompt in json.loads(run("callsieve prompts list --json 2>/dev/null || echo []", code=None))
            ),
            "calls": len(json.loads(run("callsieve calls show --json --last 100 2>/dev/null || echo []", code=None))),
        }


def scenario(packaged: Packaged, old: Path, new: Path) -> None:
    """Install, call, upgrade, fail, remove, purge."""
    run, result = packaged.machine.run, packaged.result
    before = packaged.files()
    packaged.time("install", lambda: run(f"{INSTALL} ./{new.name}").splitlines()[-12:])
    packaged.time("setup", packaged.set_up)
    result["after setup"] = packaged.state()
    result["trunks of the calls"] = [call["trunk"] for call in json.loads(run("callsieve calls show --json --last 9"))]
    result["doctor"] = [
        (check["name"], check["status"], check["detail"])
        for check in json.loads(run("callsieve doctor --json", code=None))
        if check["status"] != "ok"
    ]
    set_up_again(packaged)
    packaged.time("remove", lambda: run("apt-get remove -y -q callsieve").splitlines()[-8:])
    result["after remove"] = packaged.state()
    result["label after remove"] = packaged.call()
    packaged.time("purge", lambda: run("apt-get purge -y -q callsieve").splitlines()[-8:])
    result["after purge"] = packaged.state()
    owned = set(run("cat /var/lib/dpkg/info/*.list").splitlines())
    result["left after purge"] = sorted((packaged.files() ^ before) - owned)
    # Again, from the older version, with data.
    run(f"{INSTALL} ./{old.name}")
    run("callsieve setup --yes --region GB --policy cautious")
    result["label of the old version"] = packaged.call()
    run("rm -f $(callsieve prompts list --json | grep -o '/[^\"]*whisper-spam.wav')")
    result["before upgrade"] = packaged.state()
    packaged.time("upgrade", lambda: run(f"{INSTALL} ./{new.name}").splitlines()[-8:])
    result["after upgrade"] = packaged.state()
    result["label after upgrade"] = packaged.call()
    go_back(packaged, old)
    # A policy that the new version refuses.
    settings = packaged.machine.path("/etc/callsieve/callsieve.toml")
    good = settings.read_text()
    settings.write_text(good + "\n[nonsense]\nvalue = 1\n")
    pid = run("systemctl show -p MainPID --value callsieve")
    packaged.time("failed upgrade", lambda: run(f"{INSTALL} ./{new.name}", code=100).splitlines()[-8:])
    result["same daemon after the failed upgrade"] = pid == run("systemctl show -p MainPID --value callsieve")
    result["label after the failed upgrade"] = packaged.call()
    settings.write_text(good)
    packaged.time("upgrade completed", lambda: run("dpkg --configure -a").splitlines()[-8:])
    result["label at last"] = packaged.call()
    run("apt-get purge -y -q callsieve")
    result["label after the second purge"] = packaged.call()


def go_back(packaged: Packaged, old: Path) -> None:
    """Downgrade although a newer version wrote the store, follow the refusal, and downgrade again."""
    run, result = packaged.machine.run, packaged.result
    run("callsieve db backup /var/lib/callsieve/backups/before.db")
    run(f"runuser -u callsieve -- python3 -c {shlex.quote(LATER_MIGRATION)}")
    pid = run("systemctl show -p MainPID --value callsieve")
    downgrade = f"{INSTALL} --allow-downgrades ./{old.name}"
    packaged.time("refused downgrade", lambda: run(downgrade, code=100).splitlines()[-12:])
    result["same daemon after the refused downgrade"] = pid == run("systemctl show -p MainPID --value callsieve")
    result["after the refused downgrade"] = packaged.state()
    result["label after the refused downgrade"] = packaged.call()
    run("systemctl stop 'callsieve*' && callsieve db restore --yes /var/lib/callsieve/backups/before.db")
    packaged.time("downgrade", lambda: run(downgrade).splitlines()[-12:])
    run("systemctl start callsieve callsieve-api callsieve-doctor.timer")
    result["after downgrade"] = packaged.state()
    result["label after downgrade"] = packaged.call()


def set_up_again(packaged: Packaged) -> None:
    """Undo setup, run it again until Ctrl-C, and once where Asterisk cannot read its dialplan."""
    run, result = packaged.machine.run, packaged.result
    packaged.time("undo", lambda: run("callsieve setup --undo --yes").splitlines()[-12:])
    result["after undo"], result["label after undo"] = packaged.state(), packaged.call()
    extensions = packaged.machine.path("/etc/asterisk/extensions.conf")
    good = extensions.read_text()
    extensions.write_text(good + '#include "is-not-there.conf"\n')
    before = run("find /etc/asterisk -type f -exec sha256sum {} + | sort -k 2")
    packaged.time("setup on a broken dialplan", lambda: run("callsieve setup --yes", code=2).splitlines()[-6:])
    after = run("find /etc/asterisk -type f -exec sha256sum {} + | sort -k 2")
    result["files changed by the failed setup"] = sorted(set(before.splitlines()) ^ set(after.splitlines()))
    result["label after the failed setup"] = packaged.call()
    extensions.write_text(good)
    packaged.time("second setup", lambda: packaged.set_up(interrupted=True))
    result["label after the second setup"] = packaged.call()


def main(root: Path, scratch: Path, old: Path, new: Path) -> None:
    folder = scratch / "packages"
    folder.mkdir()
    for package in (old, new):
        shutil.copy(package, folder)
    packages, paths = packaged_pbx()
    pbx = StockPbx(paths, Ports(sip=5060, ami=5038, phones={"201": 5081}, trunks={"carrier": 5080}))
    top = scratch / "machine"
    top.mkdir()
    machine = Machine(top, folder, root)
    machine.make()
    own = machine.path("/usr/sbin/asterisk").exists()
    if not own:
        machine.install_asterisk(packages, paths)
    machine.move_in()
    packaged = Packaged(machine, pbx)
    shutil.copy("/etc/resolv.conf", machine.path("/etc/resolv.conf"))
    machine.run("apt-get update -q -o Acquire::Check-Valid-Until=false")
    packaged.time("download", lambda: machine.run(f"{INSTALL} --download-only ./{new.name}").splitlines()[-3:])
    machine.go_offline()
    with machine.systemd(), nullcontext() if own else machine.asterisk():
        if own:
            machine.run("systemctl start asterisk && asterisk -rx 'core waitfullybooted'")
        try:
            scenario(packaged, old, new)
        except (AssertionError, OSError, ValueError, LookupError, subprocess.SubprocessError) as error:
            packaged.result["stopped by"] = str(error)
    print(json.dumps(packaged.result, indent=1))


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
