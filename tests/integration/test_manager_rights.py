"""What the manager user that we install may do: every action of a real Asterisk is tried as that user."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from callsieve.install.manager_user import manager_text
from callsieve.install.plan import packaged
from lab import Asterisk

SECRET = "only-of-this-test"

# Asterisk asks for no right at all before these: whoever can log in may use them. The rest is refused.
OPEN_TO_EVERY_USER = {
    "BridgeDestroy", "BridgeInfo", "BridgeKick", "BridgeList", "BridgeTechnologyList", "BridgeTechnologySuspend",
    "BridgeTechnologyUnsuspend", "Challenge", "Events", "ListCommands", "Login", "Logoff", "Ping",
    "QueueChangePriorityCaller", "QueueReload", "QueueReset", "QueueRule", "QueueStatus", "QueueSummary",
    "QueueWithdrawCaller", "WaitEvent",
}  # fmt: skip
HARMLESS = {"WaitEvent": "Timeout: 1\r\n", "Events": "EventMask: off\r\n", "QueueReload": "Queue: none\r\n"}


@pytest.fixture
def asterisk() -> Iterator[Asterisk]:
    installed = manager_text(packaged("callsieve-manager.conf"), "callsieve-test", SECRET)
    with Asterisk(config={"manager.conf": installed}, verbose=False) as running:
        yield running


def answer_to(asterisk: Asterisk, action: str) -> str:
    """What Asterisk says to an action of our user, on a connection of its own."""
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


def test_our_user_may_use_only_what_is_open_to_every_user(asterisk: Asterisk) -> None:
    listed = asterisk.cli("manager show commands").splitlines()[2:]
    actions = {line.split()[0] for line in listed if line.startswith("  ") and line.split()}
    assert len(actions) > 100
    allowed = {action for action in actions if "Permission denied" not in answer_to(asterisk, action)}
    assert allowed == OPEN_TO_EVERY_USER
