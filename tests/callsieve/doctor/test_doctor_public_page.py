"""The doctor checks the public page, its address, and the events about appeals."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from callsieve.appeals.views import has_no_appeal_overdue
from callsieve.doctor.cli.commands import fetched
from callsieve.doctor.finding import CheckContext, Finding
from callsieve.health import CheckStatus
from callsieve.public_page import checks as public_page
from callsieve.public_page.checks import is_reached, is_served
from callsieve.settings import Loaded, parse_settings
from callsieve.signing.keys import KEY_FILE
from callsieve.system.privileges import PUBLIC_USER, SERVICE_USER
from reputation.appeals import AppealStep, due_at
from reputation.events import EventKind
from reputation.store.appeals import open_appeal, take_step
from reputation.store.database import open_store
from reputation.store.outbox import use_receivers
from reputation.store.transaction import transaction
from reputation.wording import Wording
from tests.reputation.store_builders import DAY, NOW, make_appeal

STYLE = (files("callsieve.public_page.web") / "static" / "public.css").read_bytes()
OURS = b"HTTP/1.1 200 OK\r\n\r\n" + STYLE
OVER_HTTPS = b"HTTP/1.1 400 Bad Request\r\n\r\nThis server accepts HTTPS only. ..."
OK, WARN, FAIL, UNKNOWN = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL, CheckStatus.UNKNOWN


@contextmanager
def answering_server(answer: bytes | None) -> Iterator[int]:
    """Serve `answer` and yield the port; None: a port where no server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if answer is not None:
            listener.listen()

            def serve() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

            threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def make_context(
    folder: Path, port: int, more: str = "", address: str = "https://appeals.example.org", *, appeal: bool = True
) -> CheckContext:
    table = f"[actions]\nappeal = {str(appeal).lower()}\n"
    table += f'[public]\nenabled = true\naddress = "{address}"\nname = "X"\nlisten = "127.0.0.1:{port}"\n'
    loaded = Loaded(settings=parse_settings(table + more, "test"), file=None, state=folder)
    return CheckContext(loaded, str, NOW, fetched)


def check_page(folder: Path, answer: bytes | None, more: str = "") -> Finding:
    with answering_server(answer) as port:
        return is_served(make_context(folder, port, more))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with open_store(tmp_path / "callsieve.db") as db, transaction(db):
        use_receivers(db, {"crm": (EventKind.APPEAL_DUE,)})
    return tmp_path


@pytest.mark.parametrize(
    ("answer", "more", "status"),
    [
        pytest.param(OURS, "", OK, id="own-page"),
        pytest.param(None, "", WARN, id="nobody"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nhello", "", WARN, id="another-server"),
        pytest.param(b"", "", WARN, id="silent"),
        pytest.param(OVER_HTTPS, "", FAIL, id="does-not-trust-the-proxy"),
        pytest.param(OVER_HTTPS, 'proxies = ["192.0.2.1"]\n', OK, id="proxy-elsewhere"),
    ],
)
def test_public_page_must_answer_at_its_port(state: Path, answer: bytes | None, more: str, status: CheckStatus) -> None:
    assert check_page(state, answer, more).status is status


@pytest.mark.parametrize(
    ("appeal", "more", "status"),
    [(False, "", WARN), (True, "", OK), (False, "in_answers = true\n", OK)],
    ids=["no reference", "spoken", "in the answer"],
)
def test_rejected_callers_must_get_the_reference(state: Path, appeal: bool, more: str, status: CheckStatus) -> None:
    with answering_server(OURS) as port:
        found = is_served(make_context(state, port, more, appeal=appeal))
    assert found.status is status
    assert ("appeal = true" in str(found.remedy)) is (status is WARN)


@pytest.mark.parametrize(
    ("user", "status"), [pytest.param(os.getuid(), FAIL, id="old"), pytest.param(None, OK, id="page")]
)
def test_page_run_by_the_service_user_fails(
    state: Path, monkeypatch: pytest.MonkeyPatch, user: int | None, status: CheckStatus
) -> None:
    """Older versions ran the page as the service's user."""
    monkeypatch.setattr(public_page, "user_id_of", {SERVICE_USER: user}.get)
    assert check_page(state, OURS).status is status


@pytest.mark.parametrize(
    ("is_in", "status"), [pytest.param(False, OK, id="its-own"), pytest.param(True, FAIL, id="asterisks-too")]
)
def test_page_in_asterisks_group_fails(
    state: Path, monkeypatch: pytest.MonkeyPatch, is_in: bool, status: CheckStatus
) -> None:
    etc = state / "etc"
    etc.mkdir()
    asterisks = etc.stat().st_gid
    monkeypatch.setattr(public_page, "ids_of", {PUBLIC_USER: (990, 990)}.get)
    monkeypatch.setattr(os, "getgrouplist", lambda _user, own: [own, asterisks] if is_in else [own])
    assert check_page(state, OURS, f'[asterisk]\netc = "{etc}"\n').status is status


def test_disabled_page_is_ok(tmp_path: Path) -> None:
    context = CheckContext(Loaded(settings=parse_settings("", "test"), file=None, state=tmp_path), str, NOW)
    assert is_served(context).status is is_reached(context).status is OK


def test_damaged_key_fails(state: Path) -> None:
    (state / KEY_FILE).write_text("no key")
    found = check_page(state, OURS)
    assert (found.status, str(state / KEY_FILE) in str(found.detail)) == (FAIL, True)


@pytest.mark.parametrize(
    ("kinds", "more", "status"),
    [
        ((), "", WARN),
        ((EventKind.APPEAL_OPENED,), "", WARN),
        ((EventKind.APPEAL_DUE,), "", OK),
        ((), '[mail]\nhost = "localhost"\nfrom = "a@example.org"\n[digest]\nto = ["b@example.org"]\n', OK),
    ],
    ids=["nobody", "of-filing", "of-due", "digest"],
)
def test_receiver_of_due_appeals_is_required(
    state: Path, kinds: tuple[EventKind, ...], more: str, status: CheckStatus
) -> None:
    with open_store(state / "callsieve.db") as db, transaction(db):
        use_receivers(db, {"crm": kinds})
    assert check_page(state, OURS, more).status is status


@pytest.mark.parametrize(("answer", "status"), [(OURS, OK), (OVER_HTTPS, WARN), (None, WARN)])
def test_public_address_must_lead_to_the_page(state: Path, answer: bytes | None, status: CheckStatus) -> None:
    with answering_server(answer) as port:
        assert is_reached(make_context(state, port, address=f"http://127.0.0.1:{port}")).status is status


def test_address_is_unknown_without_outside_requests(state: Path) -> None:
    context = make_context(state, 1)
    context.fetch = None
    assert is_reached(context).status is UNKNOWN


def test_invalid_certificate_is_an_error(state: Path) -> None:
    with answering_server(OURS) as port:
        assert isinstance(fetched(f"https://127.0.0.1:{port}/public.css"), Wording)


@pytest.mark.parametrize(
    ("before_due", "status"),
    [(DAY + 1, OK), (DAY, WARN), (0.0, WARN), (-DAY, WARN)],
    ids=["early", "a-day-before", "due", "late"],
)
def test_appeal_is_a_warning_from_a_day_before_its_deadline(
    state: Path, before_due: float, status: CheckStatus
) -> None:
    with open_store(state / "callsieve.db") as db, transaction(db):
        accepted = take_step(db, open_appeal(db, make_appeal()).reference, AppealStep.ACCEPT, NOW)
    due = due_at(accepted)
    assert due is not None
    context = make_context(state, 1)
    context.now = due - before_due
    assert has_no_appeal_overdue(context).status is status
