"""`python -m lab fetch`: fetch Asterisk and SIPp; with `--tools` also the other programs that the tests need.

`python -m lab python`: fetch a later Python, and print its path.
`python -m lab run`: run an Asterisk for experiments, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path

from lab.asterisk import Asterisk
from lab.broker import ensure_broker
from lab.configuration import DEFAULT_EXTENSIONS, PHONE_ADDRESS, TRUNK_ADDRESSES
from lab.debian import LabUnavailable
from lab.fetch import ensure_pbx
from lab.gnupg import ensure_gnupg
from lab.kamailio import ensure_kamailio
from lab.lua import ensure_lua
from lab.mariadb import ensure_mariadb
from lab.pango import ensure_pango
from lab.php import ensure_phpunit
from lab.postgresql import ensure_postgresql
from lab.python import ensure_python
from lab.tools import TOOLS, ensure_tools


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="fetch Asterisk and SIPp once, without installing them")
    fetch.add_argument(
        "--tools",
        action="store_true",
        help=f"also fetch the programs that the tests run: {', '.join(TOOLS)}, mariadbd, postgres, mosquitto, phpunit, "
        f"kamailio, lua",
    )
    commands.add_parser("python", help="fetch the Python of Debian testing without installing it, and print its path")
    run = commands.add_parser("run", help="run a private Asterisk on loopback in the foreground")
    run.add_argument(
        "--include",
        type=Path,
        action="append",
        default=[],
        help="dialplan file that is added to the dialplan; may be given several times",
    )
    run.add_argument("--extensions", type=Path, help="dialplan file that replaces the lab's own dialplan")
    arguments = parser.parse_args()
    try:
        if arguments.command == "python":
            print(ensure_python(lambda line: print(line, file=sys.stderr, flush=True)))
            return 0
        print(ensure_pbx(_print_line).describe())
        if arguments.command == "fetch" and arguments.tools:
            ensure_tools(_print_line)
            ensure_pango(_print_line)
            ensure_mariadb(_print_line)
            ensure_postgresql(_print_line)
            ensure_broker(_print_line)
            ensure_phpunit(_print_line)
            ensure_kamailio(_print_line)
            ensure_lua(_print_line)
            ensure_gnupg(_print_line)
        if arguments.command == "run":
            _run(arguments.extensions, arguments.include)
    except LabUnavailable as reason:
        print(f"lab: {reason}", file=sys.stderr)
        return 1
    return 0


def _print_line(line: str) -> None:
    print(line, flush=True)


def _run(extensions: Path | None, includes: list[Path]) -> None:
    text = extensions.read_text(encoding="utf-8") if extensions else DEFAULT_EXTENSIONS
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Asterisk(extensions=text, includes=includes) as asterisk:
        print(_describe(asterisk), flush=True)
        stop.wait()


def _describe(asterisk: Asterisk) -> str:
    ports = asterisk.ports
    trunks = [f"trunk {name}: calls must come from {address}" for name, address in TRUNK_ADDRESSES.items()]
    phones = [f"phone {name}: expected at {PHONE_ADDRESS}:{port}" for name, port in ports.phones.items()]
    host, sip = asterisk.sip_address
    user, secret = asterisk.ami_login
    return "\n".join(
        (
            f"\nAsterisk is ready after {asterisk.start_seconds:.1f} s: SIP {host}:{sip}/udp, AMI "
            f"{host}:{ports.ami}/tcp (user {user}, secret {secret})",
            *trunks,
            *phones,
            f"directory  {asterisk.directories.top}",
            f"log        {asterisk.directories.log}",
            f"console    {shlex.join(asterisk.console_command)}",
            "Ctrl-C stops Asterisk and removes its directory.",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
