"""A standby decides like the first PBX of its site."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Final

import pytest

from callsieve.hub.operations import policy_in_force
from callsieve.simulate import Question, SettingsFacts, call_of, opinion_of, situation_about
from callsieve.wiring import policies_of, site_of
from policies.decision import Decision
from reputation.facts import Facts, FactsQuery
from reputation.model import AuthClass
from reputation.numbers import stored_number
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.hub.outgoing import has_outgoing
from reputation.store.hub.rows import KINDS, Kind, SharedWith
from reputation.store.hub.sites import recorded_policy
from reputation.store.site import count_people
from reputation.store.standing import refresh_all
from tests.callsieve.hub.sites import STANDINGS, Site, TestHub, running, standby_of
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
NOW: Final = float(int(time.time()))  # what follows the point is chosen below
DAY: Final = 86_400.0
STANDBY: Final = [kind for kind in KINDS.values() if kind.scope is SharedWith.STANDBY]
BAD, APPEALED, CONTACT, FRIEND, ENEMY, TALKED, OURS, RINGER, STRANGER = (f"+120155501{last:02}" for last in range(9))
DID: Final = "+12015550199"
TRAP: Final = "+12015550198"
CALLERS: Final = (BAD, APPEALED, CONTACT, FRIEND, ENEMY, TALKED, OURS, RINGER, STRANGER, None)

# A row in each table that a standby is told of, and in those of all sites, with dates that are no round numbers.
ROWS: Final[Mapping[str, tuple[object, ...]]] = {
    "INSERT INTO person VALUES ('201', 'PJSIP/201', 'sales', 'zh', 'Ann O''Neil', 'import')": (),
    "INSERT INTO person VALUES ('202', 'PJSIP/202', 'sales', NULL, NULL, 'import')": (),
    "INSERT INTO did VALUES (?, 'sales,support', '201', 1, 'import', 0)": (DID,),
    "INSERT INTO did VALUES (?, '', NULL, 1, 'import', 1)": (TRAP,),
    "INSERT INTO trap_call VALUES (?, 'unknown', 0, 'T1', ?, 0, ?)": (STRANGER, TRAP, NOW - 700.75),
    "INSERT INTO own_number VALUES (?, 'import')": (OURS,),
    "INSERT INTO personal_entry VALUES (?, '201', 'allow', ?, 'person')": (FRIEND, NOW - 100.123456),
    "INSERT INTO personal_entry VALUES (?, '201', 'block', ?, 'person') ": (ENEMY, NOW - 99.1),
    "INSERT INTO contact VALUES (?, '', 'book', '李', NULL)": (CONTACT,),
    "INSERT INTO expected_call VALUES ('201', ?)": (NOW + 1800.7654321,),
    "INSERT INTO wish VALUES ('201', 'no-whisper', ?)": (NOW - 88.8,),
    "INSERT INTO wish VALUES ('202', 'quiet-hours', ?)": (NOW - 77.7,),
    "INSERT INTO emergency_call VALUES (?)": (NOW - 7654.3217,),
    "INSERT INTO emergency_close VALUES (1, ?)": (NOW - 8888.125,),
    "INSERT INTO one_ring VALUES (?, ?, 'unknown')": (RINGER, NOW - 900.1234567),
    "INSERT INTO review VALUES (?, ?, 'admin')": (BAD, NOW - 50),
    "INSERT INTO confirmation (number, at, who) VALUES (?, ?, 'admin')": (BAD, NOW - 50),
    "INSERT INTO settled VALUES ('202', 'CASE1', 0, ?)": (NOW - 5000,),
    "INSERT INTO appeal VALUES ('AP1', ?, 'Bo', 'bo@example.com', ?, 'We\ncall\nnobody', NULL, 1, ?,"
    " NULL, '', 0, 'in_force')": (APPEALED, NOW - 400, NOW - 300),
    "INSERT INTO same_person VALUES ('london:7', '201')": (),
    "INSERT INTO ignored_site VALUES ('paris', ?, 'admin', 'it lies')": (NOW - 600,),
    "INSERT INTO do_not_call VALUES (?, ?, ?, '201', 'said so', 0)": (STRANGER, NOW - 1000, OURS),
    "INSERT INTO consent VALUES (?, ?, NULL, 'form 7', '201', '')": (CONTACT, NOW - 2000),
    "INSERT INTO own_register VALUES (?, 'main', 'sales', '201', 'a', '', '', NULL, NULL, 'active', ?, ?)": (
        OURS,
        NOW - 9 * DAY,
        NOW - 9 * DAY,
    ),
    "INSERT INTO own_grade VALUES (?, ?, 'healthy', '[]', NULL, NULL)": (OURS, NOW - 60),
    "INSERT INTO own_called VALUES (?, ?, ?, 3)": (OURS, STRANGER, int(NOW / DAY)),
    "INSERT INTO own_day (number, day, attempts, talk_seconds) VALUES (?, ?, 3, 17.25)": (OURS, int(NOW / DAY)),
    "INSERT INTO outbound_decision VALUES ('OUT1', ?, '1.1', ?, ?, ?, '201', 'allow', 'allow', 'default', '', NULL,"
    " 1.5)": (NOW - 30, STRANGER, int(NOW / DAY), OURS),
    "INSERT INTO outbound_decision VALUES ('OUT2', ?, '1.2', NULL, NULL, NULL, NULL, 'allow', 'allow', 'default', '',"
    " NULL, 1.5)": (NOW - 29,),
    "INSERT OR REPLACE INTO policy_in_force VALUES (1, 'office', 'abc', ?)": (NOW,),
    "INSERT INTO talk VALUES (?, '201', ?)": (TALKED, NOW - 3000.5),
    "INSERT INTO identity VALUES (?, 'Our bank', 2, ?, 'by letter', ?)": (CONTACT, NOW + 90 * DAY, NOW - 5),
}


def fill(db: sqlite3.Connection) -> None:
    for statement, values in ROWS.items():
        db.execute(statement, values)
    count_people(db)
    refresh_all(db, [number for number in CALLERS if number])


def rounded(value: object) -> object:
    """With instants and sums as exact as they are in JSON. The salt of the control sample is each PBX's own."""
    if isinstance(value, float):
        return round(value, 4)
    if is_dataclass(value):
        return type(value), [rounded(getattr(value, field.name)) for field in fields(value) if field.name != "salt"]
    return [rounded(item) for item in value] if isinstance(value, tuple | list) else value


