"""Key handover: subscribers follow a new key automatically for 30 days."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from callsieve.exchange.rows import HANDOVER_FILE, INDEX_FILE
from callsieve.signing.keys import KeyFileError, SigningKey, signing_key
from callsieve.signing.statements import OVERLAP_DAYS, HandoverUnderWay, StatementError, read_handover, rotate, sign
from reputation.store.peers import key_now, peer_states
from tests.callsieve.exchange.companies import DAY, OTHER, Company


@pytest.fixture
def berlin(tmp_path: Path) -> Company:
    company = Company(tmp_path / "berlin", "Berlin Ltd")
    company.mark_as_spam(at=time.time() - 2 * DAY)
    return company


@pytest.fixture
def hamburg(tmp_path: Path) -> Company:
    return Company(tmp_path / "hamburg", "Hamburg Ltd")


def changes(company: Company) -> list[str]:
    return [row["what"] for row in company("audit", "--json").json if row["what"] == "exchange key"]


def fetch(company: Company) -> int:
    return company("exchange", "fetch", "Berlin Ltd").code


def test_subscribers_follow_and_audit_a_handover(berlin: Company, hamburg: Company) -> None:
    berlin.publish(time.time() - DAY)
    hamburg.subscribe_to(berlin)
    old = berlin.key
    assert fetch(hamburg) == 0
    [before] = hamburg.read(peer_states)
    berlin.ok("signing", "rotate", "--yes")
    assert berlin.key != old
    berlin.mark_as_spam(OTHER, at=time.time() - DAY, first=10)
    berlin.publish()
    said = hamburg.ok("exchange", "fetch", "Berlin Ltd")
    assert signing_key(berlin.state).public_key.id in said
    assert hamburg.read(key_now, old) == berlin.key
    [after] = hamburg.read(peer_states)
    assert (after.id, after.failures, after.sequence > before.sequence) == (before.id, 0, True)
    assert changes(hamburg) == ["exchange key"]
    assert fetch(hamburg) == 0
    assert changes(hamburg) == ["exchange key"], "said once"


def test_history_continues_and_the_handover_ends(berlin: Company) -> None:
    berlin.publish(time.time() - DAY)
    berlin.ok("signing", "rotate", "--yes")
    assert berlin.publish().delta is not None, "what the old key signed is known as ours"
    assert (berlin.web / HANDOVER_FILE).exists()
    berlin.publish(time.time() + (OVERLAP_DAYS + 1) * DAY)
    assert not (berlin.web / HANDOVER_FILE).exists()


def test_new_key_without_a_handover_is_refused(berlin: Company, hamburg: Company) -> None:
    berlin.publish(time.time() - DAY)
    hamburg.subscribe_to(berlin)
    old = berlin.key
    fetch(hamburg)
    berlin.ok("signing", "rotate", "--yes")
    berlin.publish()
    (berlin.web / HANDOVER_FILE).unlink()
    assert hamburg.fetch("Berlin Ltd")["failure"]["code"] == "other-key"
    assert hamburg.read(key_now, old) == old
    assert hamburg.facts().peers, "what was taken before stays"


def test_handover_by_another_key_is_refused(berlin: Company, hamburg: Company, tmp_path: Path) -> None:
    berlin.publish(time.time() - DAY)
    hamburg.subscribe_to(berlin)
    old = berlin.key
    fetch(hamburg)
    stranger = Company(tmp_path / "stranger", "Berlin Ltd")
    stranger.mark_as_spam(at=time.time() - 2 * DAY)
    stranger.ok("signing", "rotate", "--yes")
    stranger.publish()
    for name in (INDEX_FILE, HANDOVER_FILE):
        (berlin.web / name).write_bytes((stranger.web / name).read_bytes())
    assert fetch(hamburg) != 0
    assert hamburg.read(key_now, old) == old


def test_second_handover_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    rotate(tmp_path, "Berlin Ltd", 1_800_000_000)
    with pytest.raises(HandoverUnderWay):
        rotate(tmp_path, "Berlin Ltd", 1_800_000_000 + DAY)
    first = signing_key(tmp_path).public_key
    assert rotate(tmp_path, "Berlin Ltd", 1_800_000_000 + (OVERLAP_DAYS + 1) * DAY) != first
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("kind", "days", "after", "key"),
    [
        pytest.param("number-cleared", 30, 0, "", id="another-statement"),
        pytest.param("key-handover", 30, 31, "", id="over"),
        pytest.param("key-handover", None, 0, "", id="for-good"),
        pytest.param("key-handover", 400, 0, "", id="for-too-long"),
        pytest.param("key-handover", 30, 0, "no key", id="no-key"),
    ],
)
def test_invalid_handover_is_refused(kind: str, days: float | None, after: float, key: str) -> None:
    old, new = SigningKey(b"1" * 32), SigningKey(b"2" * 32).public_key
    until = None if days is None else 1_800_000_000 + days * DAY
    about = {"key": key or new.text, "before": old.public_key.text}
    text = sign(old, kind, "Berlin Ltd", issued_at=1_800_000_000, valid_until=until, about=about)
    with pytest.raises((StatementError, KeyFileError)):
        read_handover(text.encode(), old.public_key, 1_800_000_000 + after * DAY)
