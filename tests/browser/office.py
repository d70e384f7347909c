"""An invented office whose console has something on every page."""

from __future__ import annotations

import json
import random
import sqlite3
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from callsieve.changes.operation import Context
from callsieve.doctor.finding import fail, ok
from callsieve.doctor.stored_findings import findings_of, store_findings
from callsieve.exchange.health import peer_id_of, register_peers
from callsieve.exchange_settings import ExchangeTable
from callsieve.health import Check
from callsieve.install.install import TRUNK_LINES
from callsieve.lookups.operations import register_sources
from callsieve.numbering.operations import UpdateRequest
from callsieve.numbering.operations import update as update_plan
from callsieve.plan_files import plan_folder
from callsieve.policy.records import add_version, keep_draft
from callsieve.settings import Loaded
from callsieve.text.times import when
from policies.reasons import PresetReason, Reason, Why
from reputation.appeals import Appeal, AppealStep
from reputation.model import (
    AuthClass,
    CallerKind,
    DecisionRecord,
    Did,
    Disposition,
    EndedBy,
    EntryKind,
    Identity,
    ListEntry,
    ListName,
    Mark,
    MarkChannel,
    Person,
    Verdict,
    Witnesses,
)
from reputation.outcome import OutcomeRecord
from reputation.own.register import NumberState, OwnNumber
from reputation.own.suspicion import Network, Suspicion
from reputation.store.appeals import open_appeal, take_step
from reputation.store.audit import Change, add_audit
from reputation.store.database import open_store
from reputation.store.do_not_call import Complaint, DoNotCallRequest, add_complaint, add_do_not_call
from reputation.store.hub.incoming import ErasureRequest, request_erasure
from reputation.store.identities import set_identity
from reputation.store.imports import Feed, import_numbers
from reputation.store.journal import record_decisions
from reputation.store.lists import Contact, add_contacts, add_entry
from reputation.store.lookups import DailyLimits, StoredAnswer, record_answer, reserve, switch_off
from reputation.store.lookups import record_failure as record_failure_at
from reputation.store.marks import add_mark
from reputation.store.other_sites import Ignored, declare_same, ignore_site
from reputation.store.outcomes import record_outcomes
from reputation.store.own_health import record_suspicions
from reputation.store.own_labels import LabelCheck, NewScreenshot, put_screenshot, record_label_check
from reputation.store.own_register import put_own
from reputation.store.peers import (
    Subscription,
    TakenIndex,
    put_subscription,
    record_peer_failure,
    record_taken,
    switch_peer_off,
)
from reputation.store.people import upsert_dids, upsert_people
from reputation.store.public_appeals import NewAttachment, attach
from reputation.store.sources import record_failure
from reputation.store.transaction import transaction
from reputation.users import Role
from reputation.wording import Wording
from tests.callsieve.browsing import Office
from tests.callsieve.console_calls import VECTOR, make_decision, make_ending
from tests.reputation.own_campaigns import CARELESS, CONSIDERATE, MIDNIGHT, campaign
from tests.reputation.own_campaigns import person as person_called

