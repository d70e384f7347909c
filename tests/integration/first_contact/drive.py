"""Follow docs/how-to/install.md word by word on a stock machine, call in, and print what happened as JSON.

Run in a mount namespace of its own: tests/integration/test_first_contact.py does.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab import CallSpec, Carrier, Phone
from lab.configuration import Ports
from lab.fetch import PbxPaths, packaged_pbx
from tests.integration.first_contact.machine import Machine
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
CALLER = "+12015550100"
# Queue, menu, ring group, two of a pattern, no number, and one that voicemail answers.
DIDS = ("+442071838750", "02071838751", "2071838752", "442071838753", "442071838754", "s", "+442071838755")
IAX_DID = "2071838752"
IAX_TRUNK = "IAX2/iax-carrier"
UNKNOWN_DID = "+442071838799"
# Those that run without settings of their own.
MORE_UNITS = ("callsieve-events", "callsieve-feeds.timer", "callsieve-watch.timer")


def plain(did: str) -> str:
    """Return a DID in one form, whether a trunk or the journal wrote it."""
    return did.removeprefix("+1").removeprefix("+")


@dataclass(frozen=True, slots=True)
class StockPbx:
    """The parts of an Asterisk that the lab's carrier and phones need."""

    paths: PbxPaths
    ports: Ports
    sip_address: tuple[str, int] = ("127.0.0.1", 5060)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of docs/how-to/install.md: lines for a file, and commands."""

    lines: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


def steps_of_page() -> list[Step]:
    """Return the numbered list of docs/how-to/install.md."""
    block = re.search(
        r"^```sh\n(# 1\. .*?)^```", (ROOT / "docs" / "how-to" / "install.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert block is not None
    steps: list[Step] = []
    for line in block[1].splitlines():
        if re.match(r"# \d+\. ", line):
            steps.append(Step())
        elif line.startswith("#    "):
            steps[-1].lines.append(line.removeprefix("#    "))
        else:
            steps[-1].commands.append(line)
    return steps


class Office:
    """The office's calls, before and after the install."""

    def __init__(self, machine: Machine, pbx: StockPbx) -> None:
        self.machine = machine
        self._pbx = pbx

    def call_each_did(self) -> dict[str, int | None]:
        """Return the SIP code of a call to each DID. Alice answers where a phone rings."""
        with Phone(self._pbx, "201"):
            codes = {did: Carrier(self._pbx).call(CallSpec(caller=CALLER, did=did)).code for did in DIDS}
        codes[UNKNOWN_DID] = Carrier(self._pbx).call(CallSpec(caller=CALLER, did=UNKNOWN_DID)).code
        return codes

    def call_until_screened(self) -> dict[str, int | None]:
        """Call each DID. A call that a busy machine lets go on at the deadline is repeated, up to five times."""
        codes = self.call_each_did()
        for _ in range(5):
            screened = {plain(did) for did, _ in self.screened()}
            with Phone(self._pbx, "201"):
                for did in (did for did in DIDS if plain(did) not in screened):
                    codes[did] = Carrier(self._pbx).call(CallSpec(caller=CALLER, did=did)).code
        return codes

    def call_by_iax_until_screened(self) -> None:
        """Call on an IAX2 trunk, in the same way."""
        for _ in range(5):
            if IAX_TRUNK not in {trunk for _, trunk in self.screened()}:
                self.call_by_iax()

    def call_by_iax(self) -> None:
        """Call on an IAX2 trunk: this Asterisk calls itself."""
        with Phone(self._pbx, "201") as phone:
            command = f"channel originate IAX2/iax-carrier/{IAX_DID} application Wait 2"
            self.machine.run(f"asterisk -rx '{command}'")
            phone.wait_for_invite()
            self.machine.run(
                "for i in $(seq 100); do asterisk -rx 'core show channels count' | grep -q '^0 active ch' && exit 0; "
                "sleep 0.1; done; exit 1"
            )

    def screened(self) -> list[list[str]]:
        """Return DID and trunk of all decisions so far, the oldest first."""
        calls = json.loads(self.machine.run("callsieve calls show --json --last 100"))
        return [[call["did"], call["trunk"]] for call in reversed(calls)]

    def doctor(self) -> dict[str, dict[str, str]]:
        """Return each check by its name."""
        return {check["name"]: check for check in json.loads(self.machine.run("callsieve doctor --json", code=None))}


