"""Fetching evidence of another company: what is accepted and refused, and that it never does more than tag."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import time
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callsieve.exchange.operations import within
from callsieve.exchange.publish import COPY_FILE
from callsieve.exchange.rows import INDEX_FILE, IndexContents, PublishedFile, last_published, sign_index
from callsieve.outside.errors import OutsideError
from callsieve.signing.keys import SigningKey, signing_key
from policies.decision import Action
from reputation.appeals import AppealStep
from reputation.model import Level
from reputation.store.appeals import AppealRuling, decide, open_appeal, take_step
from tests.callsieve.exchange.companies import DAY, HOUR, OTHER, SPAMMER, Company, serving
from tests.callsieve.imports.feed_server import publishing
from tests.reputation.store_builders import make_appeal

# Accepted. ------------------------------------------------------------------------------------------------


def test_published_number_is_tagged_at_the_other_company(berlin: Company, munich: Company) -> None:
    assert munich.action() is Action.ALLOW
    berlin.ok("exchange", "publish")
    with serving(berlin.web) as url:
        munich.subscribe_to(berlin, url=url, private=True)
        result = munich("exchange", "fetch")
    assert (result.code, result.err) == (0, "")
    assert "Berlin Ltd: 1 row changed." in result.out
    facts = munich.facts()
    assert [(word.peer, word.witnesses, word.category) for word in facts.peers] == [("Berlin Ltd", 3, "scam")]
    assert facts.reputation.level is Level.NONE, "its word adds nothing to the score"
    assert munich.action() is Action.TAG
    shown = munich.ok("lookup", SPAMMER)
    assert "Berlin Ltd: scam, 3 people or more" in shown
    assert "tag by companies-complain" in shown
    [row] = [item for item in munich("audit", "--json").json if item["what"] == "exchange fetch"]
    assert (row["name"], row["after"]["numbers"]) == ("Berlin Ltd", 1)


def test_fetched_evidence_is_not_published_again(berlin: Company, munich: Company, tmp_path: Path) -> None:
    """Otherwise companies in a circle would confirm each other forever."""
    berlin.publish()
    munich.fetch()
    assert munich.publish().numbers == 0


def test_smaller_deltas_are_fetched(berlin: Company, munich: Company) -> None:
    now = time.time()
    for n in range(300):
        berlin.mark_as_spam(f"+1202555{n:04}", people=3)
    berlin.publish(now - 2 * DAY)
    assert munich.fetch()["deltas"] is None
    berlin.mark_as_spam(OTHER)
    berlin.publish(now - DAY)
    berlin.retract_marks(OTHER, now)
    berlin.mark_as_spam("+12035550199")
    berlin.publish(now)
    got = munich.fetch("Berlin Ltd")
    assert (got["deltas"], got["rows"]) == (2, 3)
    assert munich.facts(OTHER).peers == ()
    assert munich.facts("+12035550199").peers


def test_unchanged_index_is_not_fetched_again(berlin: Company, munich: Company) -> None:
    berlin.publish()
    assert munich.fetch()["result"] == "taken"
    assert munich.fetch("Berlin Ltd")["result"] == "unchanged"
    assert munich("exchange", "fetch").out.startswith("No fetch is due (1 company)")


def test_cleared_number_is_shown_as_cleared(berlin: Company, munich: Company, tmp_path: Path) -> None:
    hamburg = Company(tmp_path / "hamburg", "Hamburg Ltd")
    now = time.time()

    def uphold(db: Any) -> None:
        appeal = open_appeal(db, make_appeal(number=SPAMMER, opened_at=now - HOUR))
        take_step(db, appeal.reference, AppealStep.ACCEPT, now - HOUR)
        decide(db, appeal.reference, AppealRuling(True, "they are a hospital"), now - HOUR)

    hamburg.write(uphold)
    berlin.publish()
    hamburg.publish()
    munich.subscribe_to(berlin, hamburg)
    munich.ok("exchange", "fetch")
    facts = munich.facts()
    assert {(word.peer, word.is_cleared) for word in facts.peers} == {("Berlin Ltd", False), ("Hamburg Ltd", True)}
    assert munich.action() is Action.ALLOW
    assert "Hamburg Ltd found that the number is not spam" in munich.ok("lookup", SPAMMER)
    before = munich.facts().reputation.log_odds
    munich.mark_as_spam(people=4)
    assert munich.action() is Action.WARN, "what our own people say stands as it would without them"
    assert munich.facts().reputation.log_odds > before


def test_weight_and_settings_count_at_once(berlin: Company, munich: Company) -> None:
    berlin.publish()
    munich.subscribe_to(berlin, weight=0.5)
    munich.fetch()
    assert munich.action() is Action.ALLOW
    munich.subscribe_to(berlin, weight=1.0)
    munich.ok("exchange", "fetch")
    assert munich.action() is Action.TAG
    munich.write_settings("")
    assert "callsieve exchange add" in munich("exchange", "fetch").err


# Refused: earlier evidence stays. -----------------------------------------------------------------


def resign_index(company: Company, change: Callable[[dict[str, Any]], None], **when: float) -> None:
    """Change the index and sign it again with the company's key."""
    index = last_published(company.web, company.state)
    assert index is not None
    about = msgspec.to_builtins(index.contents)
    about["previous"] = [{"sequence": index.contents.sequence, "digest": index.digest}, *about["previous"]]
    change(about)
    contents = msgspec.convert(about, IndexContents)
    issued = when.get("issued_at", float(index.statement.issued_at))
    until = when.get("valid_until", float(index.statement.valid_until or 0))
    text = sign_index(signing_key(company.state), "Berlin Ltd", contents, issued, until)
    (company.web / INDEX_FILE).write_text(text)


