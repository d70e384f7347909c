"""Sends events by mail. Events within a minute share a mail, and each daily digest is a separate mail.

Headers cannot contain line breaks, because email.message refuses them. The time that the mail server may take is
limited, and so is the size of its replies. A mail that is sent again after a crash has the same Message-ID.
"""

import asyncio
import logging
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime
from io import BufferedReader
from typing import Any, Final

from callsieve.changes.operation import Refused
from callsieve.digest.text import DigestText, html_page, plain_text
from callsieve.events.alerts import alert_of, event_in_words, one_line, translate
from callsieve.events.kinds import DeliveryError, Event, EventKind
from callsieve.integration_settings import MailTable
from callsieve.outside.errors import OutsideError
from callsieve.outside.secrets import secret_of
from callsieve.text.times import when_with_zone
from reputation.store.errors import StoreError
from reputation.wording import Wording

logger = logging.getLogger("callsieve.events.mail")

GATHER_SECONDS: Final = 2.0
BETWEEN_SECONDS: Final = 60.0
MOST_EVENTS: Final = 200  # in one mail; the others wait for the next
STEP_SECONDS: Final = 15.0  # for one answer of the server
TOTAL_SECONDS: Final = 60.0  # for one mail
REPLY_BYTES: Final = 1 << 16
SUBJECT_CHARACTERS: Final = 150

Waiting = tuple[Event, "asyncio.Future[None]"]


