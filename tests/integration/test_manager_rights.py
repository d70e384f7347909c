"""Rights and events of the manager user that we install: it tries every action of a real Asterisk."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

import pytest

from ami_listener import parsing
from ami_listener.connection import EVENTS
from callsieve.install.manager_user import manager_text
from callsieve.install.plan import packaged
from lab import Asterisk
from lab.recorder import MANAGER_USER, USER
from lab.recorder import SECRET as RECORDER_SECRET

SECRET = "only-of-this-test"

# Asterisk asks for no right at all before these: whoever can log in may use them. The rest is refused.
OPEN_TO_EVERY_USER = {
    "BridgeDestroy", "BridgeInfo", "BridgeKick", "BridgeList", "BridgeTechnologyList", "BridgeTechnologySuspend",
    "BridgeTechnologyUnsuspend", "Challenge", "Events", "ListCommands", "Login", "Logoff", "Ping",
    "QueueChangePriorityCaller", "QueueReload", "QueueReset", "QueueRule", "QueueStatus", "QueueSummary",
    "QueueWithdrawCaller", "WaitEvent",
}  # fmt: skip
HARMLESS = {"WaitEvent": "Timeout: 1\r\n", "Events": "EventMask: off\r\n", "QueueReload": "Queue: none\r\n"}
EXTENSIONS = """\
[from-carrier]
exten => s,1,Hangup()

[from-internal]
exten => s,1,Hangup()

[test]
exten => one,1,Answer()
 same => n,Dial(Local/other@test)
exten => other,1,Answer()
 same => n,Wait(0.2)
"""
EXCLUDED = frozenset(
    re.findall(r"^eventfilter\(action\(exclude\),name\((\w+)\)\) =$", packaged("callsieve-manager.conf"), re.M)
)


@pytest.fixture
def asterisk() -> Iterator[Asterisk]:
    installed = manager_text(packaged("callsieve-manager.conf"), "callsieve-test", SECRET)
    with Asterisk(
        extensions=EXTENSIONS, config={"manager.conf": f"{installed}\n{MANAGER_USER}"}, verbose=False
    ) as running:
        yield running


def events_of(lines: IO[bytes]) -> set[str]:
    """Return the names of the events up to the end of the one call."""
    names, hung_up = set(), 0
    while hung_up < 4:  # two ends of each Local channel
        name, value = lines.readline().decode().rstrip().partition(": ")[::2]
        if name == "Event":
            names.add(value)
            hung_up += value == "Hangup"
    return names


def test_our_user_gets_no_unused_events(asterisk: Asterisk) -> None:
    assert EXCLUDED
    assert not EXCLUDED & set(parsing.EVENTS)
    sent = []
    with ExitStack() as stack:
        for user, secret in (("callsieve-test", SECRET), (USER, RECORDER_SECRET)):
            connection = stack.enter_context(socket.create_connection(asterisk.ami_address, 20))
            lines = stack.enter_context(connection.makefile("rb"))
            connection.sendall(
                f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}\r\nEvents: {EVENTS}\r\n\r\n".encode()
            )
            while b"Authentication accepted" not in lines.readline():
                pass
            sent.append(lines)
        asterisk.cli("channel originate Local/one@test application Wait 20")
        ours, unfiltered = map(events_of, sent)
    assert unfiltered >= {"DeviceStateChange", "SoftHangupRequest", "Newchannel", "DialBegin", "BridgeEnter", "Hangup"}
    assert ours == unfiltered - EXCLUDED


def answer_to(asterisk: Asterisk, action: str) -> str:
    """Return Asterisk's answer to an action of our user, on its own connection."""
    login = f"Action: Login\r\nUsername: callsieve-test\r\nSecret: {SECRET}\r\nEvents: off\r\n\r\n"
    asked = f"Action: {action}\r\nActionID: asked\r\n{HARMLESS.get(action, '')}\r\n"
    with socket.create_connection(asterisk.ami_address, 10) as connection, connection.makefile("rb") as lines:
        connection.sendall((login + asked).encode())
        said = ""
        while "ActionID: asked" not in said or not said.endswith("\r\n\r\n"):
            line = lines.readline().decode()
            if not line:
                break
            said += line
    assert "Authentication accepted" in said
    return said.partition("Authentication accepted")[2]


def test_our_user_can_use_only_actions_open_to_every_user(asterisk: Asterisk) -> None:
    listed = asterisk.cli("manager show commands").splitlines()[2:]
    actions = {line.split()[0] for line in listed if line.startswith("  ") and line.split()}
    assert len(actions) > 100
    allowed = {action for action in actions if "Permission denied" not in answer_to(asterisk, action)}
    assert allowed == OPEN_TO_EVERY_USER