def put_snapshot(company: Company, raw: bytes, unpacked: int, rows: int = 1) -> None:
    """Replace the snapshot by these bytes, correctly signed."""
    name = f"snapshot-{sha256(raw).hexdigest()}.rows"
    (company.web / name).write_bytes(raw)
    file = PublishedFile(file=name, bytes=len(raw), unpacked=unpacked, rows=rows)

    def change(about: dict[str, Any]) -> None:
        about["sequence"] += 1
        about["snapshot"] = msgspec.to_builtins(file)
        about["deltas"] = []

    resign_index(company, change)


def snapshot_of(company: Company, body: str) -> bytes:
    index = last_published(company.web, company.state)
    assert index is not None
    return f"callsieve-exchange,1,snapshot,{index.contents.sequence + 1}\n{body}".encode()


def replace_rows(body: str, rows: int = 1) -> Callable[[Company], None]:
    def damage(company: Company) -> None:
        raw = snapshot_of(company, body)
        put_snapshot(company, gzip.compress(raw), len(raw), rows)

    return damage


def replace_snapshot_by(make: Callable[[bytes], tuple[bytes, int]]) -> Callable[[Company], None]:
    def damage(company: Company) -> None:
        put_snapshot(company, *make(snapshot_of(company, f"{OTHER},u,warn,3,0,2900,2900,\n")))

    return damage


def edit_index(change: Callable[[bytes], bytes]) -> Callable[[Company], None]:
    def damage(company: Company) -> None:
        path = company.web / INDEX_FILE
        path.write_bytes(change(path.read_bytes()))

    return damage


def replace_key(company: Company) -> None:
    index = last_published(company.web, company.state)
    assert index is not None
    text = sign_index(SigningKey(b"x" * 32), "Berlin Ltd", index.contents, time.time(), time.time() + DAY)
    (company.web / INDEX_FILE).write_text(text)


def flip_a_bit(company: Company) -> None:
    """Its index is good, and of the file a bit is another."""
    company.mark_as_spam(OTHER)
    company.publish(time.time() + 60)
    for path in company.web.glob("*.rows"):
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(bytes(raw))


def remove_files(company: Company) -> None:
    for path in company.web.glob("*.rows"):
        path.unlink()