class MailReceiver:
    """A receiver that sends mails. `read_digest` returns the digest of a day. `digest_to`: addresses for the digest.

    `gather`: how long events are gathered for one mail. `between`: the least time between two mails of events.
    `total`: the most time for sending a mail. All are in seconds.
    """

    name = "mail"
    reads_names = True
    deliver_seconds = BETWEEN_SECONDS + GATHER_SECONDS + 2 * TOTAL_SECONDS  # one mail may be under way already

    def __init__(
        self,
        table: MailTable,
        read_digest: Callable[[date], DigestText] | None = None,
        digest_to: Sequence[str] = (),
        *,
        gather: float = GATHER_SECONDS,
        between: float = BETWEEN_SECONDS,
        total: float = TOTAL_SECONDS,
    ) -> None:
        self._table = table
        self._read_digest = read_digest
        self._digest_to = tuple(digest_to)
        self._gather, self._between, self._total = gather, between, total
        self._waiting: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._next_at = 0.0

    async def deliver(self, event: Event) -> None:
        """Deliver an event. Return when the mail server has accepted the mail. Raise DeliveryError if it does not."""
        if event.kind is EventKind.DIGEST_READY and self._digest_to and alert_of(event) is None:
            await self._send(await self._digest_mail(event), self._digest_to)
            return
        loop = asyncio.get_running_loop()
        accepted: asyncio.Future[None] = loop.create_future()
        self._waiting.append((event, accepted))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._send_waiting(), name="mail")
        await accepted

    async def _send_waiting(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._waiting:
            await asyncio.sleep(max(self._gather, self._next_at - clock()))
            # A cancelled delivery is retried. Sending its event now would duplicate it.
            waiting = [(event, accepted) for event, accepted in self._waiting if not accepted.done()]
            batch, self._waiting = waiting[:MOST_EVENTS], waiting[MOST_EVENTS:]
            if not batch:
                continue
            self._next_at = clock() + self._between
            error: Exception | None = None
            try:
                await self._send(events_mail(self._table, [event for event, _ in batch]), self._table.to)
            except Exception as failure:  # noqa: BLE001  each delivery must learn of any failure
                error = failure
            for _, accepted in batch:
                if not accepted.done():
                    accepted.set_result(None) if error is None else accepted.set_exception(error)

    async def _digest_mail(self, event: Event) -> EmailMessage:
        assert self._read_digest is not None
        try:
            text = await asyncio.to_thread(self._read_digest, date.fromisoformat(event.data["day"]))
        except (StoreError, Refused) as error:
            raise DeliveryError(f"the digest: {error}") from None
        subject = f"{text.title}: {text.lead}"
        mail = _mail(self._table, event, subject, plain_text(text))
        mail.add_alternative(html_page(text), subtype="html")
        return mail

    async def _send(self, mail: EmailMessage, to: Sequence[str]) -> None:
        """Send a mail. Close the connection at the time limit. Raise DeliveryError if the mail was not accepted."""
        if not to:
            raise DeliveryError("[mail] to is empty", permanent=True)
        mail["To"] = ", ".join(to)
        try:
            password = secret_of(self._table.password) if self._table.password else ""
        except OutsideError as error:
            raise DeliveryError(str(error.words)) from None
        server = _Server(self._table)
        talking = asyncio.get_running_loop().run_in_executor(None, server.send, mail, password)
        try:
            async with asyncio.timeout(self._total):
                await asyncio.shield(talking)
        except TimeoutError:
            raise DeliveryError(f"{self._table.host}: no answer within {self._total:g} seconds") from None
        finally:
            if not talking.done():
                server.cut()
                talking.add_done_callback(lambda done: done.exception())


def events_mail(table: MailTable, events: Sequence[Event]) -> EmailMessage:
    """Return a mail with one line per event. Its subject is the line of a single event, or the count of events."""
    lines = [(event, event_in_words(event, table.language, mask=table.mask)) for event in events]
    if len(lines) == 1:
        subject = lines[0][1]
    else:
        subject = translate(Wording("{count:,} events", {"count": len(lines)}), table.language)
    names = dict.fromkeys(alert.name for event in events if (alert := alert_of(event)) is not None)
    if names:
        subject = f"{', '.join(names)}: {subject}"
    body = "".join(f"{when_with_zone(event.at)}  {_name_before(event)}{line}\n" for event, line in lines)
    return _mail(table, events[0], subject, body)


def _name_before(event: Event) -> str:
    alert = alert_of(event)
    return f"[{alert.name}] " if alert is not None else ""


def _mail(table: MailTable, event: Event, subject: str, body: str) -> EmailMessage:
    mail = EmailMessage(SMTP)
    mail["From"] = table.sender
    mail["Subject"] = f"[CallSieve] {one_line(subject, mask=False)}"[:SUBJECT_CHARACTERS]
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = f"<{event.id}@{table.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
    mail.set_content(body)
    return mail


class _Server:
    def __init__(self, table: MailTable) -> None:
        self._table = table
        self._smtp: smtplib.SMTP | None = None

    def send(self, mail: EmailMessage, password: str) -> None:
        table = self._table
        try:
            with self._connected() as smtp:
                self._smtp = smtp
                if table.tls == "starttls":
                    smtp.starttls(context=ssl.create_default_context())
                if table.username:
                    smtp.login(table.username, password)
                refused = smtp.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise self._error(
                "the mail server refused all recipients", *next(iter(error.recipients.values())), codes
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise self._error(
                "the mail server refused the user name or password", error.smtp_code, error.smtp_error, []
            ) from None
        except smtplib.SMTPResponseException as error:
            raise self._error(
                "the mail server refused the mail", error.smtp_code, error.smtp_error, [error.smtp_code]
            ) from None
        except smtplib.SMTPNotSupportedError as error:
            raise DeliveryError(f"{table.host}: {one_line(str(error), mask=True)}") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DeliveryError(f"{table.host}: {one_line(str(words), mask=True)}") from None
        if refused:
            logger.warning("recipients refused by the mail server: %d", len(refused))

    def cut(self) -> None:
        """Abort the SMTP session from another thread."""
        smtp = self._smtp
        if smtp is not None and smtp.sock is not None:
            with suppress(OSError):
                smtp.sock.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> smtplib.SMTP:
        table = self._table
        smtp = _SmtpOverTls(table.host) if table.tls == "tls" else _Smtp(table.host)
        self._smtp = smtp
        code, words = smtp.connect(table.host, table.port)
        if code != 220:
            smtp.close()
            raise smtplib.SMTPConnectError(code, words)
        return smtp

    def _error(self, what: str, code: int, reply: bytes | str, codes: list[int]) -> DeliveryError:
        text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
        line = one_line(text.splitlines()[0] if text else "", mask=True)[:200]
        permanent = bool(codes) and all(500 <= status < 600 for status in codes)
        return DeliveryError(f"{self._table.host}: {what} ({code} {line})", permanent=permanent)


class _Bounded:
    """A reader of a server's replies that refuses more than REPLY_BYTES in total, because smtplib has no limit."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._left = REPLY_BYTES

    def readline(self, size: int) -> bytes:
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the mail server's replies are too long")
        return line

    def close(self) -> None:
        self._file.close()


class _BoundedReplies:
    """A mixin for smtplib's clients. It limits the size of the server's replies, before and after STARTTLS."""

    file: Any
    sock: Any

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = _Bounded(self.sock.makefile("rb"))
        return super().getreply()  # type: ignore[misc,no-any-return]


class _Smtp(_BoundedReplies, smtplib.SMTP):
    """An SMTP client that connects only on demand. It sets `_host`, which smtplib needs to check the certificate."""

    def __init__(self, host: str) -> None:
        super().__init__(timeout=STEP_SECONDS)
        self._host = host


class _SmtpOverTls(_BoundedReplies, smtplib.SMTP_SSL):
    def __init__(self, host: str) -> None:
        super().__init__(timeout=STEP_SECONDS, context=ssl.create_default_context())
        self._host = host
