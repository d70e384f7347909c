"""`make demo`: a small office that gets a dozen calls, each shown live with its outcome.

Everything is real: Asterisk, SIP calls by SIPp, `callsieve serve`, its store, and the commands that an administrator
types. The numbers are invented. The exit status is 0 only if each call ended as expected.
"""

from __future__ import annotations

import csv
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lab import CallResult, CallSpec, LabUnavailable, Phone, ensure_pbx
from lab.carrier import quoted
from lab.screened import ALICE, EXTENSIONS, SALES, SETTINGS, ScreenedPbx

CONTACT = "+12015550101"
STRANGER = "+12015550102"
BUSINESS = "+12015550103"
# Each from another block of 1000: three listed numbers in a block would be evidence against every caller from it.
SALES_CALL = "+12025550104"
TWICE_LISTED = "+12035550105"
SCAM = "+12065550106"
ROBOT = "+12075550107"
BLOCKED = "+12015559123"
HOSTILE = '${SHELL(id)},verification=passed" \\'

# An administrator's own rules in addition to the preset, so that the demo shows every action.
POLICY = """\
extends = "cautious"

[[rule]]
name = "robots"
when = { category = "robocall" }
action = "route"
reason = "robots may talk to the voicemail"

[[rule]]
name = "scams"
when = { category = "scam" }
action = "challenge"
reason = "a person will press a digit, most robots do not"

[[rule]]
name = "listed-twice"
when = { points_between = [10, 99] }
action = "warn"
reason = "more than one source lists this number"
"""

# No control sample: with it, one call in four with evidence against it would get no warning.
UNSAMPLED = "\n[reputation.sample]\nevery = 0\n"

