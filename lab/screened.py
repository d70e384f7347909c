"""A complete screened PBX: Asterisk with CallSieve's dialplan, the daemon, and the numbers and people of an office.

+44 20 7183 8750   sales: phones 201 and 202 ring together
+44 20 7183 8751   Alice, phone 201, has voicemail
+44 20 7183 8752   the fax, phone 203, never screened
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from lab.asterisk import Asterisk
from lab.carrier import Carrier
from lab.daemon import Daemon
from lab.programs import AGI_SCRIPT

SALES = "+442071838750"
ALICE = "+442071838751"
FAX = "+442071838752"

EXTENSIONS = """\
[from-carrier]
exten => _[+0-9A-Za-z].,1,Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))
 same => n,Goto(office,${FILTER(0-9A-Za-z+*#,${EXTEN})},1)

[office]
exten => +442071838750,1,Dial(PJSIP/201&PJSIP/202,20,${CALLSIEVE_DIAL})
exten => +442071838751,1,Dial(PJSIP/201,20,${CALLSIEVE_DIAL})
exten => +442071838752,1,Dial(PJSIP/203,20,${CALLSIEVE_DIAL})
exten => i,1,Dial(PJSIP/201,20,${CALLSIEVE_DIAL})

[spam-box]
exten => s,1,Answer()
 same => n,Wait(2)
 same => n,Hangup()

[from-internal]
exten => 112,1,Gosub(callsieve-emergency,s,1)
 same => n,Answer()
 same => n,Wait(1)
 same => n,Hangup()
exten => _+X.,1,Dial(PJSIP/${EXTEN}@carrier,60)
 same => n,Hangup()
"""

# All invented callers are in one block and call several numbers within an hour, so first-call signals are off.
SETTINGS = """\
[numbers]
region = "US"

[reputation.outside]
storm = 0

[policy]
name = "cautious"

[[trunk]]
name = "carrier"
channels = "PJSIP/carrier-*"

[[trunk]]
name = "trusted"
channels = "PJSIP/carrier2-*"
region = "GB"
trusted = true
reject = "busy"

[[did]]
number = "+442071838750"
group = "sales"

[[did]]
number = "+442071838751"
callee = "201"

[[did]]
number = "+442071838752"
screen = false

[[person]]
extension = "201"
group = "sales"
name = "Alice"

[[person]]
extension = "202"
group = "sales"
name = "Bob"
"""

Asking = Literal["fastagi", "classic", "standalone"]
PATHS = (
    "screen",
    "callee",
    "challenge",
    "hear",
    "heard",
    "emergency",
    "mark",
    "prove",
    "explain",
    "passcode",
    "outbound",
)

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "asterisk-conf"
CONF_FILES = ("callsieve-caller.conf", "callsieve.conf", "callsieve-outbound.conf")

PATIENT_DEADLINE_MS = 550  # the most that the settings allow
PATIENT_SECONDS = 6
# The time limits in the dialplan, in seconds: for a new call, and for any other request.
BOUNDS = re.compile(r"(TIMEOUT\(absolute\)=)0\.\d")


class ScreenedPbx:
    """A running office: Asterisk with CallSieve's dialplan, and the daemon unless `start_daemon` is False.

    Args:
        settings: The text of the settings, instead of SETTINGS.
        extensions: The text of the dialplan, instead of EXTENSIONS.
        noload: Names of Asterisk modules that are not loaded.
        asking: How the dialplan reaches CallSieve: FastAGI, the classic script that relays to the daemon, or the
            standalone script.
        conf: Changes the text of asterisk-conf/callsieve.conf.
        config: Text that is added to Asterisk's other files, by name.
        digit: The digit of every challenge, instead of a random one.
        patient: Whether time limits are longer, for tests on a busy machine that do not test speed.
    """

    def __init__(
        self,
        *,
        settings: str = SETTINGS,
        extensions: str = EXTENSIONS,
        noload: Sequence[str] = (),
        globals: Mapping[str, str] | None = None,
        start_daemon: bool = True,
        asking: Asking = "fastagi",
        conf: Callable[[str], str] = str,
        config: Mapping[str, str] | None = None,
        digit: int | None = None,
        patient: bool = False,
    ) -> None:
        self._settings = settings
        self._extensions = extensions
        self._noload = noload
        self._globals = dict(globals or {})
        self._start_daemon = start_daemon
        self._asking = asking
        self._conf = conf
        self._patient = patient
        self._config = config
        self._digit = digit
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callsieve-state-")))
            self.daemon = Daemon(self.state, self._settings, deadline_ms=PATIENT_DEADLINE_MS if self._patient else None)
            stack.callback(self.daemon.stop)
            if self._start_daemon:
                self.daemon.start()
            self.asterisk = stack.enter_context(
                Asterisk(
                    extensions=self._extensions,
                    includes=self._write_conf(),
                    globals={"CALLSIEVE_AGI": self._agi(), **self._globals},
                    noload=self._noload,
                    config=self._config,
                )
            )
            if self._asking != "fastagi":
                self._write_scripts()
            self.carrier = Carrier(self.asterisk)
            self.trusted = Carrier(self.asterisk, "carrier2")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _write_conf(self) -> list[Path]:
        paths = [self.state / name for name in CONF_FILES]
        for path in paths:
            text = (CONF / path.name).read_text()
            if self._digit is not None:
                text = text.replace("${RAND(1,9)}", str(self._digit))
            text = self._conf(text) if path.name == "callsieve.conf" else text
            path.write_text(without_bounds(text) if self._patient else text)
        return paths

    def _agi(self) -> str:
        return self.daemon.url if self._asking == "fastagi" else "callsieve-agi"

    def _write_scripts(self) -> None:
        """Write the AGI scripts that `callsieve asterisk install --classic` writes into Asterisk's AGI directory."""
        if self._asking == "classic":
            command = [sys.executable, "-I", "-S", str(ROOT / "agi" / "relay.py"), str(self.state / "agi.sock")]
        else:
            command = [sys.executable, "-m", AGI_SCRIPT, "--standalone"]
            command += ["--config", str(self.daemon.config)]
        environment = f"export CALLSIEVE_STATE={shlex.quote(str(self.state))} PYTHONPATH={shlex.quote(str(ROOT))}"
        folder = self.asterisk.directories.top / "agi-bin" / "callsieve-agi"
        folder.mkdir()
        for path in PATHS:
            script = folder / path
            script.write_text(f"#!/bin/sh\n{environment}\nexec {shlex.join(command)}\n")
            script.chmod(0o755)


def without_bounds(conf: str) -> str:
    """Return CallSieve's dialplan with time limits that are long enough for a busy computer."""
    return BOUNDS.sub(rf"\g<1>{PATIENT_SECONDS}", conf)