def follow(machine: Machine, steps: list[Step]) -> dict[str, str]:
    """Do these steps and return the output of each command. In the files of trunks a line replaces the old one."""
    said = {}
    for step in steps:
        for line in step.lines:
            for name in ("pjsip.conf", "iax.conf"):
                conf = machine.path(f"/etc/asterisk/{name}")
                conf.write_text(re.sub(r"^context = from-trunk$", line, conf.read_text(), flags=re.MULTILINE))
            machine.run('asterisk -rx "module reload chan_iax2.so"')  # docs/how-to/install.md, for an IAX2 trunk
        for command in step.commands:
            there_is_no_terminal = " --yes" if "asterisk install" in command or "import people" in command else ""
            there_is_no_terminal += " --region US" if "asterisk install" in command else ""
            said[command] = machine.run(command + there_is_no_terminal)
    return said


def units(machine: Machine) -> dict[str, str]:
    """Return our units that systemd has loaded, and whether each is active."""
    lines = machine.run("systemctl list-units --all --plain --no-legend --no-pager 'callsieve*'").splitlines()
    return {line.split()[0]: line.split()[2] for line in lines}


def restarts_of_a_frozen_daemon(machine: Machine) -> int:
    """Return how often systemd restarted the daemon within ten seconds."""
    machine.run("systemctl kill --signal=STOP callsieve")
    count = "systemctl show --property=NRestarts --value callsieve"
    running = "systemctl is-active --quiet callsieve"
    machine.run(f'for i in $(seq 100); do [ "$({count})" != 0 ] && {running} && exit 0; sleep 0.1; done; exit 1')
    return int(machine.run(count))


def main(top: Path) -> None:
    packages, paths = packaged_pbx()
    pbx = StockPbx(paths, Ports(sip=5060, ami=5038, phones={"201": 5081}, trunks={"carrier": 5080}))
    machine = Machine(top, ROOT)
    machine.make()
    machine.install_asterisk(packages, paths)
    machine.move_in()
    steps = steps_of_page()
    follow(machine, steps[:1])  # pip needs the network
    machine.go_offline()
    result: dict[str, object] = {}
    with machine.systemd(), machine.asterisk():
        office = Office(machine, pbx)
        result["before"] = office.call_each_did()
        result["said"] = follow(machine, steps[1:])
        result["after"] = office.call_until_screened()
        office.call_by_iax_until_screened()
        result["screened"] = office.screened()
        result["doctor"] = office.doctor()
        result["settings"] = machine.path("/etc/callsieve/callsieve.toml").read_text()
        result["findings"] = machine.path("/var/lib/callsieve-doctor/findings.json").exists()
        result["log"] = machine.run("journalctl --no-pager --unit callsieve")
        result["restarts"] = restarts_of_a_frozen_daemon(machine)
        machine.run(f"systemctl enable --now {' '.join(MORE_UNITS)}")
        result["running"] = units(machine)
        result["refused"] = machine.run("callsieve asterisk uninstall --yes", code=2)
        for name in ("pjsip.conf", "iax.conf"):
            conf = machine.path(f"/etc/asterisk/{name}")
            conf.write_text(conf.read_text().replace("context = callsieve-from-trunk", "context = from-trunk"))
        result["refused_by_asterisk"] = machine.run("callsieve asterisk uninstall --yes", code=2)
        machine.run('asterisk -rx "module reload res_pjsip.so"; asterisk -rx "module reload chan_iax2.so"')
        result["uninstalled"] = machine.run("callsieve asterisk uninstall --yes --reload")
        result["afterwards"] = office.call_each_did()
        with socket.socket() as probe:
            result["daemon_is_gone"] = probe.connect_ex(("127.0.0.1", 4578)) != 0
        with suppress(AssertionError):  # systemd forgets a unit some time after it has ended
            wait_until(lambda: not units(machine))
        result["units_left"] = units(machine)
        result["files_left"] = machine.run("find /etc/asterisk /etc/systemd/system -name '*callsieve*'").split()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
