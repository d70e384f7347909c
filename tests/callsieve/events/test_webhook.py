"""Webhooks: signatures checked by the Standard Webhooks library, and the meaning of answers."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from callsieve.events.kinds import CALLER, DID, KINDS, DeliveryError, Event, EventKind, sample_of
from callsieve.events.receivers.build import Webhook
from callsieve.outside.http_client import OutsideClient, RequestLimits
from tests.callsieve.events.hooks import SECRET, HookServer, Posted, accept, hook_server, http

SOON = RequestLimits(total_seconds=0.5, body_bytes=1 << 16, redirects=0)
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


@pytest.fixture
async def hook() -> AsyncIterator[HookServer]:
    async with hook_server() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[OutsideClient]:
    async with OutsideClient() as opened:
        yield opened


def sample(kind: EventKind = EventKind.DECISION_TAKEN) -> Event:
    return sample_of(kind, time.time())


async def refusal(hook: HookServer, client: OutsideClient, **table: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as refused:
        await Webhook(hook.table(**table), client, SOON).deliver(sample())
    return refused.value


@pytest.mark.parametrize("kind", list(EventKind))
async def test_signature_is_verified_by_the_reference_library(
    hook: HookServer, client: OutsideClient, kind: EventKind
) -> None:
    event = sample(kind)
    await Webhook(hook.table(), client).deliver(event)
    (posted,) = hook.posted
    verified = Verifier(SECRET).verify(posted.body.decode(), posted.headers)
    assert verified == posted.payload
    assert verified["type"] == kind.value
    assert verified["timestamp"].endswith("Z")
    assert set(KINDS[kind].sample.__struct_fields__) <= set(verified["data"])
    assert posted.id == event.id
    assert posted.headers["content-type"] == "application/json"
    assert abs(int(posted.headers["webhook-timestamp"]) - time.time()) < 60


async def test_changed_body_fails_verification(hook: HookServer, client: OutsideClient) -> None:
    await Webhook(hook.table(), client).deliver(sample())
    (posted,) = hook.posted
    verifier = Verifier(SECRET)
    for body, headers in (
        (posted.body.replace(b"}", b" }", 1), posted.headers),
        (posted.body, posted.headers | {"webhook-id": "evt_other"}),
        (posted.body, posted.headers | {"webhook-timestamp": str(int(posted.headers["webhook-timestamp"]) - 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body.decode(), headers)


async def test_both_secrets_verify_during_rotation(
    hook: HookServer, client: OutsideClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", f"{SECRET} {OTHER_SECRET}")
    await Webhook(hook.table(), client).deliver(sample())
    for secret in (SECRET, OTHER_SECRET):
        Verifier(secret).verify(hook.posted[0].body.decode(), hook.posted[0].headers)


async def test_reason_of_a_decision_is_sent_in_words(hook: HookServer, client: OutsideClient) -> None:
    await Webhook(hook.table(), client).deliver(sample())
    data = hook.posted[0].payload["data"]
    assert (data["reason_code"], data["reason"]) == ("complaints", "other people have complained about this number")


async def test_masked_webhook_sends_no_number(hook: HookServer, client: OutsideClient) -> None:
    for kind in EventKind:
        await Webhook(hook.table(mask=True), client).deliver(sample(kind))
    text = b" ".join(posted.body for posted in hook.posted)
    assert CALLER[5:].encode() not in text
    assert DID[5:].encode() not in text
    assert b"+1201*****23" in text
    assert b"+4420******50" in text


@pytest.mark.parametrize(
    ("status", "permanent", "gone"),
    [
        (301, False, False),
        (400, True, False),
        (401, True, False),
        (404, True, False),
        (408, False, False),
        (410, True, True),
        (422, True, False),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
async def test_status_code_decides_about_retries(
    hook: HookServer, client: OutsideClient, status: int, permanent: bool, gone: bool
) -> None:
    async def answering(_posted: Posted) -> bytes:
        return http(status, b"no", location="http://127.0.0.1:1/")

    hook.answering = answering
    error = await refusal(hook, client)
    assert (error.permanent, error.gone, error.retry_after) == (permanent, gone, None)
    assert str(status) in error.words
    assert len(hook.posted) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("-5", None), ("9" * 400, 999_999_999.0)],
)
async def test_retry_after_is_parsed(hook: HookServer, client: OutsideClient, text: str, seconds: float | None) -> None:
    async def answering(_posted: Posted) -> bytes:
        return http(503, retry_after=text)

    hook.answering = answering
    assert (await refusal(hook, client)).retry_after == seconds


async def never(_posted: Posted) -> bytes:
    await asyncio.sleep(3600)
    return b""


async def lying(_posted: Posted) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n"


async def endless(_posted: Posted) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n" + bytes(1 << 20)


async def rude(_posted: Posted) -> bytes:
    return b"SSH-2.0-OpenSSH\r\n\r\n"


@pytest.mark.parametrize("answering", [never, lying, endless, rude])
async def test_misbehaving_receiver_is_retried(hook: HookServer, client: OutsideClient, answering: Any) -> None:
    hook.answering = answering
    error = await refusal(hook, client)
    assert (error.permanent, "127.0.0.1" in error.words) == (False, True)


async def test_missing_receiver_is_retried(client: OutsideClient) -> None:
    async with hook_server() as hook:
        pass
    assert not (await refusal(hook, client)).permanent


async def test_private_address_needs_an_option(hook: HookServer, client: OutsideClient) -> None:
    url = f"https://127.0.0.1:{hook.port}/"
    assert "not on the internet" in (await refusal(hook, client, private=False, url=url)).words
    assert hook.posted == []


@pytest.mark.parametrize(
    ("secret", "words"),
    [("", "no secret"), ("whsec_!", "not Base64"), ("whsec_c2hvcnQ=", "24 random bytes")],
)
async def test_unusable_secret_is_reported_but_not_shown(
    hook: HookServer, client: OutsideClient, monkeypatch: pytest.MonkeyPatch, secret: str, words: str
) -> None:
    monkeypatch.setenv("HOOK_SECRET", secret)
    error = await refusal(hook, client)
    assert words in error.words
    assert not secret or secret not in error.words
    assert hook.posted == []
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    hook.answering = accept
    await Webhook(hook.table(), client).deliver(sample())  # another secret counts at once
    assert len(hook.posted) == 1