HOUR, DAY = 3600.0, 86_400.0
NUISANCE, CUSTOMER, BUSINESS = "+12015550150", "+12025550151", "+12015550152"
OWN, OWN_RESTING, OWN_STRANGER = "+12025550100", "+12025550101", "+12025550102"
SHOWN_CALL, OPEN_APPEAL, APPEAL, CLOSED_APPEAL = "7KQ2M4XA", "AP9E4100", "AP9E4101", "AP9E4102"
# Of a number that a list stops.
STOPPED, STOPPED_APPEAL = "+12015550160", "AP9E4103"
CALLS = 240
BY_ACTION = {"allow": 82, "tag": 7, "warn": 6, "challenge": 3, "reject": 2}
LOG_ODDS = {"allow": 0.0, "tag": 1.7, "warn": 3.3, "challenge": 4.9, "reject": 7.2}
REASONS = {
    "allow": Why(Reason.DEFAULT).kept,
    "tag": Why(PresetReason.SOME_EVIDENCE).kept,
    "warn": Why(PresetReason.COMPLAINTS).kept,
    "challenge": Why(PresetReason.STRONG_EVIDENCE).kept,
    "reject": Why(Reason.ON_BLOCKLIST, {"entry": "+1900*"}).kept,
}
SAMPLED = Why(PresetReason.COMPLAINTS, cap=Reason.CONTROL_SAMPLE).kept
WITNESSED = json.dumps({**json.loads(VECTOR), "witnesses": Witnesses(7, 5, 12)._asdict()})
DRAFT = """\
extends = "cautious"

[[rule]]
name = "withheld"
when = { caller_kind = "withheld" }
action = "chalenge"
reason = "the caller withholds the number"
"""
OWN_RANGES = """\
adds_to = "US"
calling_code = 1
read = 2025-10-01

[[range]]
prefix = "+1201555019"
purpose = "call-centre"
note = "our partner's, in Jersey City"
"""
PARTNER = ExchangeTable(name="partner", path="/srv/partner", key="A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")
GONE = ExchangeTable(name="gone", path="/srv/gone", key="Kqpx8sLTvEQbHXu1kDl7JMXrVzmjVzSLb5gw1Ydyzqo=")
HAMBURG_KEY = "m2bzP7NWPHPBqxpDrMJMuVEJb0yUN8Hf1o8rYEuyKcs="
EXCHANGE = "".join(
    f'[[exchange]]\nname = "{item.name}"\npath = "{item.path}"\nkey = "{item.key}"\n' for item in (PARTNER, GONE)
)
LOOK_UPS = """
[[lookup]]
name = "phoneblock"
kind = "phoneblock"
token = "env:PHONEBLOCK_TOKEN"
[[lookup]]
name = "scores"
kind = "http"
url = "https://api.example.com/{digits}"
send = "number"
consent = true
spam_when = ["score > 75"]
cost = 0.01
daily_spend = 2.0
"""
GOOD_DRAFT = DRAFT.replace("chalenge", "challenge")


def fill(office: Office) -> None:
    """Add a week of calls, marks, lists, feeds, appeals, versions of a policy and a draft."""
    now = time.time()
    calls = _calls(random.Random(6), now)
    with open_store(office.store) as db:
        with transaction(db):
            record_decisions(db, [decision for decision, _ in calls])
            _people(db)
            _own_numbers(db, now)
            _watched(db, now)
            _marks(db, now)
            _sites(db, now)
            _lists(db, now)
            _identities(db, now)
            _appeals(db, now)
        _plans(db, office.load(), now)
        record_outcomes(db, [ending for _, ending in calls], now)
        record_outcomes(db, list(_outbound(now)), now)
        with transaction(db):
            add_complaint(db, Complaint(OWN, person_called(5), now - DAY, "rang at dinner, and hung up"))
            add_complaint(db, Complaint(OWN, "", now - 2 * DAY, "a letter from the carrier"))
            add_complaint(db, Complaint(OWN, CUSTOMER, now - 40 * DAY))
        import_numbers(db, "complaints", "spam", [(f"+1206555{n:04d}", "scam", None, None) for n in range(40)])
        few = [(f"+1207555{n:04d}", None, "Offers", None) for n in range(7)]
        import_numbers(db, "neighbours", "spam", few, feed=Feed("CSV"))
        with transaction(db):
            record_failure(db, "neighbours", now - HOUR, "has 7 numbers, and had 7000: it is not taken")
            register_sources(db, office.load().settings)
            switch_off(db, "scores", now - DAY, '{"code": "worse-than-chance", "right": 9, "told": 60}')
            put_subscription(db, Subscription("hamburg", "https://example.com/exchange/", HAMBURG_KEY, 0.5, now))
            switch_peer_off(db, "hamburg", now - HOUR, '{"code": "worse-than-chance", "right": 9, "told": 60}')
            register_peers(db, office.load().settings)
            _companies(db, now)
        _look_ups(db, [decision for decision, _ in calls if decision.caller], now)
    _policies(office.load(), now)


