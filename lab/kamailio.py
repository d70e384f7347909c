"""Kamailio between a carrier and a phone, with CallSieve's example configuration, during the `with` block.

    with Kamailio(url, token) as switch, Phone(switch, "201"):
        Carrier(switch).call()

A `kamailio` on PATH is used. Otherwise Debian's packages are unpacked in the cache (8 MB to fetch).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.children import ends_with_us
from lab.configuration import ASTERISK_ADDRESS, PHONE_ADDRESS, PHONES, TRUNK_ADDRESSES, Ports
from lab.debian import Bundle, LabUnavailable, Progress, unpacked
from lab.fetch import PbxPaths, ensure_pbx
from lab.ports import free_port
from lab.tools import library_path

PACKAGES = Bundle("kamailio", ("kamailio", "kamailio-extra-modules", "kamailio-json-modules"))
EXAMPLES = f"{Path(__file__).resolve().parent.parent}/examples/kamailio/"
START_SECONDS = 20.0
STOP_SECONDS = 5.0
AWAY = "202"  # the phone that stands for voicemail

# A minimal proxy for one phone: later requests in a call go to that phone too.
CONFIGURATION = """\
#!KAMAILIO
#!define CALLSIEVE_URL "{url}"
#!define CALLSIEVE_HEADER "Authorization: Bearer {token}"
#!define CALLSIEVE_TRUNK "{trunk}"
debug=2
log_stderror=yes
children=2
disable_tcp=yes
auto_aliases=no
listen=udp:{address}:{port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
include_file "{example}"
{outcomes}
request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) {{
            t_relay();
        }}
        exit;
    }}
    if (has_totag()) {{
{within}        route(CALLSIEVE_GO_ON);
        exit;
    }}
    if (!is_method("INVITE")) {{
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }}
{before}    route(CALLSIEVE);
}}

route[CALLSIEVE_GO_ON] {{
{relayed}    $du = "sip:{phone_address}:{phone_port}";
    t_relay();
}}
"""
AWAY_ROUTE = """
route[CALLSIEVE_AWAY] {{
    $du = "sip:{phone_address}:{away_port}";
    t_relay();
}}
"""
OUTCOMES = """\
#!define CALLSIEVE_OUTCOMES_URL "{outcomes_url}"
include_file "{outcomes_example}"
"""
# Where the lines of the second example go.
LINES = {
    "within": "        dlg_manage();\n",
    "before": "    route(CALLSIEVE_FOLLOW);\n",
    "relayed": '    $dlg_var(callsieve_phone) = "201";\n    t_on_reply("CALLSIEVE_REPLY");\n',
}


@dataclass(frozen=True, slots=True)
class KamailioPaths:
    """The paths of Kamailio, its modules, and its libraries."""

    program: Path
    modules: Path
    libraries: str = ""


def ensure_kamailio(progress: Progress = lambda line: None) -> KamailioPaths:
    """Return the paths of Kamailio, fetched at the first use. Raise LabUnavailable if the fetch fails."""
    installed = shutil.which("kamailio")
    root = Path("/") if installed else unpacked(PACKAGES, progress).resolve()
    modules = next(iter(sorted(root.glob("usr/lib/*/kamailio/modules"))), None)
    program = Path(installed) if installed else root / "usr/sbin/kamailio"
    if modules is None or not program.exists():
        raise LabUnavailable(
            f"the packages {' '.join(PACKAGES.packages)} contain no kamailio: install kamailio yourself"
        )
    return KamailioPaths(program, modules, "" if installed else f"{library_path(root)}:{modules.parent}")


class Kamailio:
    """A proxy that gets decisions from CallSieve at `url` and sends calls to the phone 201.

    `has_away`: whether calls that CallSieve routes elsewhere go to the phone 202. `outcomes_url`: where the ends of
    calls are reported. `examples`: the common path prefix of the two example configuration files.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        trunk: str = "kamailio",
        has_away: bool = True,
        outcomes_url: str = "",
        examples: str = EXAMPLES,
    ) -> None:
        self.paths: PbxPaths = ensure_pbx()
        self._program = ensure_kamailio()
        self._url = url
        self._token = token
        self._trunk = trunk
        self._has_away = has_away
        self._outcomes_url = outcomes_url
        self._examples = examples
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="callsieve-kamailio-"))
        try:
            self.ports = Ports(
                sip=free_port(ASTERISK_ADDRESS, socket.SOCK_DGRAM),
                ami=0,
                phones={phone: free_port(PHONE_ADDRESS, socket.SOCK_DGRAM) for phone in PHONES},
                trunks={name: free_port(address, socket.SOCK_DGRAM) for name, address in TRUNK_ADDRESSES.items()},
            )
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # it is the leader of its own group, with its workers
                process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def sip_address(self) -> tuple[str, int]:
        """The address to which the carrier sends calls."""
        return ASTERISK_ADDRESS, self.ports.sip

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def _start(self) -> None:
        places = {
            "url": self._url,
            "token": self._token,
            "trunk": self._trunk,
            "example": f"{self._examples}callsieve.cfg",
            "outcomes_example": f"{self._examples}callsieve-outcomes.cfg",
            "outcomes_url": self._outcomes_url,
            "address": ASTERISK_ADDRESS,
            "port": self.ports.sip,
            "phone_address": PHONE_ADDRESS,
            "phone_port": self.ports.phones["201"],
            "away_port": self.ports.phones[AWAY],
        }
        lines = LINES if self._outcomes_url else dict.fromkeys(LINES, "")
        outcomes = OUTCOMES.format_map(places) if self._outcomes_url else ""
        text = CONFIGURATION + (AWAY_ROUTE if self._has_away else "")
        (self._folder / "kamailio.cfg").write_text(text.format_map({**places, **lines, "outcomes": outcomes}))
        command = [str(self._program.program), "-DD", "-E", "-m", "32", "-M", "4"]
        command += ["-f", "kamailio.cfg", "-w", str(self._folder), "-Y", str(self._folder)]
        command += ["-P", "pid", "-L", str(self._program.modules)]
        environment = {**os.environ}
        if self._program.libraries:
            environment["LD_LIBRARY_PATH"] = self._program.libraries
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                (*ends_with_us(), *command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=environment,
                start_new_session=True,
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        """Wait until Kamailio sends any response to OPTIONS."""
        deadline = time.monotonic() + START_SECONDS
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind((ASTERISK_ADDRESS, 0))
            asking.settimeout(0.1)
            here = f"{ASTERISK_ADDRESS}:{asking.getsockname()[1]}"
            question = (
                f"OPTIONS sip:lab@{ASTERISK_ADDRESS} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKlab\r\n"
                f"From: <sip:lab@{here}>;tag=1\r\nTo: <sip:lab@{here}>\r\nCall-ID: lab@{here}\r\nCSeq: 1 OPTIONS\r\n"
                "Max-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
            )
            while time.monotonic() < deadline:
                if self._process is None or self._process.poll() is not None:
                    raise RuntimeError(f"Kamailio ended while it started:\n{self.log()[-3000:]}")
                asking.sendto(question.encode(), self.sip_address)
                try:
                    asking.recv(4096)
                except (TimeoutError, ConnectionRefusedError):
                    continue
                return
        raise RuntimeError(f"Kamailio was not ready within {START_SECONDS:.0f} s:\n{self.log()[-3000:]}")
