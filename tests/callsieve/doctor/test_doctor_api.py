"""The doctor checks the API and its tokens."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest

from callsieve.daemon.background import write_telemetry
from callsieve.doctor.finding import CheckContext, Finding
from callsieve.health import CheckStatus
from callsieve.settings import Loaded, parse_settings
from callsieve.tokens.operations import DUE_SECONDS, has_tokens, is_served
from reputation.store.database import open_store
from reputation.store.transaction import transaction
from reputation.store.users import add_token
from reputation.users import ApiToken, Role, Scope
from tests.callsieve.daemon.test_telemetry import make_telemetry

NOW = 1_790_000_000.0
ENABLED = "[api]\nenabled = true\n"


def make_context(tmp_path: Path, settings: str = ENABLED) -> CheckContext:
    loaded = Loaded(settings=parse_settings(settings, "test"), file=None, state=tmp_path)
    answers: dict[str, str] = {}
    return CheckContext(loaded, answers.__getitem__, NOW)


def check_tokens(tmp_path: Path, **expires_at: float | None) -> Finding:
    with open_store(tmp_path / "callsieve.db") as db, transaction(db):
        for name, at in expires_at.items():
            add_token(db, ApiToken(name, Role.VIEWER, (Scope.READ,), NOW, at), name)
    return has_tokens(make_context(tmp_path))


@pytest.mark.parametrize("served", ["everywhere", "at-the-socket", "at-the-address"])
@pytest.mark.parametrize("own", [True, False], ids=["own-address", "the-console's"])
def test_api_must_listen_at_address_and_socket(tmp_path: Path, *, served: str, own: bool) -> None:
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as local:
        listener.bind(("127.0.0.1", 0))
        local.bind(str(tmp_path / "api.sock"))
        if served != "at-the-socket":
            listener.listen()
        if served != "at-the-address":
            local.listen()
        listen = f'listen = "127.0.0.1:{listener.getsockname()[1]}"\n'
        found = is_served(
            make_context(tmp_path, ENABLED + listen if own else f"[web]\nenabled = true\n{listen}{ENABLED}")
        )
    assert found.status is (CheckStatus.OK if served == "everywhere" else CheckStatus.WARN)


@pytest.mark.parametrize(("unrecorded", "status"), [(0, CheckStatus.OK), (7, CheckStatus.WARN)])
def test_unrecorded_calls_are_a_warning(tmp_path: Path, unrecorded: int, status: CheckStatus) -> None:
    write_telemetry(tmp_path, msgspec.structs.replace(make_telemetry(), unrecorded=unrecorded))
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "api.sock"))
        local.listen()
        found = is_served(make_context(tmp_path))
    assert found.status is status


def test_disabled_api_is_ok(tmp_path: Path) -> None:
    assert is_served(make_context(tmp_path, "")).status is CheckStatus.OK
    assert has_tokens(make_context(tmp_path, "")).status is CheckStatus.OK


@pytest.mark.parametrize(
    ("expires_at", "status"),
    [
        ({}, CheckStatus.WARN),
        ({"crm": None}, CheckStatus.OK),
        ({"crm": NOW + DUE_SECONDS + 1}, CheckStatus.OK),
        ({"crm": NOW + DUE_SECONDS, "other": None}, CheckStatus.WARN),
        ({"crm": NOW}, CheckStatus.WARN),
    ],
    ids=["none", "for-good", "for-long", "ends-soon", "over"],
)
def test_expiring_tokens_are_a_warning(
    tmp_path: Path, expires_at: dict[str, float | None], status: CheckStatus
) -> None:
    assert check_tokens(tmp_path, **expires_at).status is status


def test_token_that_expires_first_is_named(tmp_path: Path) -> None:
    found = check_tokens(tmp_path, later=NOW + 99, first=NOW - 99)
    assert str(found.detail).startswith("first expired ")
    assert "first" in str(found.remedy)