def _look_ups(db: sqlite3.Connection, decisions: list[DecisionRecord], now: float) -> None:
    """Add answers of look-ups about some callers."""
    for n, decision in enumerate(decisions[:40]):
        at = now - HOUR * n
        reserve(db, "phoneblock", at, DailyLimits(500))
        verdict = "spam" if n % 3 == 0 else "nothing"
        answer = StoredAnswer("phoneblock", verdict, "scam" if verdict == "spam" else None, at, at + 14 * DAY)
        record_answer(db, decision.caller or "", answer)
    record_failure_at(db, "phoneblock", now, "timeout")


def _sites(db: sqlite3.Connection, now: float) -> None:
    """Add rows of two other sites about a number. One of the sites is ignored."""
    for who in ("london:305", "london:306", "paris:7"):
        add_mark(db, Mark("+12065550142", AuthClass.UNKNOWN, who, Verdict.SPAM, now - DAY, MarkChannel.EXTENSION))
    ignore_site(db, Ignored("paris", now - HOUR, "ada (console)", "its PBX was broken into"))
    declare_same(db, "201", "london:305")
    for number, site in {NUISANCE: "london", "+8613800138000": "paris"}.items():
        request_erasure(db, ErasureRequest(number, site, now - DAY))


def _companies(db: sqlite3.Connection, now: float) -> None:
    """Add a company that works, and one whose last index was refused."""
    index = TakenIndex(peer_id_of(PARTNER), "Partner Ltd", 29_929_611, "d", now - HOUR, now + 6 * DAY)
    record_taken(db, "partner", index, now - HOUR, now + HOUR)
    record_taken(db, "gone", index._replace(of=peer_id_of(GONE), counts_until=now - DAY), now - 8 * DAY, now)
    about = {"code": "bad-row", "file": "snapshot-1379295b….rows", "line": 1_204}
    record_peer_failure(db, "gone", now - HOUR, now, json.dumps(about))


def _plans(db: sqlite3.Connection, loaded: Loaded, now: float) -> None:
    context = Context("ada", Role.ADMINISTRATOR, now, loaded, "ada")
    update_plan(db, context, UpdateRequest(OWN_RANGES.encode(), "us-own.toml"))
    (plan_folder(loaded) / "zz.toml").write_text("purpose = 1")


def _calls(rng: random.Random, now: float) -> list[tuple[DecisionRecord, OutcomeRecord]]:
    found = []
    for n in range(CALLS):
        action = "challenge" if n == 0 else rng.choices(list(BY_ACTION), list(BY_ACTION.values()))[0]
        withheld, harmless = n % 17 == 3, action == "allow"
        decision = make_decision(
            SHOWN_CALL if n == 0 else f"C{n:07d}",
            at=now - 300 - n * rng.uniform(300, 2400),
            caller=None if withheld else NUISANCE if n == 0 else f"+1{rng.choice((201, 202, 206))}55501{n % 99:02d}",
            caller_kind=CallerKind.WITHHELD if withheld else CallerKind.NUMBER,
            did=f"+44207183875{n % 3}",
            action=action,
            rule="default" if harmless else f"level-{action}",
            reason=REASONS[action],
            level="none" if harmless else action,
            log_odds=LOG_ODDS[action],
            vector=json.dumps({"families": [], "would_change": []}) if harmless else WITNESSED,
        )
        if action == "warn" and n % 3 == 0:
            decision = decision._replace(action="allow", would_be="allow", reason=SAMPLED)
        found.append((decision, _ending(rng, decision, n)))
    return found


def _ending(rng: random.Random, decision: DecisionRecord, n: int) -> OutcomeRecord:
    if decision.action == "reject":
        return make_ending(decision, disposition=Disposition.REJECTED, answered_by=None, talk_seconds=0.0)
    if n % 4 == 1:
        return make_ending(decision, disposition=Disposition.NO_ANSWER, answered_by=None, talk_seconds=0.0)
    by = rng.choice((EndedBy.CALLER, EndedBy.CALLEE))
    return make_ending(decision, answered_by=rng.choice(("201", "202")), talk_seconds=rng.uniform(2, 240), ended_by=by)


