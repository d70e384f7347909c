"""Upgrade an older installation, attack it through the public page, restart Asterisk, and print what was seen.

Run in a mount namespace of its own: tests/integration/test_trust_levels.py does.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from lab.configuration import Ports
from lab.fetch import packaged_pbx
from tests.integration.first_contact.drive import Office, StockPbx, follow, steps_of_page
from tests.integration.first_contact.machine import Machine

ROOT = Path(__file__).resolve().parents[3]
PAGE, BACKEND, DAEMON = "callsieve-public", "callsieve-public-backend", "callsieve"
HELPER = "callsieve-call-back"
SETTINGS = f"""
[web]
enabled = true

[public]
enabled = true
address = "https://appeals.example.org"
name = "Example Ltd"
call_back = "/run/{HELPER}/socket"
"""
# As version 1 had it: the process that strangers reach was the user whom the daemon obeys.
OLD_UNIT = """# CallSieve's public page, where owners of numbers appeal: [public] of the settings.
[Service]
ExecStart=/bin/sh -c 'cd /var/lib/callsieve; callsieve public backend --socket page & \
    while ! test -S page; do sleep 0.1; done; exec callsieve public page --socket page'
Environment=PATH=/usr/local/bin:/usr/bin:/bin
User=callsieve
Group=asterisk
"""
# Somebody who runs code in the page: on a signal it tries what attacks.py has, and to read and write.
TAKEN_OVER = """
import json, os, pwd, signal, sys

def try_files():
    tried = {
        "the store": lambda: open("/var/lib/callsieve/callsieve.db").read(),
        "the settings": lambda: open("/etc/callsieve/callsieve.toml").read(),
        "a file in the state directory": lambda: open("/var/lib/callsieve/x", "w"),
        "the state directory": lambda: os.listdir("/var/lib/callsieve"),
        "other processes": lambda: open("/proc/1/cmdline").read(),
        "Asterisk's socket": lambda: os.stat("/run/asterisk/asterisk.ctl"),
        "the helper's socket": lambda: os.stat("/run/callsieve-call-back/socket"),
    }
    said = {}
    for name, attempt in tried.items():
        try:
            attempt()
            said[name] = "done"
        except OSError as error:
            said[name] = "refused"
    return said

def attack(number, frame):
    calls = attacks.outcomes(4578, "/var/lib/callsieve", "/run/callsieve-call-back/socket")
    said = {"calls": calls, "files": try_files()}
    print("ATTACKED", json.dumps(said), file=sys.stderr, flush=True)

try:
    is_page = pwd.getpwnam("callsieve-public").pw_uid == os.getuid()
except KeyError:
    is_page = False
if is_page:
    import attacks
    signal.signal(signal.SIGUSR1, attack)
"""
# Asks the daemon about a call.
ASKS = """
import socket
with socket.create_connection(("127.0.0.1", 4578), 10) as asked:
    asked.sendall(b"agi_network: yes\\nagi_request: agi://127.0.0.1/screen\\nagi_callerid: 2\\n\\n")
    while asked.recv(1000):
        asked.sendall(b"200 result=1\\n")
"""
OPENS = """
import os, socket, sys
kind = socket.SOCK_DGRAM if "call-back" in sys.argv[1] else socket.SOCK_STREAM
try:
    socket.socket(socket.AF_UNIX, kind).connect(sys.argv[1])
    print("opened")
except OSError as error:
    print(type(error).__name__)