ROW = f"{OTHER},u,warn,3,0,2900,2900,scam\n"
DAMAGES: dict[str, tuple[str, Callable[[Company], None]]] = {
    "nothing-there": ("no-file", lambda company: (company.web / INDEX_FILE).unlink()),
    "no-json": ("no-index", edit_index(lambda _raw: b"<html>welcome to our hotspot</html>")),
    "cut-off": ("no-index", edit_index(lambda raw: raw[:-20])),
    "a-name-twice": ("no-index", edit_index(lambda raw: raw.replace(b'"issuer":', b'"issuer": "x", "issuer":', 1))),
    "deep": (
        "no-index",
        edit_index(lambda raw: raw.replace(b'"format": 1', b'"format": ' + b"[" * 9000 + b"]" * 9000)),
    ),
    "huge": ("too-large", edit_index(lambda raw: raw + b" " * 300_000)),
    "changed": ("bad-signature", edit_index(lambda raw: raw.replace(b"Berlin Ltd", b"Munich Ltd"))),
    "another-key": ("other-key", replace_key),
    "unknown-key": ("no-index", lambda company: resign_raw_index(company, lambda about: about.update(format=2))),
    "path-in-a-name": (
        "no-index",
        lambda company: resign_raw_index(company, lambda about: about["snapshot"].update(file="../../etc/passwd")),
    ),
    "no-chain": ("no-index", lambda company: resign_raw_index(company, no_chain)),
    "ran-out": ("ran-out", lambda company: resign_index(company, _next, valid_until=time.time() - 1)),
    "of-the-future": (
        "too-new",
        lambda company: resign_index(
            company, _next, issued_at=time.time() + 2 * DAY, valid_until=time.time() + 3 * DAY
        ),
    ),
    "for-ever": ("no-index", lambda company: resign_index(company, _next, valid_until=time.time() + 400 * DAY)),
    "no-such-file": ("no-file", remove_files),
    "another-file": ("bad-checksum", flip_a_bit),
    "bad-row": ("bad-row", replace_rows(ROW + "+12015550125,u,warn,3,0,2900,2900,scam;DROP\n", 2)),
    "not-in-order": ("bad-row", replace_rows(ROW + f"{SPAMMER},u,warn,3,0,2900,2900,scam\n", 2)),
    "twice": ("bad-row", replace_rows(ROW + ROW, 2)),
    "a-level-of-the-outside": ("bad-row", replace_rows(ROW.replace("warn", "reject"))),
    "gone-in-a-snapshot": ("bad-row", replace_rows(f"{OTHER},u\n")),
    "emergency": ("bad-row", replace_rows("112,u,warn,3,0,2900,2900,scam\n")),
    "fewer-rows": ("damaged", replace_rows(ROW, 2)),
    "no-gzip": ("damaged", replace_snapshot_by(lambda raw: (raw, len(raw)))),
    "gzip-cut-off": ("damaged", replace_snapshot_by(lambda raw: (gzip.compress(raw)[:-4], len(raw)))),
    "bomb": ("damaged", replace_snapshot_by(lambda raw: (zlib_bomb(), 1_000))),
    "bomb-as-said": ("too-large", replace_snapshot_by(lambda raw: (zlib_bomb(), 2_000_000_000))),
    "one-line-without-end": (
        "damaged",
        replace_snapshot_by(lambda raw: (gzip.compress(b"1" * 40_000_000), 40_000_000)),
    ),
    "two-files-in-one": ("damaged", replace_snapshot_by(lambda raw: (gzip.compress(raw) * 2, 2 * len(raw)))),
}


def _next(about: dict[str, Any]) -> None:
    about["sequence"] += 1


def no_chain(about: dict[str, Any]) -> None:
    delta = about["snapshot"] | {"before": 1, "sequence": 2}
    about["deltas"] = [delta, delta | {"before": 3, "sequence": 4}]


def resign_raw_index(company: Company, change: Callable[[dict[str, Any]], None]) -> None:
    """Sign arbitrary contents in place of the index."""
    from callsieve.signing.statements import sign

    index = last_published(company.web, company.state)
    assert index is not None
    about = msgspec.to_builtins(index.contents)
    change(about)
    now = time.time()
    key = signing_key(company.state)
    text = sign(key, "exchange-index", "Berlin Ltd", issued_at=now, valid_until=now + DAY, about=about)
    (company.web / INDEX_FILE).write_text(text)


def zlib_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b"+12015550124,u\n" * 2_000_000) + packer.flush()


@pytest.mark.parametrize("damage", DAMAGES)
def test_refused_bundle_changes_nothing(berlin: Company, munich: Company, damage: str) -> None:
    berlin.publish(time.time() - HOUR)
    if damage == "no-such-file":
        munich.subscribe_to(berlin, every="1h")
    else:
        munich.fetch()
    code, do = DAMAGES[damage]
    do(berlin)
    got = munich.fetch("Berlin Ltd")
    assert (got["result"], got["failure"]["code"]) == ("failed", code), got
    assert len(got["failure"]["words"]) < 200
    if damage != "no-such-file":
        assert munich.action() is Action.TAG, "what was taken before stays"
    [company] = munich("exchange", "status", "--json").json["companies"]
    assert (company["health"], company["failure"]["code"]) == ("failed", code)
    assert munich.facts(OTHER).peers == ()


