"""Every undoable change is made and undone, and the store is as before."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from callsieve import emergency_window
from callsieve.appeals import operations as appeals
from callsieve.call_lists import consents
from callsieve.calls import operations as calls
from callsieve.capability import Undo
from callsieve.changes.operation import Context
from callsieve.changes.undo import UndoRequest, undo
from callsieve.cli.options import json_text
from callsieve.exchange import operations as exchange
from callsieve.hub import site_operations as sites
from callsieve.identities import operations as identities
from callsieve.imports import operations as imports
from callsieve.lists import operations as lists
from callsieve.lookups import operations as lookups
from callsieve.main.capabilities import CHANGES
from callsieve.mark_watch import operations as watch
from callsieve.numbering import operations as plans
from callsieve.numbers import operations as numbers
from callsieve.own_numbers import do_not_call
from callsieve.own_numbers import operations as own
from callsieve.own_numbers.fields import NewOwnNumber
from callsieve.person_page import operations as person_page
from callsieve.policy import central
from callsieve.policy import operations as policies
from callsieve.tokens import operations as tokens
from callsieve.users import operations as users
from reputation.encoding import encode
from reputation.feature_codes import apply_feature_code
from reputation.model import Did, EntryKind, ListEntry, ListName, MarkChannel, Person, Verdict
from reputation.store.audit import changed_at_once, latest_of
from reputation.store.database import open_store
from reputation.store.journal import record_decisions
from reputation.store.registers import Consent
from reputation.store.site import PublishedPolicy, put_published
from reputation.store.standing import refresh
from reputation.store.transaction import transaction
from reputation.users import Role
from tests.callsieve.console_calls import make_decision
from tests.office import CALLER, SETTINGS, Office

NOW = 1_800_000_000.0
UNEVEN = 0.123_456_789  # clocks are finer than RFC 3339
OURS = "+12025550100"
OTHERS = """
[hub]
address = "postgresql://127.0.0.1/hub"
site = "here"
follow = ["head-office"]
"""
Step = Callable[[sqlite3.Connection, Context], object]


def step(operation: Callable[..., object], *request: Any) -> Step:
    return lambda db, context: operation(db, context, *request)


def sql(*statements: str) -> Step:
    def run(db: sqlite3.Connection, _context: Context) -> None:
        for statement in statements:
            db.execute(statement)

    return run


def dial(code: str) -> Step:
    return lambda db, context: apply_feature_code(db, "PJSIP/201", code, context.at)


def appeal_filed(db: sqlite3.Connection, context: Context) -> None:
    appeals.file(db, context, appeals.AppealRequest(CALLER, "Acme", "help@acme.example"))


KEY = "QhPEEWI7SO1kHr4OdX9A11HxnCU7y2zAEIIGFjZgvzY="
PNG = b"\x89PNG\r\n\x1a\n..."
OWN_ROWS = (
    'adds_to = "US"\ncalling_code = 1\nread = 2026-11-27\n[[range]]\nprefix = "+1201742"\npurpose = "call-centre"\n'
)
IDENTITY = identities.IdentityRequest(CALLER, "Acme", 1)
ENTRY = lists.EntryRequest(ListName.BLOCK, CALLER)
PERSONAL = lists.PersonalRequest(ListName.ALLOW, CALLER, "201")
MARK = numbers.MarkRequest(CALLER, "201", Verdict.SPAM, MarkChannel.CLI)
WRONG = numbers.CorrectionRequest(CALLER, ("201",), "it is a bank")
RETRACTION = MARK._replace(verdict=Verdict.RETRACTED)
PEOPLE = imports.PeopleRequest("hr", (Person("201", "PJSIP/201", "sales", "en", "Alice"), Person("202")))
DIDS = imports.PeopleRequest("hr", (Did("+442071838750", ("sales",)),), imports.ImportKind.DIDS)
POLICY = PublishedPolicy("head-office:office", 'extends = "cautious"\n', "", NOW - 60)
COMPANY = exchange.SubscribeRequest("acme", "https://acme.example/x", KEY)
PLAN = plans.UpdateRequest(OWN_ROWS.encode(), "rows.toml")

LISTED = step(lists.add, ENTRY)
REGISTERED = step(own.add, NewOwnNumber(OURS, "support"))
SOURCE = sql("INSERT INTO lookup_source (name, is_outside, in_settings) VALUES ('phoneblock', 1, 1)")
PEER = sql("INSERT INTO peer (name, of, in_settings, weight, every_seconds) VALUES ('acme', 'x', 1, 1.0, 60.0)")
MARKED_ELSEWHERE: tuple[Step, ...] = (
    sql(
        "INSERT INTO mark (number, auth_class, epoch, reporter, grp, verdict, channel, category, reason, linkedid, at)"
        f" VALUES ('{CALLER}', 'unknown', 0, 'berlin:305', 'berlin', 'spam', 'cli', '', '', '', {NOW - 60})"
    ),
    lambda db, _: refresh(db, CALLER),
)
OUR_KEY: Step = lambda _db, context: exchange.own_key(context)  # noqa: E731
CALLED: Step = lambda db, _: record_decisions(db, [make_decision(callee="201")])  # noqa: E731
BURST = sql(f"UPDATE standing SET burst_at = {NOW - 60}, counts = ''")
FILED = appeal_filed
ACCEPTED = step(appeals.accept, CALLER)
UPHELD = step(appeals.decide, appeals.RulingRequest(CALLER, "uphold", "it is a bank"))

# The steps of each change; the last step is the change itself.
CASES: dict[str, tuple[Step, ...]] = {
    "list add": (LISTED,),
    "list remove": (LISTED, step(lists.remove, ENTRY)),
    "list import": (
        LISTED,
        step(lists.import_entries, [ListEntry(ListName.BLOCK, EntryKind.EXACT, CALLER, note="spam")]),
    ),
    "identity add": (step(identities.add, IDENTITY),),
    "identity remove": (step(identities.add, IDENTITY), step(identities.remove, CALLER)),
    "own add": (REGISTERED,),
    "own check": (REGISTERED, step(own.check, own.CheckRequest(OURS))),
    "own rest": (REGISTERED, step(own.rest, OURS)),
    "own use": (REGISTERED, step(own.rest, OURS), step(own.use, own.UseRequest(OURS, early=True))),
    "own retire": (REGISTERED, step(own.retire, OURS)),
    "own remove": (REGISTERED, step(own.remove, OURS)),
    "own import": (REGISTERED, step(own.import_register, {OURS: {"purpose": "sales"}})),
    "own dnc add": (step(do_not_call.list_number, do_not_call.DoNotCallEntry(CALLER, OURS)),),
    "own dnc remove": (
        step(do_not_call.list_number, do_not_call.DoNotCallEntry(CALLER, OURS)),
        step(do_not_call.unlist, CALLER),
    ),
    "own complaint": (REGISTERED, step(do_not_call.complain, do_not_call.ComplaintRequest(OURS, CALLER, "rude"))),
    "own watch add": (
        REGISTERED,
        step(watch.record, watch.LabelCheckRequest(OURS, "phone", screenshot=watch.ScreenshotFile("a.png", PNG))),
    ),
    "own consent add": (step(consents.add, consents.ConsentRequest(CALLER, "contract 12")),),
    "own consent remove": (
        step(consents.add, consents.ConsentRequest(CALLER, "contract 12")),
        step(consents.remove, CALLER),
    ),
    "own consent import": (
        step(consents.add, consents.ConsentRequest(CALLER, "contract 12")),
        step(consents.import_consents, {CALLER: Consent(CALLER, NOW - 60, None, "contract 13")}),
    ),
    "mark": (step(numbers.mark, MARK),),
    "unmark": (step(numbers.mark, MARK), step(numbers.mark, RETRACTION)),
    "review done": (step(numbers.mark, MARK), BURST, step(numbers.review, CALLER)),
    "calls confirm": (step(calls.confirm, CALLER),),
    "review undo": (step(numbers.mark, MARK), BURST, step(numbers.review, CALLER), step(numbers.forget_review, CALLER)),
    "review wrong": (
        step(numbers.mark, MARK),
        step(numbers.correct, numbers.CorrectionRequest(CALLER, ("201",), "no")),
    ),
    "reassigned add": (step(numbers.new_owner, numbers.OwnerRequest(CALLER, "the carrier says so")),),
    "reassigned remove": (
        step(numbers.new_owner, numbers.OwnerRequest(CALLER, "the carrier says so")),
        step(numbers.same_owner, CALLER),
    ),
    "import people": (step(imports.import_people, PEOPLE),),
    "import dids": (step(imports.import_people, DIDS),),
    "import remove": (step(imports.import_people, DIDS), step(imports.remove, imports.RemoveImportRequest("hr"))),
    "policy activate": (step(policies.activate, "cautious"), step(policies.activate, "strict")),
    "policy publish": (step(central.publish, central.PublishRequest("strict", "office")),),
    "policy withdraw": (
        step(central.publish, central.PublishRequest("strict", "office")),
        step(central.withdraw, "office"),
    ),
    "policy accept": (
        lambda db, _: put_published(db, POLICY),
        step(central.accept, central.AcceptRequest(POLICY.name)),
    ),
    "user add": (step(users.add, users.NewUser("ada")),),
    "user role": (step(users.add, users.NewUser("ada")), step(users.change_role, users.RoleRequest("ada", "operator"))),
    "token add": (step(tokens.add, tokens.NewToken("crm", "operator", ("read",), "never")),),
    "appeal accept": (FILED, ACCEPTED),
    "appeal decide": (
        LISTED,
        FILED,
        ACCEPTED,
        step(appeals.decide, appeals.RulingRequest(CALLER, "uphold", "it is a bank", remove=("list",))),
    ),
    "appeal withdraw": (FILED, step(appeals.withdraw, appeals.WithdrawRequest(CALLER))),
    "appeal clear": (LISTED, FILED, ACCEPTED, UPHELD, step(appeals.clear, appeals.ClearRequest(CALLER, ("list",)))),
    "plan update": (step(plans.update, PLAN),),
    "plan remove": (step(plans.update, PLAN), step(plans.remove, plans.RemoveRequest("us", own=True))),
    "lookups disable": (SOURCE, step(lookups.disable, lookups.SwitchRequest("phoneblock"))),
    "lookups enable": (
        SOURCE,
        step(lookups.disable, lookups.SwitchRequest("phoneblock")),
        step(lookups.enable, lookups.SwitchRequest("phoneblock")),
    ),
    "exchange pause": (PEER, step(exchange.pause, lookups.SwitchRequest("acme"))),
    "exchange resume": (
        PEER,
        step(exchange.pause, lookups.SwitchRequest("acme")),
        step(exchange.resume, lookups.SwitchRequest("acme")),
    ),
    "exchange add": (OUR_KEY, step(exchange.subscribe, COMPANY)),
    "exchange remove": (OUR_KEY, step(exchange.subscribe, COMPANY), step(exchange.unsubscribe, "acme")),
    "hub ignore": (*MARKED_ELSEWHERE, step(sites.ignore, sites.IgnoreRequest("berlin", "a test"))),
    "hub resume": (
        *MARKED_ELSEWHERE,
        step(sites.ignore, sites.IgnoreRequest("berlin", "a test")),
        step(sites.resume, "berlin"),
    ),
    "hub people same": (*MARKED_ELSEWHERE, step(sites.same_person, ("201", "berlin:305"))),
    "hub people apart": (
        *MARKED_ELSEWHERE,
        step(sites.same_person, ("201", "berlin:305")),
        step(sites.other_person, "berlin:305"),
    ),
    "emergency open": (step(emergency_window.open_window),),
    "emergency close": (step(emergency_window.open_window), step(emergency_window.close_window)),
    "expecting": (step(imports.import_people, PEOPLE), dial("expect")),
    "not-expecting": (step(imports.import_people, PEOPLE), dial("expect"), dial("expect")),
    "whispers-off": (step(imports.import_people, PEOPLE), dial("whispers")),
    "whispers-on": (step(imports.import_people, PEOPLE), dial("whispers"), dial("whispers")),
    "quiet-on": (step(imports.import_people, PEOPLE), dial("quiet")),
    "quiet-off": (step(imports.import_people, PEOPLE), dial("quiet"), dial("quiet")),
    "this was wrong": (CALLED, step(person_page.was_wrong, person_page.OwnCallKey("201", "7KQ2M4XA"))),
}
# Fields about the undone change itself.
NOT_COMPARED = {"audit", "event", "sqlite_sequence", "sqlite_stat1"}
# Intended differences. A repeated row gets a new date, so that it wins at other sites.
DATED_ANEW = frozenset({"identity", "mark", "personal_entry", "standing"})
DIFFERENT: dict[str, frozenset[str]] = {
    "identity remove": DATED_ANEW,
    "unmark": DATED_ANEW | frozenset({"list_digest"}),
    **dict.fromkeys(("mark", "this was wrong"), frozenset({"mark"})),  # a retraction, which is sent to other sites
    # The digest of the lists is made of the ids of entries, and an entry comes back with another one.
    **dict.fromkeys(("list remove", "list import", "appeal decide", "appeal clear"), frozenset({"list_digest"})),
    "exchange add": frozenset({"peer"}),  # it stays known but does not count
    "emergency open": frozenset({"emergency_call", "emergency_close"}),  # that it was opened, and was closed
}
# A restored row has another id.
IDS = {"list_entry": "id", "list_prefix": "entry"}


def contents(db: sqlite3.Connection, what: str) -> dict[str, list[str]]:
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, list[str]] = {}
    for table in sorted({*tables} - NOT_COMPARED - DIFFERENT.get(what, frozenset())):
        cursor = db.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in cursor.description]
        rows = (dict(zip(names, row, strict=True)) for row in cursor)
        found[table] = sorted(str({key: item for key, item in row.items() if key != IDS.get(table)}) for row in rows)
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of the state directory without the store, kept versions and waiting policies."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "kept")
    found = (path for path in paths if not path.name.startswith("callsieve.db") and ".new." not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_every_undoable_change_has_a_case() -> None:
    assert {what for what, undo in CHANGES.items() if isinstance(undo, Undo)} == set(CASES)


@pytest.mark.parametrize("what", CASES)
def test_undo_restores_store_and_files(tmp_path: Path, what: str) -> None:
    office = Office(tmp_path, SETTINGS + OTHERS)
    *before, last = CASES[what]
    with open_store(office.store) as db:

        def run(step: Step, at: float) -> None:
            with transaction(db):
                step(db, Context("joe", Role.ADMINISTRATOR, at, office.load(), changes=CHANGES))

        for count, one in enumerate(before):
            run(one, NOW + 60 * count + UNEVEN)
        contents_before, files_before = contents(db, what), files(office.state)
        run(last, NOW + 3600 + UNEVEN)
        assert what in DIFFERENT or (contents(db, what), files(office.state)) != (contents_before, files_before)
        request = UndoRequest(latest_of(db, (what,), 1)[0].id)
        run(lambda db, context: undo(db, context, request), NOW + 3601)
        assert contents(db, what) == contents_before
        assert files(office.state) == files_before


def values(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """All plain values at any depth, each with the name of its field."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from values(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from values(one, name)
    else:
        yield name, value


@pytest.mark.parametrize("what", CASES)
def test_audit_command_and_api_encode_values_alike(tmp_path: Path, what: str) -> None:
    office = Office(tmp_path, SETTINGS + OTHERS)
    answer: object = None
    with open_store(office.store) as db:
        for count, one in enumerate(CASES[what]):
            context = Context("joe", Role.ADMINISTRATOR, NOW + 60 * count + UNEVEN, office.load(), changes=CHANGES)
            with transaction(db):
                answer = one(db, context)
        rows = [item.row for item in changed_at_once(db, latest_of(db, (what,), 1)[0].row)]
    told = json.loads(encode(answer))
    assert json.loads(json_text(answer)) == told
    said: dict[str, list[object]] = {}
    for name, value in values(told):
        said.setdefault(name, []).append(value)
    for side in (text for row in rows for text in (row.before, row.after) if text):
        for name, value in values(json.loads(side)):
            assert not isinstance(value, float) or value < NOW / 2, f"{name} is no RFC 3339"
            if name in said and side == (rows[0].after or rows[0].before):
                assert value in said[name], name