"""
SEEN = (DAEMON, PAGE, BACKEND, "callsieve-events", HELPER)


class Trust:
    """The steps in the machine, once CallSieve is installed as docs/how-to/install.md says."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def run(self, command: str) -> str:
        return self._machine.run(command, code=None).strip()

    def python_as(self, user: str, script: str, *words: str) -> str:
        self._machine.path("/tmp/asked.py").write_text(script)
        who = f"setpriv --reuid={user} --regid=$(id --group {user}) --init-groups"
        return self.run(f"{who} /usr/bin/python3 /tmp/asked.py {' '.join(words)}")

    def until(self, command: str) -> bool:
        """Return whether a command succeeds within 30 s."""
        loop = f"for i in $(seq 300); do {command} && break; sleep 0.1; done >/dev/null 2>&1; {command} >/dev/null 2>&1"
        return self.run(f"({loop}); echo $?").endswith("0")

    def process_of(self, unit: str) -> str:
        return self.run(f"systemctl show --property=MainPID --value {unit}")

    def user_of(self, unit: str) -> str:
        return self.run(f"ps -o user:32= -p {self.process_of(unit)}")

    def page_answers(self) -> bool:
        return self.until(f"test $({CURL} http://127.0.0.1:8482/) = 200")

    def run_directory_of(self, unit: str) -> list[str]:
        """Return the unit's directories in /run."""
        return sorted(self.run(f"ls /proc/{self.process_of(unit)}/root/run").split())


CURL = (
    "curl --silent --output /dev/null --write-out %{http_code} --header 'Host: appeals.example.org' "
    "--header 'X-Forwarded-Proto: https'"
)


def move_an_older_installation(machine: Machine, trust: Trust, office: Office) -> dict[str, object]:
    """Replace the old unit and make its user."""
    unit = machine.path(f"/etc/systemd/system/{PAGE}.service")
    unit.write_text(OLD_UNIT)
    machine.path(f"/etc/systemd/system/{BACKEND}.service").unlink()
    machine.run("userdel callsieve-public")
    machine.path("/etc/callsieve/callsieve.toml").open("a").write(SETTINGS)
    helper = machine.path("/etc/callsieve/call-back.toml")
    helper.write_text(helper.read_text().replace("enabled = false", "enabled = true"))
    machine.run(f"systemctl daemon-reload; systemctl restart {DAEMON}; systemctl enable --now {PAGE}")
    trust.page_answers()
    old_is_red = office.doctor()["public page"]["status"]
    said = machine.run("callsieve asterisk install --systemd --yes --region US")
    machine.run(
        f"systemctl daemon-reload; systemctl enable --now {HELPER}; systemctl try-restart 'callsieve-*.service'"
    )
    return {
        "said": said,
        "old_is_red": old_is_red,
        "answers": trust.page_answers(),
        "users": {name: trust.user_of(name) for name in (DAEMON, PAGE, BACKEND, HELPER)},
        "groups": trust.run("id --groups --name callsieve-public"),
        "owners": trust.run("find /var/lib/callsieve -printf '%u %g\\n' | sort --unique"),
        "socket": trust.run("stat --format '%U %G %a' /run/callsieve-public/backend"),
        "wrong_reference": trust.run(f"{CURL} --data reference=7KQ2M4XA http://127.0.0.1:8482/reference"),
    }


def take_over(trust: Trust, office: Office) -> dict[str, object]:
    """Run the attacker's code in the page."""
    trust.run(f"systemctl kill --kill-whom=main --signal=USR1 {PAGE}")
    log = f"journalctl --no-pager --output=cat --unit {PAGE}"
    trust.until(f"{log} | grep -q ATTACKED")
    lines = [line for line in trust.run(log).splitlines() if line.startswith("ATTACKED")]
    return {
        **json.loads(lines[0].removeprefix("ATTACKED")),
        "answers": trust.page_answers(),
        "seccomp": trust.run(f"grep Seccomp: /proc/{trust.process_of(PAGE)}/status"),
        "obeyed": {user: is_obeyed(trust, office, user) for user in (PAGE, "callsieve", "asterisk")},
        "sockets": {
            path: {user: trust.python_as(user, OPENS, path) for user in (PAGE, "callsieve", "asterisk", "nobody")}
            for path in ("/var/lib/callsieve/agi.sock", f"/run/{HELPER}/socket", "/run/callsieve-public/backend")
        },
    }