LISTED = {
    "complaints": [(SALES_CALL, "telemarketing"), (TWICE_LISTED, "telemarketing"), (SCAM, "scam"), (ROBOT, "robocall")],
    "neighbours": [(TWICE_LISTED, "telemarketing")],
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A call of the demo: who calls, how the call is placed, and how it must end."""

    story: str
    caller: str
    place: Callable[[Office], CallResult]
    action: str
    rule: str
    code: int = 200
    shown: str | None = None  # the caller name on the phone; None: no phone rings


@dataclass(slots=True)
class Office:
    """The PBX and the phone of the demo."""

    pbx: ScreenedPbx
    alice: Phone

    def call(self, caller: str, **details: Any) -> CallResult:
        return self.pbx.carrier.call(CallSpec(caller=caller, did=ALICE, **{"hang_up_after": 0.3, **details}))


def frozen(office: Office) -> CallResult:
    """Place a call while the daemon is suspended, so that it does not answer."""
    office.pbx.daemon.freeze()
    try:
        return office.call(BLOCKED, name="Joe")
    finally:
        office.pbx.daemon.thaw()


def killed(office: Office) -> CallResult:
    """Place a call, kill the daemon while it decides, and start the daemon again afterwards."""
    office.pbx.daemon.freeze()
    with office.pbx.carrier.start(CallSpec(caller=BLOCKED, name="Joe", did=ALICE, hang_up_after=0.3)) as call:
        time.sleep(0.2)  # within the 0.6 s that the dialplan waits
        office.pbx.daemon.kill()
        result = call.result()
    office.pbx.daemon.start()
    return result


def in_emergency_window(office: Office) -> CallResult:
    """Place a call soon after a phone has called 112, when screening pauses."""
    with office.alice.dial("112") as call:
        call.result()
    return office.call(BLOCKED, name="Dispatch")


def pressing_the_digit(office: Office) -> CallResult:
    """Place a call whose caller listens and presses the requested digit."""
    asterisk = office.pbx.asterisk
    with office.pbx.carrier.start(CallSpec(caller=SCAM, name="Ann", did=ALICE, hang_up_after=5.0)) as call:
        line = asterisk.wait_for_log("Playing 'digits/", 10.0)
        call.press(line.partition("digits/")[2][0])
        return call.result()


def switched_off(office: Office) -> CallResult:
    """Place a call while screening is switched off, then switch screening on again."""
    office.pbx.daemon.callsieve("off", "--for", "1h")
    try:
        return office.call(BLOCKED, name="Joe")
    finally:
        office.pbx.daemon.callsieve("on")


SCENES = (
    Scene("a contact", CONTACT, lambda o: o.call(CONTACT, name="Carol"), "allow", "contact", shown="Carol"),
    Scene("a stranger", STRANGER, lambda o: o.call(STRANGER, name="Joe"), "allow", "default", shown="Joe"),
    Scene(
        "a verified business",
        BUSINESS,
        lambda o: o.call(BUSINESS, name="?"),
        "allow",
        "default",
        shown="Verified: ACME Ltd",
    ),
    Scene(
        "a telemarketer on a list",
        SALES_CALL,
        lambda o: o.call(SALES_CALL, name="Deals"),
        "tag",
        "level-tag",
        shown="Sales? Deals",
    ),
    Scene(
        "a number on two lists",
        TWICE_LISTED,
        lambda o: o.call(TWICE_LISTED, name="Deals"),
        "warn",
        "listed-twice",
        shown="Sales? Deals",
    ),
    Scene("a scam number, its caller is a person", SCAM, pressing_the_digit, "challenge", "scams", shown="Ann"),
    Scene("a robot", ROBOT, lambda o: o.call(ROBOT, name="Offer"), "route", "robots"),
    Scene("a blocked prefix", BLOCKED, lambda o: o.call(BLOCKED, name="Joe"), "reject", "blocklist", code=603),
    Scene(
        "a withheld number",
        "withheld",
        lambda o: o.call(STRANGER, privacy=True),
        "tag",
        "withheld",
        shown="Anonymous",
    ),
    Scene(
        "our own number, shown by a caller from outside",
        SALES,
        lambda o: o.call(SALES, name="Boss"),
        "warn",
        "own-number",
        shown="Own number? Boss",
    ),
    Scene(
        "a hostile caller name",
        "+12015550108",
        lambda o: o.call("+12015550108", name=HOSTILE),
        "allow",
        "default",
        shown=quoted(HOSTILE)[1:-1],  # Asterisk keeps SIP's own escapes, and escapes them once more
    ),
    Scene("a blocked number while the daemon is frozen", BLOCKED, frozen, "", "", shown="Joe"),
    Scene("a blocked number while the daemon is killed", BLOCKED, killed, "", "", shown="Joe"),
    Scene("a blocked number while screening is off", BLOCKED, switched_off, "", "", shown="Joe"),
    Scene(
        "a blocked number after a call to 112",
        BLOCKED,
        in_emergency_window,
        "allow",
        "emergency-window",
        shown="Dispatch",
    ),
)


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        with console.status("fetching Asterisk and SIPp (only at the first run, about 10 s)"):
            ensure_pbx()
    except LabUnavailable as error:
        console.print(f"[red]Asterisk is neither installed nor can be fetched:[/] {error}")
        return 1
    with ExitStack() as stack:
        with console.status("starting Asterisk, the daemon and a phone"):
            office = open_office(stack)
        return play(console, office)


def open_office(stack: ExitStack) -> Office:
    """Start Asterisk and the daemon, fill the store, and switch on the phone of Alice."""
    pbx = stack.enter_context(ScreenedPbx(extensions=EXTENSIONS, settings=SETTINGS))
    (pbx.state / "policies").mkdir()
    (pbx.state / "policies" / "demo.toml").write_text(POLICY)
    settings = SETTINGS.replace('name = "cautious"', 'name = "demo"') + UNSAMPLED
    pbx.daemon.write_settings(
        settings + f"\n[asterisk]\ncommand = {json.dumps(shlex.join(pbx.asterisk.console_command))}\n"
    )
    pbx.daemon.reload()
    pbx.daemon.wait_for_log("policy activated: demo")
    with tempfile.TemporaryDirectory() as folder:
        for command in commands(Path(folder)):
            done = pbx.daemon.callsieve(*command)
            if done.returncode:
                raise RuntimeError(f"callsieve {' '.join(command)}: {done.stderr}")
    return Office(pbx, stack.enter_context(Phone(pbx.asterisk, "201")))


def commands(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield the `callsieve` commands with which an administrator would fill the store."""
    for source, rows in LISTED.items():
        path = folder / f"{source}.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("number", "category"), *rows])
        yield "import", "numbers", str(path), "--source", source
    contacts = folder / "contacts.csv"
    contacts.write_text(f"number,name\n{CONTACT},Carol\n")
    yield "import", "contacts", str(contacts), "--source", "demo"
    yield (
        "identity",
        "add",
        BUSINESS,
        "--name",
        "ACME Ltd",
        "--level",
        "2",
        "--note",
        "called the company back, checked the company register",
    )
    yield "list", "add", "block", "+12015559*", "--note", "only robots call with this prefix"


# The columns and their shares of the width, for at least 80 characters.
COLUMNS = {
    "kind of call, caller": 4,
    "what the store knew of the caller": 5,
    "decision: rule, reason": 5,
    "SIP response, caller name on the phone": 4,
}


def play(console: Console, office: Office) -> int:
    """Place the calls one after another, and show each call when it ends. Return the exit status."""
    console.print(Text("CallSieve: a dozen calls to a real Asterisk", "italic", justify="center"))
    console.print(lines_of(*(Text(title, "bold") for title in (*COLUMNS, "ms", ""))))
    wrong = 0
    for scene in SCENES:
        with console.status(scene.story):
            row, good = run(office, scene)
        wrong += not good
        console.print(Rule(style="dim"))
        console.print(lines_of(*row, Text("✓", "green") if good else Text("✗", "bold red")))
    console.print(Rule(style="dim"))
    if wrong:
        console.print(f"[bold red]{wrong} of {len(SCENES)} calls did not end as expected[/]")
        return 1
    console.print(
        f"All {len(SCENES)} calls ended as expected. Column ms: from the INVITE to ringing, or to the final response."
    )
    return 0


def lines_of(*cells: str | Text) -> Table:
    """Return a table of one row.

    A live table that outgrows the screen would be printed repeatedly, so each row is separate.
    """
    table = Table.grid(padding=(0, 2), expand=True)
    for share in COLUMNS.values():
        table.add_column(ratio=share)
    table.add_column(justify="right", width=4)
    table.add_column(width=1)
    table.add_row(*cells)
    return table


NO_DECISION = "the call went on without a decision"
STYLES = {"allow": "green", "tag": "yellow", "warn": "yellow", "challenge": "magenta", "route": "red", "reject": "red"}


def run(office: Office, scene: Scene) -> tuple[tuple[str | Text, ...], bool]:
    """Place the call of a scene. Return a row for the table, and whether the call ended as expected."""
    knew = sentence(office, scene.caller)
    rung_before, began = len(office.alice.invites()), time.time()
    result = scene.place(office)
    rung = office.alice.invites()[rung_before:]
    record = decision_since(office, began) if scene.action else {}
    shown = rung[0].from_name if rung else None
    good = (result.code, shown) == (scene.code, scene.shown) and (
        (record.get("action", ""), record.get("rule", "")) == (scene.action, scene.rule)
    )
    seconds = result.ringing_seconds or result.final_seconds
    answer = f"{result.code} {result.reason}\n" + (f"“{shown}”" if shown is not None else "no phone rang")
    action = record.get("action") or "not screened"
    rule = (": ", str(record["rule"])) if record else ()
    return (
        Text.assemble((scene.story, "bold"), "\n", (scene.caller, "cyan")),
        Text(knew, "dim"),
        Text.assemble((action, STYLES.get(action, "dim")), *rule, "\n", record.get("reason", NO_DECISION)),
        answer,
        f"{1000 * (seconds or 0):.0f}",
    ), good


def sentence(office: Office, caller: str) -> str:
    """Return the sentence that `callsieve lookup` prints about a number."""
    if not caller.startswith("+"):
        return ""
    done = office.pbx.daemon.callsieve("lookup", caller, "--json")
    return str(json.loads(done.stdout)["sentence"]) if done.returncode == 0 else done.stderr.strip()


def latest(office: Office) -> dict[str, Any]:
    """Return the latest decision, as `callsieve calls show` prints it; an empty dict without decisions."""
    done = office.pbx.daemon.callsieve("calls", "show", "--last", "1", "--json")
    rows = json.loads(done.stdout) if done.returncode == 0 else []
    return dict(rows[0]) if rows else {}


def decision_since(office: Office, began: float, seconds: float = 10.0) -> dict[str, Any]:
    """Return the decision that was made after the time `began`; an empty dict if none is made within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        record = latest(office)
        if record and datetime.fromisoformat(record["at"]).timestamp() >= began:
            return record
        time.sleep(0.05)
    return {}


if __name__ == "__main__":
    sys.exit(main())