def stored(site: Site, kind: Kind) -> list[object]:
    """Return the exchanged rows of a kind."""
    rows = site.rows(f"SELECT {', '.join(kind.columns)} FROM {kind.name} WHERE {kind.counts}")
    return sorted((rounded(row) for row in rows), key=repr)


def facts(site: Site, number: str | None, endpoint: str | None) -> Facts:
    """All that a decision reads."""
    found = site.read(
        facts_of, FactsQuery(stored_number(number) if number else None, AuthClass.UNKNOWN, DID, NOW, endpoint)
    )
    return found._replace(ties=tuple(sorted(found.ties, key=repr)))


def decided(site: Site, caller: str | None) -> Decision:
    """Return the decision with the policy of the site's settings."""
    loaded = site.loaded
    call = call_of(Question(caller or "anonymous", DID), site_of(loaded.settings))
    with open_store(loaded.store_path) as db:
        return opinion_of(situation_about(db, call, NOW, SettingsFacts.of(loaded)), policies_of(loaded)).decision


def assert_alike(first: Site, second: Site) -> None:
    for kind in STANDBY:
        assert (kind.name, stored(second, kind)) == (kind.name, stored(first, kind))
    for caller in CALLERS:
        assert rounded(decided(second, caller)) == rounded(decided(first, caller))
        for endpoint in (None, "PJSIP/201", "PJSIP/202"):
            assert rounded(facts(second, caller, endpoint)) == rounded(facts(first, caller, endpoint))
    assert second.rows(STANDINGS) == first.rows(STANDINGS)