def test_an_older_copy_is_refused(berlin: Company, munich: Company) -> None:
    now = time.time()
    berlin.publish(now - 2 * DAY)
    old = (berlin.web / INDEX_FILE).read_bytes()
    berlin.publish(now - DAY)
    munich.fetch()
    (berlin.web / INDEX_FILE).write_bytes(old)
    assert munich.fetch("Berlin Ltd")["failure"]["code"] == "rolled-back"


def test_forked_history_is_refused(berlin: Company, munich: Company) -> None:
    """The key was copied, or a backup was restored: only a person can tell."""
    now = time.time()
    berlin.publish(now - 2 * DAY)
    munich.fetch()
    (berlin.state / COPY_FILE).unlink()
    for path in berlin.web.iterdir():
        path.unlink()
    berlin.mark_as_spam(OTHER)
    berlin.publish(now - 2 * DAY)
    assert munich.fetch("Berlin Ltd")["failure"]["code"] == "forked"
    berlin.publish(now - DAY)
    assert munich.fetch("Berlin Ltd")["failure"]["code"] == "forked"
    assert munich.facts(OTHER).peers == ()
    assert munich.fetch("Berlin Ltd", "--accept-fork")["result"] == "taken"
    assert munich.facts(OTHER).peers


def test_history_without_our_sequence_is_a_fork(berlin: Company, munich: Company) -> None:
    """A copied key could omit our history. Only evidence that is still valid here must be continued."""
    now = time.time()
    berlin.publish(now - 2 * DAY)
    munich.fetch()
    taken = (berlin.web / INDEX_FILE).read_bytes()
    for previous in ([], [{"sequence": int(now // 60) - 1, "digest": "0" * 64}]):
        (berlin.web / INDEX_FILE).write_bytes(taken)
        resign_index(berlin, lambda about, previous=previous: about.update(sequence=int(now // 60), previous=previous))  # type: ignore[misc]
        assert munich.fetch("Berlin Ltd")["failure"]["code"] == "forked"
    munich.write(lambda db: db.execute("UPDATE peer SET counts_until = ?", (now - 1,)))
    assert munich.fetch("Berlin Ltd")["failure"]["code"] == "bad-row", "its snapshot is of another number"


def test_history_continues_after_the_directory_is_lost(berlin: Company, munich: Company) -> None:
    now = time.time()
    berlin.publish(now - 2 * DAY)
    munich.fetch()
    for path in berlin.web.iterdir():
        path.unlink()
    berlin.mark_as_spam(OTHER)
    done = berlin.publish(now - 2 * DAY)
    assert (done.numbers, done.delta) == (2, None)
    assert munich.fetch("Berlin Ltd")["result"] == "taken"
    assert munich.facts(OTHER).peers


def test_restored_directory_does_not_fork(berlin: Company, munich: Company, tmp_path: Path) -> None:
    now = time.time()
    berlin.publish(now - 3 * DAY)
    shutil.copytree(berlin.web, tmp_path / "backup")
    berlin.publish(now - 2 * DAY)
    munich.fetch()
    shutil.rmtree(berlin.web)
    shutil.copytree(tmp_path / "backup", berlin.web)
    berlin.publish(now - DAY)
    assert munich.fetch("Berlin Ltd")["failure"] is None


def test_rows_only_in_deltas_do_not_accumulate(berlin: Company, munich: Company) -> None:
    """Otherwise deltas with ever new numbers could fill the disk."""
    now = time.time()
    for n in range(300):
        berlin.mark_as_spam(f"+1202555{n:04}", people=3)
    berlin.publish(now - HOUR)
    munich.fetch()
    rows = [count_of(munich)]
    for turn in (1, 2, 3):
        put_forged_delta(berlin, turn)
        assert munich.fetch("Berlin Ltd")["result"] == "taken"
        rows.append(count_of(munich))
    assert rows[2] == rows[0], "its snapshot was taken"
    assert max(rows) == rows[0] + 2


def count_of(company: Company) -> int:
    return company.read(lambda db: int(db.execute("SELECT count(*) FROM peer_number").fetchone()[0]))


def put_forged_delta(company: Company, turn: int) -> None:
    """Publish the same snapshot under the next sequence number, with a delta of two more rows."""
    index = last_published(company.web, company.state)
    assert index is not None
    before, sequence = index.contents.sequence, index.contents.sequence + 1
    snapshot = gzip.decompress((company.web / index.contents.snapshot.file).read_bytes())
    rows = "".join(f"+120355{turn}{n:04},u,warn,3,0,2900,2900,\n" for n in range(2))
    delta = f"callsieve-exchange,1,delta,{before},{sequence}\n{rows}".encode()
    snapshot = snapshot.replace(f"snapshot,{before}".encode(), f"snapshot,{sequence}".encode())

    def put(kind: str, raw: bytes, count: int) -> dict[str, Any]:
        packed = gzip.compress(raw)
        name = f"{kind}-{sha256(packed).hexdigest()}.rows"
        (company.web / name).write_bytes(packed)
        return {"file": name, "bytes": len(packed), "unpacked": len(raw), "rows": count}

    def change(about: dict[str, Any]) -> None:
        about["sequence"] = sequence
        about["snapshot"] = put("snapshot", snapshot, about["snapshot"]["rows"])
        about["deltas"] = [put("delta", delta, 2) | {"before": before, "sequence": sequence}]

    resign_index(company, change)


def test_expired_evidence_stops_counting(berlin: Company, munich: Company) -> None:
    """A frozen mirror or a vanished company: evidence ends with its index."""
    now = time.time()
    berlin.publish(now - 6.9 * DAY)
    munich.fetch()
    assert munich.facts().peers
    munich.write(lambda db: db.execute("UPDATE peer SET counts_until = ?", (now - 1,)))
    assert munich.facts().peers == ()
    [company] = munich("exchange", "status", "--json").json["companies"]
    assert company["health"] == "expired"


def test_key_is_shown_but_not_trusted(berlin: Company, munich: Company) -> None:
    berlin.publish()
    munich.subscribe_to(berlin, key="")
    got = munich.fetch()
    assert got["failure"]["code"] == "no-key"
    assert berlin.key in got["failure"]["words"]
    assert munich.facts().peers == ()
    assert munich.fetch("Berlin Ltd")["failure"]["code"] == "no-key", "nor the second time"


def test_new_key_in_the_settings_is_a_new_company(berlin: Company, munich: Company) -> None:
    berlin.publish()
    munich.fetch()
    (berlin.state / "signing.key").unlink()
    munich.subscribe_to(berlin)
    assert munich("exchange", "fetch").code == 2
    assert munich.facts().peers == (), "what the old key signed counts no longer"
    berlin.publish()
    assert munich.fetch("Berlin Ltd")["result"] == "taken"
    assert munich.facts().peers


def test_own_bundle_is_refused(berlin: Company) -> None:
    berlin.publish()
    berlin.subscribe_to(berlin)
    assert berlin.fetch()["failure"]["code"] == "our-own"


def test_failing_server_is_retried_later(berlin: Company, munich: Company) -> None:
    with publishing() as server:
        munich.subscribe_to(berlin, url=server.url("/"), private=True)
        first, second = munich.fetch(), munich.fetch("Berlin Ltd")
    assert first["failure"]["code"] == second["failure"]["code"] == "bad-status"
    assert second["next_at"] > first["next_at"]


async def test_endless_server_times_out() -> None:
    with pytest.raises(OutsideError) as given_up:
        await within(0.01, "example.com", asyncio.Event().wait())
    assert given_up.value.code == "timeout"


def test_invalid_statement_clears_no_number(berlin: Company, munich: Company) -> None:
    berlin.publish()
    raw = b'{"statement": {}, "signature": {}}\n'
    packed = gzip.compress(raw)
    name = f"cleared-{sha256(packed).hexdigest()}.rows"
    (berlin.web / name).write_bytes(packed)
    file = {"file": name, "bytes": len(packed), "unpacked": len(raw), "rows": 1}
    resign_index(berlin, lambda about: about.update(cleared=file))
    assert munich.fetch()["failure"]["code"] == "bad-statement"