def is_obeyed(trust: Trust, office: Office, user: str) -> bool:
    """Return whether the daemon decides a call for this user. A busy daemon may miss its deadline."""
    before = len(office.screened())
    for _ in range(5):
        if len(office.screened()) == before:
            trust.python_as(user, ASKS)
    return len(office.screened()) > before


def kill_each(trust: Trust) -> dict[str, object]:
    """Kill page and backend. systemd starts both again."""
    said: dict[str, object] = {}
    for killed in (BACKEND, PAGE):
        before = {name: trust.process_of(name) for name in (PAGE, BACKEND)}
        trust.run(f"systemctl kill --signal=KILL {killed}")
        changed = trust.until(f'test "$(systemctl show --property=MainPID --value {PAGE})" != {before[PAGE]}')
        said[killed] = changed and trust.page_answers()
    trust.run(f"systemctl stop {PAGE}")
    said["stopped"] = trust.until(f"! systemctl is-active {BACKEND}")
    trust.run(f"systemctl start {PAGE}")
    said["started"] = trust.page_answers()
    return said


def more_calls_screened(office: Office) -> bool:
    """Return whether calls are screened now. On a busy machine some go on at the deadline."""
    before = len(office.screened())
    for _ in range(5):
        if len(office.screened()) == before:
            office.call_each_did()
    return len(office.screened()) > before


def main(top: Path) -> None:
    packages, paths = packaged_pbx()
    pbx = StockPbx(paths, Ports(sip=5060, ami=5038, phones={"201": 5081}, trunks={"carrier": 5080}))
    machine = Machine(top, ROOT)
    machine.make()
    machine.install_asterisk(packages, paths)
    machine.move_in()
    steps = steps_of_page()
    follow(machine, steps[:1])
    site = next(machine.path("/opt/callsieve/lib").glob("python3*/site-packages"))
    shutil.copy(ROOT / "tests/callsieve/system/attacks.py", site / "attacks.py")
    (site / "taken_over.py").write_text(TAKEN_OVER)
    (site / "taken_over.pth").write_text("import taken_over\n")
    machine.go_offline()
    result: dict[str, object] = {}
    trust, office = Trust(machine), Office(machine, pbx)
    with machine.systemd():
        with machine.asterisk():
            follow(machine, steps[1:])
            result["moved"] = move_an_older_installation(machine, trust, office)
            result["attacked"] = take_over(trust, office)
            result["killed"] = kill_each(trust)
            machine.run("systemctl enable --now callsieve-events")
            result["console"] = trust.run(
                "curl --silent --output /dev/null --write-out %{http_code} http://127.0.0.1:8480/"
            )
            result["over_tcp"] = more_calls_screened(office)
        # As a unit with RuntimeDirectory= does it.
        machine.run("rm -r /run/asterisk && mkdir /run/asterisk && chown asterisk:asterisk /run/asterisk")
        with machine.asterisk():
            result["run"] = {name: trust.run_directory_of(name) for name in SEEN}
            result["asterisk_runs"] = machine.path("/run/asterisk/asterisk.ctl").exists()
            machine.run("callsieve asterisk install --systemd --classic --yes --region US --reload", code=None)
            result["over_unix"] = more_calls_screened(office)
            result["doctor"] = office.doctor()
            machine.run("systemctl stop callsieve")
            machine.run("systemd-run --unit=thief --uid=nobody /usr/bin/python3 -m http.server --bind 127.0.0.1 4578")
            trust.until("curl --silent --output /dev/null http://127.0.0.1:4578/")
            result["holder"] = office.doctor()["daemon"]["detail"]
            machine.run("systemctl start callsieve-doctor", code=None)
            result["holder_by_timer"] = machine.path("/var/lib/callsieve-doctor/findings.json").read_text()
            machine.run("systemctl stop thief")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