def _people(db: sqlite3.Connection) -> None:
    people = [
        Person("201", "PJSIP/201", "sales", "en", "Alice"),
        Person("202", "PJSIP/202", "support", "en", "Bob"),
        Person("301", "PJSIP/301", "research-and-development", "zh", "王小明"),
        Person("302", "PJSIP/302", None, None, "Wolfeschlegelsteinhausenbergerdorff the Younger"),
    ]
    upsert_people(db, people, "hr")
    dids = [Did("+442071838750", ("sales",), None, True), Did("+442071838751", (), "201", True)]
    upsert_dids(db, [*dids, Did("+442071838752", (), None, False)], "carrier")
    add_contacts(db, "crm", [Contact(CUSTOMER, "Carol", "201"), Contact(BUSINESS, "The bank")])


def _marks(db: sqlite3.Connection, now: float) -> None:
    for n, (reporter, group) in enumerate({"201": "sales", "202": "support", "301": "research"}.items()):
        at = now - (1 + 9 * n) * DAY
        why = "sells solar panels, again and again"
        mark = Mark(NUISANCE, AuthClass.UNKNOWN, reporter, Verdict.SPAM, at, MarkChannel.WEB, group, "scam", why)
        add_mark(db, mark)
    add_mark(db, Mark(CUSTOMER, AuthClass.UNKNOWN, "201", Verdict.OK, now - DAY, MarkChannel.CLI, "sales"))


def _lists(db: sqlite3.Connection, now: float) -> None:
    entries = [
        ListEntry(ListName.ALLOW, EntryKind.EXACT, CUSTOMER, note="our best customer", added_at=now - 40 * DAY),
        ListEntry(ListName.BLOCK, EntryKind.EXACT, STOPPED, action="challenge", added_at=now - 3 * DAY),
        ListEntry(ListName.BLOCK, EntryKind.PREFIX, "+1900", note="premium rate", added_at=now - 90 * DAY),
        ListEntry(
            ListName.BLOCK,
            EntryKind.RANGE,
            "+12015550170",
            "+12015550179",
            note="a call centre, until the quarrel with it is over",
            added_at=now - DAY,
            expires_at=now + 20 * DAY,
        ),
    ]
    for entry in sorted(entries, key=lambda entry_: entry_.added_at):
        add_entry(db, entry)
        number = entry.first if entry.kind is EntryKind.EXACT else None
        add_audit(db, Change("list add", number, entry.text, None, entry), "ada (console)", entry.added_at)


def _identities(db: sqlite3.Connection, now: float) -> None:
    bank = Identity(BUSINESS, "First Invented Bank", 2, now + 200 * DAY, "called back on the number of its letters")
    set_identity(db, bank, now - DAY)
    add_audit(db, Change("identity add", BUSINESS, "", None, bank), "ada (console)", now - DAY)
    set_identity(db, Identity("+12015550153", "王记茶行", 1, now + 12 * DAY), now - 2 * DAY)


def _appeals(db: sqlite3.Connection, now: float) -> None:
    said = "We call our own customers, and nobody else. Our call records of that week show it."
    for n, (reference, number) in enumerate(
        {
            OPEN_APPEAL: "+12015550161",
            APPEAL: NUISANCE,
            CLOSED_APPEAL: "+12015550162",
            STOPPED_APPEAL: STOPPED,
        }.items()
    ):
        filed = Appeal(
            reference=reference,
            number=number,
            name="Carol Ltd",
            contact="carol@example.com",
            opened_at=now - (3 + 4 * n) * DAY,
            statement=said,
            decision_id=SHOWN_CALL,
        )
        open_appeal(db, filed)
    for reference in (APPEAL, STOPPED_APPEAL):
        take_step(db, reference, AppealStep.ACCEPT, now - 6 * DAY)
    attach(db, APPEAL, NewAttachment("call-records.csv", b"at,number,seconds\n", "ada"), now - 5 * DAY)
    take_step(db, CLOSED_APPEAL, AppealStep.WITHDRAW, now - 4 * DAY, "it was another number")


