"""Webhooks: events posted as JSON and signed as Standard Webhooks has it (standardwebhooks.com), with HMAC-SHA256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from callsieve.events.event import DeliveryError, Event
from callsieve.events.payload import as_told, body_of
from callsieve.integration_settings import WebhookTable
from callsieve.outside.errors import OutsideError
from callsieve.outside.http_client import OutsideClient, RequestLimits
from callsieve.outside.secrets import secret_of

LIMITS: Final = RequestLimits(total_seconds=15.0, body_bytes=1 << 16, redirects=0)
SECRET_PREFIX: Final = "whsec_"
LEAST_SECRET_BYTES: Final = 24
GONE: Final = 410
# What may well go better another time. Any other answer from 400 to 499 says that the event itself is not wanted.
PASSING: Final = frozenset({408, 409, 421, 423, 425, 429})


class Webhook:
    """One `[[webhook]]` of the settings. The secret is read for each event: another one counts at once."""

    def __init__(self, table: WebhookTable, client: OutsideClient, limits: RequestLimits = LIMITS) -> None:
        self.name = f"webhook/{table.name}"
        self._table = table
        self._client = client
        self._limits = limits

    async def deliver(self, event: Event) -> None:
        """Posts it. Only an answer from 200 to 299 takes it."""
        body = body_of(as_told(event, mask=self._table.mask))
        signature = signed(event.id, body, keys_of(self._table.secret), time.time())
        headers = {"content-type": "application/json", **signature}
        try:
            answer = await self._client.request(
                "POST",
                self._table.url,
                headers=headers,
                body=body,
                limits=self._limits,
                allow_private=self._table.private,
            )
        except OutsideError as error:
            raise DeliveryError(str(error.words)) from None
        if not 200 <= answer.status < 300:
            raise _refused(answer.status, answer.headers, time.time())


def keys_of(setting: str) -> list[bytes]:
    """The keys to sign with: several, with a space between, while a secret is replaced by another. DeliveryError."""
    try:
        texts = secret_of(setting).split()
    except OutsideError as error:
        raise DeliveryError(str(error.words)) from None
    try:
        keys = [base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True) for text in texts]
    except (binascii.Error, ValueError):
        raise DeliveryError(f"the secret of {setting} is no Base64: write {SECRET_PREFIX} and Base64") from None
    if any(len(key) < LEAST_SECRET_BYTES for key in keys):
        raise DeliveryError(f"the secret of {setting} is too short: {LEAST_SECRET_BYTES} random bytes at least")
    return keys


def signed(event_id: str, body: bytes, keys: list[bytes], now: float) -> dict[str, str]:
    """The three headers. The time is that of the attempt: receivers refuse what is older than some minutes."""
    at = str(int(now))
    content = f"{event_id}.{at}.".encode() + body
    digests = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    signatures = " ".join(f"v1,{digest}" for digest in digests)
    return {"webhook-id": event_id, "webhook-timestamp": at, "webhook-signature": signatures}


def _refused(status: int, headers: Mapping[str, str], now: float) -> DeliveryError:
    """What an answer means that takes no event."""
    if status == GONE:
        return DeliveryError("it answers 410: it wants no events any more", gone=True)
    permanent = 400 <= status < 500 and status not in PASSING
    redirect = ": it redirects, write the address that it names" if 300 <= status < 400 else ""
    retry_after = _asked(headers.get("retry-after"), now)
    return DeliveryError(f"it answers {status}{redirect}", permanent, retry_after=retry_after)


def _asked(text: str | None, now: float) -> float | None:
    """The seconds of a Retry-After, which may be an instant. What is neither asks for nothing."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text[:60]).timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None