@pytest.fixture
def first(hub: TestHub) -> Site:
    site = hub.join("berlin", private=True)
    site.exchange()
    site.write(fill)
    for reporter in ("201", "202", "203"):
        site.mark(BAD, reporter, NOW - 60, group=f"group {reporter}")
        site.mark(APPEALED, reporter, NOW - 60)
    return site


def test_every_kind_of_row_is_tested(first: Site) -> None:
    assert [kind.name for kind in STANDBY if not stored(first, kind)] == []


def test_standby_has_all_facts_of_the_first(first: Site) -> None:
    second = standby_of(first)
    first.exchange()
    second.exchange()
    assert_alike(first, second)
    assert facts(second, FRIEND, "PJSIP/201").ties  # the compared rows exist
    assert facts(second, APPEALED, None).reputation.appeal == "AP1"


def test_changes_and_deletions_reach_the_standby(first: Site) -> None:
    second = standby_of(first)
    first.exchange()
    second.exchange()
    for kind in STANDBY:
        first.write(lambda db, name=kind.name: db.execute(f"DELETE FROM {name}"))
    first.exchange()
    second.exchange()
    assert [kind.name for kind in STANDBY if stored(second, kind)] == [
        "policy_in_force"
    ]  # the first sends it by itself
    first.write(fill_again)
    first.exchange()
    second.exchange()
    assert_alike(first, second)


def fill_again(db: sqlite3.Connection) -> None:
    for statement, values in ROWS.items():
        if any(f"INTO {kind.name} " in statement for kind in STANDBY):
            db.execute(statement, values)
    count_people(db)
    refresh_all(db, [number for number in CALLERS if number])


def test_own_settings_of_the_standby_stay(first: Site) -> None:
    second = standby_of(first)
    second.write(lambda db: db.execute("INSERT INTO person VALUES ('201', 'PJSIP/9', NULL, NULL, 'A', 'settings')"))
    first.exchange()
    second.exchange()
    assert second.rows("SELECT endpoint FROM person WHERE extension = '201'") == [("PJSIP/9",)]
    first.write(lambda db: db.execute("DELETE FROM person"))
    first.exchange()
    second.exchange()
    assert second.rows("SELECT extension, endpoint FROM person") == [("201", "PJSIP/9")]


def test_standby_knows_the_policy_of_the_first(first: Site) -> None:
    second = standby_of(first)
    first.exchange()
    second.exchange()
    assert second.read(recorded_policy) == policy_in_force(second.loaded)
    first.config.write_text(first.config.read_text() + '[policy]\nname = "strict"\n')
    first.exchange()
    second.exchange()
    there, here = second.read(recorded_policy), policy_in_force(second.loaded)
    assert there is not None
    assert here is not None
    assert (there.name, there == policy_in_force(first.loaded), there == here) == ("strict", True, False)


def test_standby_rows_reach_no_other_site(hub: TestHub, first: Site) -> None:
    london, center = hub.join("london"), hub.join("center", is_central=True)
    hub.settle()
    for site in (london, center):
        assert [kind.name for kind in STANDBY if stored(site, kind)] == []


def test_standby_goes_on_when_the_first_is_killed(hub: TestHub, first: Site) -> None:
    second = standby_of(first)
    with running(first) as process:
        wait_until(lambda: not first.read(has_outgoing))
        first.write(lambda db: db.execute("UPDATE personal_entry SET verdict = 'block', at = ?", (NOW - 1,)))
        wait_until(lambda: not first.read(has_outgoing))
        process.kill()
        process.wait()
    second.exchange()
    assert_alike(first, second)
    # It is now the site, and its rows go back to the first when that returns.
    second.write_settings({"private": True})
    second.write(lambda db: db.execute("DELETE FROM personal_entry WHERE number = ?", (ENEMY,)))
    second.mark(STRANGER, "201", NOW - 1)
    second.exchange()
    first.write_settings({"standby": True, "private": True})
    first.exchange()
    assert_alike(second, first)
    assert first.marks(STRANGER) == {"201": "spam"}