def _own_numbers(db: sqlite3.Connection, now: float) -> None:
    known = OwnNumber(
        number=OWN,
        name="Lamps Ltd",
        purpose="reminders of what was ordered",
        owner="Ann",
        trunks=("carrier", "carier"),
        documents=("letter of authority 7", "the bill of May"),
        registered=("the carrier's form for names", "Free Caller Registry"),
        next_check_at=now + 9 * DAY,
        since=now - 90 * DAY,
        added_at=now,
    )
    resting = OwnNumber(number=OWN_RESTING, name="Lamps Ltd, sales", state=NumberState.RESTING, since=now - 40 * DAY)
    for person, note in {NUISANCE: "", CUSTOMER: "asked twice, and was friendly about it"}.items():
        wish = DoNotCallRequest(person, now - 2 * DAY, OWN, "201", note)
        add_do_not_call(db, wish)
        add_audit(db, Change("own dnc add", person, "", None, wish), "phone 201", wish.at)
    for own in (known, resting):
        put_own(db, own)
        add_audit(db, Change("own add", own.number, "", None, own), "ada (console)", now - 9 * DAY)


def _watched(db: sqlite3.Connection, now: float) -> None:
    """Add label checks of a number, with a screenshot, and suspicions."""
    for days, label, marks in ((40, "", None), (9, "Scam Likely", 12)):
        look = LabelCheck(OWN, "Hiya", now - days * DAY, label, marks, person="ada", next_at=now + DAY)
        record_label_check(db, look)
    put_screenshot(db, look, NewScreenshot("hiya.png", "png", picture(180, 320)))
    everywhere = Suspicion(Network("US"), "answered", 0.41, 0.18, 1240, 410, 0.9991)
    one_network = Suspicion(Network("GB", "EE"), "blocked", 0.0, 0.27, 310, 96, 0.9999)
    record_suspicions(db, OWN, [everywhere, one_network], now - 60)


def picture(width: int, height: int) -> bytes:
    """Return a PNG that resembles a ringing phone."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    def shade(x: int, y: int) -> int:
        return 200 if height // 4 < y < height // 3 and width // 5 < x < width * 4 // 5 else 40

    rows = b"".join(b"\0" + bytes(shade(x, y) for x in range(width)) for y in range(height))
    head = width.to_bytes(4) + height.to_bytes(4) + bytes((8, 0, 0, 0, 0))
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _outbound(now: float) -> Iterator[OutcomeRecord]:
    """Add outgoing calls: good ones of one number, and bad ones of an unregistered number."""
    midnight = now // DAY * DAY
    for number, manner, first in ((OWN, CONSIDERATE, 0), (OWN_STRANGER, replace(CARELESS, calls_a_day=60), 2000)):
        for call in campaign(manner, range(-10, 0), number, first):
            yield call._replace(at=call.at - MIDNIGHT + midnight)


def _policies(loaded: Loaded, now: float) -> None:
    for n, action in enumerate(("warn", "challenge")):
        add_version(
            loaded,
            DRAFT.replace("chalenge", action),
            "ada",
            when(now - (9 - n) * DAY),
            "too many withheld calls in the evening",
        )
    keep_draft(loaded, "ada", DRAFT)


def make_office(folder: Path, settings: str) -> Office:
    """Make an office in this directory, and fill it."""
    office = Office(folder, settings + LOOK_UPS + EXCHANGE)
    fill(office)
    store_what_root_found(office)
    return office


def store_what_root_found(office: Office) -> None:
    """Store findings as `callsieve doctor` does: one failed check, and checks that the console cannot make."""
    at, path = time.time() - 240, office.load().findings_path
    line = Wording("first in each trunk's context: {line}", {"line": TRUNK_LINES[0]})
    found = {
        "Asterisk": ok("22.10.1"),
        "modules": ok(Wording("all {count} needed modules are loaded", {"count": 21})),
        "off switch": ok(Wording("screening is on")),
        "dialplan": ok(Wording("CallSieve's {count} contexts are loaded", {"count": 31})),
        "trunks": fail(Wording("no dialplan context asks CallSieve: no call is screened"), line),
        "asks at": ok("agi://127.0.0.1:4578"),
    }
    path.parent.mkdir()
    checks = [Check(name, item.status, item.detail, item.remedy, at) for name, item in found.items()]
    store_findings(path, findings_of(checks, at, at))
