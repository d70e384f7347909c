"""Events and the digest by mail: content, header injection, and misbehaving servers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsieve.digest.text import DigestLine, DigestSection, DigestText
from callsieve.events.alerts import Alert, with_alert
from callsieve.events.kinds import DeliveryError, Event, EventKind
from callsieve.events.receivers.mail import MailReceiver, events_mail
from callsieve.integration_settings import MailTable
from lab.certificates import Authority
from tests.callsieve.events.smtp_server import Mood, SmtpServer, mail_server
from tests.callsieve.outside.servers import tls_context

CALLER = "+12017421834"
PASSWORD = "env:TEST_MAIL_PASSWORD"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_MAIL_PASSWORD", "a word")


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with mail_server(SmtpServer()) as server:
        yield server


def table_of(server: SmtpServer, **fields: Any) -> MailTable:
    known = {"host": "localhost", "port": server.port, "tls": "none", "sender": "pbx@example.com"}
    return MailTable(**{**known, "to": ("office@example.com",), **fields})


def make_event(place: int = 1, **data: Any) -> Event:
    about = {"number": CALLER, "verdict": "spam", "reporter": "201", **data}
    return Event(f"evt_{place}", EventKind.NUMBER_MARKED, f"{CALLER}{place}", 1_795_694_400.0, about, place)


def receiver_of(server: SmtpServer, **fields: Any) -> MailReceiver:
    return MailReceiver(table_of(server, **fields), gather=0.05, between=0.05, total=1.0)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_event_is_sent_as_mail(server: SmtpServer) -> None:
    await receiver_of(server).deliver(make_event())
    (mail,) = server.mails
    assert (mail["From"], mail["To"], mail["Message-ID"]) == (
        "pbx@example.com",
        "office@example.com",
        "<evt_1@example.com>",
    )
    assert mail["Auto-Submitted"] == "auto-generated"
    assert server.recipients == [["office@example.com"]]


@pytest.mark.parametrize(("mask", "is_whole"), [(True, False), (False, True)])
async def test_numbers_are_masked_by_default(server: SmtpServer, mask: bool, is_whole: bool) -> None:
    await receiver_of(server, mask=mask).deliver(make_event(reason=f"he called from {CALLER}"))
    (mail,) = server.mails
    assert (CALLER[1:] in mail.as_string().replace(" ", "")) is is_whole


async def test_events_in_a_short_time_share_one_mail(server: SmtpServer) -> None:
    receiver = receiver_of(server)
    await asyncio.gather(*(receiver.deliver(make_event(place)) for place in range(30)))
    (mail,) = server.mails
    assert mail["Subject"] == "[CallSieve] 30 events"
    assert len(text_of(mail).splitlines()) == 30


async def test_next_mail_waits_for_its_interval(server: SmtpServer) -> None:
    receiver = MailReceiver(table_of(server), gather=0.0, between=0.3)
    await receiver.deliver(make_event(1))
    await asyncio.gather(receiver.deliver(make_event(2)), receiver.deliver(make_event(3)))
    assert [len(text_of(mail).splitlines()) for mail in server.mails] == [1, 2]


async def test_cancelled_event_is_not_mailed(server: SmtpServer) -> None:
    receiver = MailReceiver(table_of(server), gather=0.2, between=0.0)
    gone = asyncio.create_task(receiver.deliver(make_event(1)))
    await asyncio.sleep(0)
    gone.cancel()
    await receiver.deliver(make_event(2))
    assert [mail["Message-ID"] for mail in server.mails] == ["<evt_2@example.com>"]


async def test_alert_name_is_in_the_subject(server: SmtpServer) -> None:
    await receiver_of(server).deliver(with_alert(make_event(), Alert("at risk", 4, 1_795_694_000.0)))
    (mail,) = server.mails
    assert mail["Subject"].startswith("[CallSieve] at risk: ")
    assert "4" in text_of(mail)


async def test_digest_has_text_and_html(server: SmtpServer) -> None:
    def read(day: date) -> DigestText:
        line = DigestLine("+1201*****34: warn 2", ("callsieve doctor",))
        return DigestText("zh", f"{day} 的来电", "来电 4 个。", (DigestSection("可能有误", (line,)),))

    receiver = MailReceiver(table_of(server), read, ("boss@example.com",))
    event = Event("evt_9", EventKind.DIGEST_READY, "digest", 1.0, {"day": "2026-11-26"}, 9)
    await receiver.deliver(event)
    (mail,) = server.mails
    assert mail["Subject"] == "[CallSieve] 2026-11-26 的来电: 来电 4 个。"
    assert (mail.get_content_type(), mail["To"]) == ("multipart/alternative", "boss@example.com")
    page = mail.get_body(("html",))
    assert page is not None
    assert "可能有误" in text_of(mail)
    assert "可能有误" in page.get_content()


HEADERS = {
    *("from", "to", "subject", "date", "message-id", "auto-submitted"),
    *("content-type", "content-transfer-encoding", "mime-version"),
}


@given(st.text(max_size=300), st.text(max_size=60), st.sampled_from(["en", "zh"]))
def test_event_text_adds_no_header(text: str, name: str, language: Any) -> None:
    table = MailTable(host="x", sender="pbx@example.com", language=language)
    event = with_alert(make_event(number=text, reporter=text, verdict=text), Alert(name or "x", 1, 1.0))
    mail = events_mail(table, [event])
    assert {key.lower() for key in mail} <= HEADERS
    assert b"\r\n\r\n" in mail.as_bytes()
    assert "\n" not in mail["Subject"]


HOSTILE = "x\r\nBcc: evil@example.org\r\n\r\n<script>"


async def test_line_breaks_in_a_name_are_removed(server: SmtpServer) -> None:
    await receiver_of(server, mask=False).deliver(make_event(reporter=HOSTILE))
    (mail,) = server.mails
    assert mail["Bcc"] is None
    assert server.recipients == [["office@example.com"]]
    assert len(text_of(mail).splitlines()) == 1


PERMANENT = {"no-recipients", "no-mail"}


@pytest.mark.parametrize("mood", sorted(set(get_args(Mood)) - {"kind", "no-starttls"}))
async def test_a_server_that_misbehaves_fails_in_time(mood: Mood, caplog: pytest.LogCaptureFixture) -> None:
    async with mail_server(SmtpServer(mood)) as server:
        with pytest.raises(DeliveryError) as failed:
            await receiver_of(server).deliver(make_event())
        assert failed.value.permanent is (mood in PERMANENT)
        assert failed.value.words.startswith("localhost: ")
        assert CALLER not in failed.value.words + caplog.text
        assert server.mails == []


async def test_closed_port_is_a_temporary_failure(unused_tcp_port: int) -> None:
    server = SmtpServer(port=unused_tcp_port)
    with pytest.raises(DeliveryError) as failed:
        await receiver_of(server).deliver(make_event())
    assert not failed.value.permanent


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make("lab")


@pytest.fixture
def tls(tmp_path: Path, authority: Authority) -> ssl.SSLContext:
    return tls_context(tmp_path / "tls", authority, "localhost")


def trust(authority: Authority, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ca.pem").write_text(authority.root())
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))


@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_password_is_sent_over_tls_only(
    how: str, tls: ssl.SSLContext, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(authority, tmp_path, monkeypatch)
    async with mail_server(SmtpServer(tls=tls), over_tls=how == "tls") as server:
        await receiver_of(server, tls=how, username="callsieve", password=PASSWORD).deliver(make_event())
        assert server.encrypted == [True]


@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_untrusted_certificate_is_refused(how: str, tls: ssl.SSLContext) -> None:
    async with mail_server(SmtpServer(tls=tls), over_tls=how == "tls") as server:
        with pytest.raises(DeliveryError) as failed:
            await receiver_of(server, tls=how, username="callsieve", password=PASSWORD).deliver(make_event())
        assert "certificate" in failed.value.words.lower()
        assert server.mails == []


async def test_without_starttls_nothing_is_sent(tls: ssl.SSLContext) -> None:
    async with mail_server(SmtpServer("no-starttls", tls=tls)) as server:
        with pytest.raises(DeliveryError):
            await receiver_of(server, tls="starttls", username="callsieve", password=PASSWORD).deliver(make_event())
        assert server.mails == []


async def test_wrong_password_is_retried_and_never_logged(
    tls: ssl.SSLContext, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(authority, tmp_path, monkeypatch)
    monkeypatch.setenv("TEST_MAIL_PASSWORD", "hush-hush")
    async with mail_server(SmtpServer(tls=tls)) as server:
        with pytest.raises(DeliveryError) as failed:
            await receiver_of(server, tls="starttls", username="callsieve", password=PASSWORD).deliver(make_event())
    assert not failed.value.permanent
    assert "535" in failed.value.words
    assert "hush-hush" not in failed.value.words
