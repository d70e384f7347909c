"""Applying rows of other sites: in any order, repeated, and hostile ones."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reputation.facts import FactsQuery
from reputation.model import AuthClass, Identity, ListName
from reputation.numbers import stored_number
from reputation.store.database import open_store
from reputation.store.facts import facts_of
from reputation.store.hub.incoming import apply_row, apply_rows, expel_some
from reputation.store.hub.link import Link, link_of, noted_checksums, refused_rows, set_link, stored_checksums
from reputation.store.hub.outgoing import fill_next, start_capture, stop_capture
from reputation.store.hub.rows import KINDS, MICROSECONDS, NO_NUMBER, SharedRow, Unusable
from reputation.store.hub.statements import settle_all
from reputation.store.identities import remove_identity, set_identity
from reputation.store.lists import add_entry, list_entries, remove_entry
from reputation.store.marks import Tombstone, add_mark, add_tombstone
from reputation.store.transaction import rehearsal, transaction
from tests.reputation.store_builders import CALLER, NOW, make_entry, make_mark

NOBODY: frozenset[str] = frozenset()
NUMBERS = (CALLER, "+12015550124")
AT_US = int(NOW * MICROSECONDS)
# The tables that are equal at two sites that got the same rows, in any order.
EVIDENCE = {
    name: f"SELECT {', '.join(kind.columns)} FROM {name} ORDER BY {', '.join(kind.columns[: 1 + len(kind.key)])}"
    for name, kind in KINDS.items()
    if not kind.is_private
}
STANDING = "SELECT * FROM standing ORDER BY number, auth_class"


def make_row(kind: str = "mark", **fields: Any) -> SharedRow:
    known: dict[str, Any] = {
        "mark": ('["unknown",0,"201"]', '{"verdict":"spam","channel":"cli","category":"","linkedid":""}'),
        "signal": ('["unknown",0,"201","long-talk"]', '{"linkedid":"7.1"}'),
        "answered": ('["unknown",0,"201"]', ""),
        "challenge": ('["unknown",0,"7.2"]', '{"did":"+442071838750","result":"passed"}'),
        "tombstone": ('["","CASE1"]', ""),
        "identity": ("[]", '{"name":"Bank","level":2,"expires_at":1798000000.0}'),
        "list_entry": ('["block","exact",""]', '{"action":null,"note":"","expires_at":null}'),
        "epoch": ("[1]", '{"reason":"sold"}'),
        "published_policy": ('["office"]', '{"text":"extends = \\"strict\\"\\n","note":""}'),
    }
    key, payload = known[kind]
    row = SharedRow(kind, "berlin", CALLER, key, payload, "", AT_US, 1, False)._replace(**fields)
    return row if KINDS[kind].number else row._replace(number=NO_NUMBER)


def link(site: str = "london") -> Link:
    return Link(site, "main", "hub", (0, 0), (0, 0), 0, "", None, None, None, "")


def apply(path: Path, rows: list[SharedRow], follow: frozenset[str] = NOBODY, site: str = "london") -> int:
    """Apply rows and return how many were unusable."""
    refused = 0
    with open_store(path) as db:
        with transaction(db):
            if link_of(db) is None:
                set_link(db, site, "main", "hub")
                start_capture(db)
        while rows:
            with transaction(db):
                done, bad = apply_rows(db, link(site), rows, follow, 1.0)
            rows, refused = rows[done:], refused + bad
    return refused


def content(path: Path) -> dict[str, list[Any]]:
    with open_store(path) as db:
        return {name: db.execute(sql).fetchall() for name, sql in (EVIDENCE | {"standing": STANDING}).items()}


def versions() -> st.SearchStrategy[SharedRow]:
    """Versions of few rows, so that they meet. A version of an origin always has the same content."""

    def row(kind: str, origin: str, number: str, version: int, deleted: bool) -> SharedRow:
        verdict = ("spam", "ok", "retracted")[version % 3]
        made = make_row(kind, origin=origin, number=number, version=version, at_us=AT_US + version, deleted=deleted)
        return made._replace(payload=made.payload.replace("spam", verdict)) if kind == "mark" else made

    kinds = st.sampled_from([name for name in EVIDENCE])
    origins = st.sampled_from(["berlin", "paris"])
    return st.builds(row, kinds, origins, st.sampled_from(NUMBERS), st.integers(1, 4), st.booleans())


@settings(max_examples=25)
@given(rows=st.lists(versions(), min_size=1, max_size=12), data=st.data())
def test_order_and_repetition_of_rows_do_not_matter(
    rows: list[SharedRow], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # What a site says in one version it says once, and a deletion wins.
    folder = tmp_path_factory.mktemp("order")
    again = data.draw(st.permutations([*rows, *data.draw(st.lists(st.sampled_from(rows), max_size=6))]))
    follow = data.draw(st.sampled_from([NOBODY, frozenset({"berlin"}), frozenset({"berlin", "paris"})]))
    for name, order in (("first.db", rows), ("second.db", list(again))):
        assert apply(folder / name, order, follow) == 0
    assert content(folder / "first.db") == content(folder / "second.db")
    for path in (folder / "first.db", folder / "second.db"):
        with open_store(path) as db:
            shared = stored_checksums(db, "london")
            assert shared == {kind: sums for kind, sums in noted_checksums(db).items() if kind in shared}
            assert db.execute("SELECT count(*) FROM hub_outbox").fetchone() == (0,)


@settings(max_examples=25)
@given(rows=st.lists(versions(), min_size=1, max_size=12))
def test_an_expelled_site_leaves_no_rows(rows: list[SharedRow], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("expel")
    both, one = folder / "both.db", folder / "one.db"
    follow = frozenset({"berlin", "paris"})
    apply(both, rows, follow)
    apply(one, [row for row in rows if row.origin == "paris"], follow)
    with open_store(both) as db, transaction(db):
        while expel_some(db, link(), "berlin", follow, 3):
            pass
    assert content(both) == content(one)


def anything() -> st.SearchStrategy[Any]:
    """Any JSON value that a column must not hold."""
    odd = [
        0,
        -1,
        1.5,
        1 << 31,
        1 << 62,
        10**400,
        1e308,
        float("inf"),
        float("nan"),
        True,
        None,
        [],
        {},
        [[1]],
        {"a": 1},
    ]
    texts = ["", " ", "x", "201", "a:b", "london:201", "paris:1", "-", "\0", "\x1b[2J", "\ud800", "\u202e", "x" * 5000]
    return st.sampled_from([*odd, *texts, AT_US, NOW, "spam", "exact", "block", "+1", CALLER])


@st.composite
def hostile_rows(draw: st.DrawFn) -> SharedRow:
    """Rows of any kind. Most of their columns may be valid as far as the table says."""
    kind = draw(st.sampled_from(list(KINDS.values())))
    fine = {name: st.sampled_from(sorted(values, key=str)) for name, values in kind.allowed.items()}
    fine |= {kind.at: st.sampled_from([AT_US, AT_US + 1])} if kind.at else {}
    likely = st.sampled_from(["", "201", "7.1", 1, 2, NOW])

    def value(column: str) -> Any:
        return draw(st.one_of(fine.get(column, likely), fine.get(column, likely), anything()))

    key, said, own = (json.dumps(shape) for shape in (
        [value(column) for column in kind.key],
        {column: value(column) for column in kind.shared},
        {column: value(column) for column in kind.own},
    ))  # fmt: skip
    return SharedRow(
        draw(st.sampled_from([kind.name] * 9 + ["", "sqlite_schema"])),
        draw(st.sampled_from(["berlin"] * 5 + ["paris", "", "LONDON", "a:b", "x" * 99])),
        draw(st.sampled_from([CALLER] * 5 + ["-", "", "+1", "\n", "9" * 99])),
        draw(st.sampled_from([key] * 9 + ["", "{", "null", "[" * 3000])),
        draw(st.sampled_from([said] * 9 + ["", "[]", "null", "[" * 3000])),
        draw(st.sampled_from(["", own])),
        draw(st.sampled_from([AT_US] * 5 + [0, -1, 1 << 62, AT_US * 3])),
        draw(st.sampled_from([1, 2, 3, (1 << 63) - 1, -1])),
        draw(st.booleans()),
    )


OURS = """
SELECT 'mark', number, reporter, verdict, at FROM mark WHERE instr(reporter, ':') = 0 UNION ALL
SELECT 'list', first, list, action, added_at FROM list_entry UNION ALL
SELECT 'identity', number, name, level, added_at FROM identity UNION ALL
SELECT 'talk', number, person, '', at FROM talk WHERE instr(person, ':') = 0 UNION ALL
SELECT 'challenge', number, linkedid, result, at FROM challenge WHERE instr(linkedid, ':') = 0 UNION ALL
SELECT 'person', '', extension, endpoint, 0 FROM person UNION ALL
SELECT 'stone', number, reporter, case_id, until FROM tombstone WHERE instr(case_id, ':') = 0
"""


def test_rows_made_private_leave_the_outbox(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db:
        with transaction(db):
            set_link(db, "london", "main", "hub")
            start_capture(db, private=True)
            add_mark(db, make_mark(at=NOW))
            db.execute("INSERT INTO talk VALUES (?, '201', ?)", (CALLER, NOW))
        waits = "SELECT kind FROM hub_outbox UNION SELECT kind FROM hub_fill"
        assert {"mark", "talk"} <= {kind for (kind,) in db.execute(waits)}
        with transaction(db):
            start_capture(db, private=False)
        kinds = {kind for (kind,) in db.execute(waits)}
        assert "mark" in kinds
        assert not any(KINDS[kind].is_private for kind in kinds)


@settings(max_examples=150)
@given(rows=st.lists(hostile_rows(), min_size=1, max_size=16), follows=st.booleans())
def test_hostile_rows_change_no_own_row(
    rows: list[SharedRow], follows: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each is written, or refused and counted: at once, when its site is followed, and when it is expelled."""
    follow = frozenset({"berlin"}) if follows else NOBODY
    with open_store(tmp_path_factory.mktemp("hostile") / "callsieve.db") as db:
        with transaction(db):
            set_link(db, "london", "main", "hub")
            start_capture(db, private=True)
            add_mark(db, make_mark(at=NOW))
            set_identity(db, Identity(CALLER, "Bank", 2, NOW + 1000, "letter"), NOW)
            add_entry(db, make_entry(CALLER, list_name=ListName.BLOCK))
            add_tombstone(db, Tombstone(CALLER, "202", "CASE", NOW))
            db.execute("INSERT INTO talk VALUES (?, '201', ?)", (CALLER, NOW))
        before = db.execute(OURS).fetchall()
        with transaction(db):
            done, refused = apply_rows(db, link(), rows, follow, 60.0)
        assert done == len(rows)
        assert sum(row.rows for row in refused_rows(db)) == refused
        for more in (frozenset({"berlin", "paris"}), NOBODY):
            with transaction(db):
                settle_all(db, "london", more)
                stored_checksums(db, "london")
        ours = db.execute(OURS).fetchall()
        facts_of(db, FactsQuery(stored_number(CALLER), AuthClass.UNKNOWN, None, NOW))
        with transaction(db):
            for origin in ("berlin", "paris"):
                expel_some(db, link(), origin, NOBODY, 100)
        assert ours == before == db.execute(OURS).fetchall()


@pytest.mark.parametrize(
    "row",
    [
        make_row("list_entry", key='["block","range",7]'),
        make_row("list_entry", payload='{"action":null,"note":"","expires_at":"never"}'),
        make_row("list_entry", payload='{"action":null,"note":"","expires_at":"1798000000"}'),
        make_row("list_entry", payload='{"action":null,"note":7,"expires_at":null}'),
        make_row("identity", payload='{"name":"Bank","level":"high","expires_at":1798000000.0}'),
        make_row("epoch", key='["first"]'),
        make_row("mark", key='["unknown",0,201]'),
        make_row("tombstone", key="[7,8]"),
    ],
    ids=lambda row: f"{row.kind} {row.key} {row.payload}",
)
@pytest.mark.parametrize("follow", [NOBODY, frozenset({"berlin"})], ids=["a stranger", "followed"])
def test_a_column_of_the_wrong_type_is_refused_at_once(tmp_path: Path, row: SharedRow, follow: frozenset[str]) -> None:
    """And not only when its site is followed."""
    assert apply(tmp_path / "callsieve.db", [row], follow) == 1
    with open_store(tmp_path / "callsieve.db") as db, transaction(db):
        settle_all(db, "london", frozenset({"berlin"}))
        assert db.execute("SELECT count(*) FROM hub_row").fetchone() == (0,)


def test_a_call_named_like_a_person_is_accepted(tmp_path: Path) -> None:
    """A central console gets calls of other sites, and the person is declared to be an own one."""
    row = make_row("challenge", key='["unknown",0,"201"]')
    with open_store(tmp_path / "callsieve.db") as db, transaction(db):
        set_link(db, "london", "main", "hub")
        db.execute("INSERT INTO same_person VALUES ('berlin:201', '305')")
        db.execute("INSERT INTO same_person VALUES ('305', '305')")
        assert apply_rows(db, link(), [row], NOBODY, 9.0) == (1, 0)


WRITES: dict[str, Callable[[sqlite3.Connection], None]] = {
    "mark": lambda db: add_mark(db, make_mark(at=NOW)),
    "tombstone": lambda db: add_tombstone(db, Tombstone(CALLER, "201", "CASE", NOW)),
    "identity": lambda db: set_identity(db, Identity(CALLER, "Bank", 2, NOW + 1000, "letter"), NOW),
    "list_entry": lambda db: add_entry(db, make_entry(CALLER, list_name=ListName.BLOCK)),
}


class TestCapture:
    """Own writes are captured once, in their transaction."""

    @pytest.fixture
    def db(self, tmp_path: Path) -> Any:
        with open_store(tmp_path / "callsieve.db") as db:
            with transaction(db):
                set_link(db, "london", "main", "hub")
                start_capture(db)
            while self.fill(db):
                pass
            yield db

    @staticmethod
    def fill(db: sqlite3.Connection) -> bool:
        with transaction(db):
            return fill_next(db, 10)

    @staticmethod
    def noted(db: sqlite3.Connection) -> list[tuple[str, str]]:
        return db.execute("SELECT kind, number FROM hub_outbox ORDER BY seq").fetchall()

    @pytest.mark.parametrize("kind", WRITES)
    def test_a_row_is_captured_once(self, db: sqlite3.Connection, kind: str) -> None:
        for _ in range(2):
            with transaction(db):
                WRITES[kind](db)
        assert self.noted(db) == [(kind, CALLER)]

    def test_a_rolled_back_write_is_not_captured(self, db: sqlite3.Connection) -> None:
        with rehearsal(db):
            WRITES["mark"](db)
        assert self.noted(db) == []

    def test_rows_of_other_sites_are_not_captured(self, db: sqlite3.Connection) -> None:
        with transaction(db):
            add_mark(db, make_mark(at=NOW, reporter="berlin:201"))
            db.execute("DELETE FROM mark")
        assert self.noted(db) == []

    def test_stopped_capture_notes_nothing(self, db: sqlite3.Connection) -> None:
        with transaction(db):
            stop_capture(db)
            WRITES["mark"](db)
        assert self.noted(db) == []

    def test_earlier_rows_are_sent_when_capture_starts(self, db: sqlite3.Connection) -> None:
        with transaction(db):
            stop_capture(db)
            for last in range(25):
                add_mark(db, make_mark(number=f"+120155501{last:02}", at=NOW))
            add_mark(db, make_mark(at=NOW, reporter="berlin:201"))
            assert start_capture(db)
            assert not start_capture(db)
        while self.fill(db):
            pass
        assert sorted(self.noted(db)) == [("mark", f"+120155501{last:02}") for last in range(25)]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(make_row(kind="mark")._replace(kind="decision"), id="a-kind-of-later"),
        pytest.param(make_row(origin="Berlin; DROP"), id="no-site"),
        pytest.param(make_row(number="+1" * 40), id="a-long-number"),
        pytest.param(make_row(number="+1201\x07"), id="a-control-character"),
        pytest.param(make_row(key="[]"), id="no-key"),
        pytest.param(make_row(key="{"), id="no-json"),
        pytest.param(make_row(key='["unknown",0,"paris:201"]'), id="a-person-of-another-site"),
        pytest.param(make_row(key='["nonsense",0,"201"]'), id="another-class"),
        pytest.param(make_row(key='["unknown",null,"201"]'), id="no-epoch"),
        pytest.param(make_row(key=f'["unknown",{1 << 70},"201"]'), id="a-large-integer"),
        pytest.param(make_row(payload="[]"), id="no-object"),
        pytest.param(make_row(payload='{"verdict":"spam"}'), id="a-column-is-missing"),
        pytest.param(make_row(payload=make_row().payload.replace("spam", "evil")), id="another-verdict"),
        pytest.param(make_row(payload=make_row().payload.replace("cli", "pigeon")), id="another-channel"),
        pytest.param(make_row(payload=make_row().payload.replace('"spam"', "{}")), id="an-object-in-it"),
        pytest.param(make_row(at_us=-1), id="before-time"),
        pytest.param(make_row(at_us=1 << 62), id="after-time"),
        pytest.param(make_row("signal", key='["unknown",0,"201","best-friend"]'), id="another-signal"),
        pytest.param(make_row("identity", payload='{"name":"Bank","level":9,"expires_at":1.0}'), id="another-level"),
        pytest.param(make_row("list_entry", key='["gone","exact",""]'), id="another-list"),
        pytest.param(make_row("list_entry", key='["block","range","x"]'), id="no-range"),
    ],
)
def test_unusable_rows_are_left_out(tmp_path: Path, row: SharedRow) -> None:
    path = tmp_path / "callsieve.db"
    follow = frozenset({"berlin"})
    assert apply(path, [row, make_row("answered")], follow) == 1
    found = content(path)
    assert {name for name, rows in found.items() if rows} == {"answered"}


def test_an_unknown_column_of_a_newer_site_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "callsieve.db"
    row = make_row()
    assert apply(path, [row._replace(payload=row.payload.replace("{", '{"colour":"red",'))]) == 0
    assert len(content(path)["mark"]) == 1


class TestStatements:
    """Identities, list entries and the like count only from followed sites, and own ones win."""

    def apply(self, path: Path, *rows: SharedRow, follow: frozenset[str] = frozenset({"berlin"})) -> list[Any]:
        assert apply(path, list(rows), follow) == 0
        return content(path)["identity"]

    def test_an_identity_of_an_unfollowed_site_is_not_applied(self, tmp_path: Path) -> None:
        assert self.apply(tmp_path / "callsieve.db", make_row("identity", origin="paris")) == []

    def test_an_identity_of_a_followed_site_is_applied(self, tmp_path: Path) -> None:
        ((number, name, *_),) = self.apply(tmp_path / "callsieve.db", make_row("identity"))
        assert (number, name) == (CALLER, "Bank")

    def test_an_own_identity_wins(self, tmp_path: Path) -> None:
        path = tmp_path / "callsieve.db"
        with open_store(path) as db, transaction(db):
            set_identity(db, Identity(CALLER, "Our bank", 1, NOW + 1000, ""), NOW)
        ((_, name, *_),) = self.apply(path, make_row("identity"))
        assert name == "Our bank"

    def test_a_removed_identity_stays_removed_until_a_new_version(self, tmp_path: Path) -> None:
        path = tmp_path / "callsieve.db"
        self.apply(path, make_row("identity"))
        with open_store(path) as db, transaction(db):
            remove_identity(db, CALLER)
        assert self.apply(path, make_row("identity")) == []
        assert len(self.apply(path, make_row("identity", version=2))) == 1

    def test_a_withdrawn_identity_is_removed(self, tmp_path: Path) -> None:
        path = tmp_path / "callsieve.db"
        self.apply(path, make_row("identity"))
        assert self.apply(path, make_row("identity", version=2, deleted=True)) == []

    def test_a_list_entry_matches_until_it_is_withdrawn(self, tmp_path: Path) -> None:
        path = tmp_path / "callsieve.db"
        entry = make_row("list_entry", number="+1201", key='["block","prefix",""]')
        self.apply(path, entry)
        with open_store(path) as db:
            assert [found.first for found in list_entries(db)] == ["+1201"]
            assert db.execute("SELECT prefix FROM list_prefix").fetchall() == [("+1201",)]
        self.apply(path, entry._replace(version=2, deleted=True))
        with open_store(path) as db:
            assert db.execute("SELECT prefix FROM list_prefix").fetchall() == []
            assert remove_entry(db, make_entry("+1201*")) is None

    def test_a_tombstone_covers_only_its_site(self, tmp_path: Path) -> None:
        ours = make_mark(at=NOW - 10)
        for name, follow, left in (("a.db", NOBODY, 1), ("b.db", frozenset({"berlin"}), 0)):
            path = tmp_path / name
            with open_store(path) as db, transaction(db):
                add_mark(db, ours)
            apply(path, [make_row(at_us=AT_US - 10), make_row("tombstone")], follow)
            with open_store(path) as db:
                (found,) = db.execute("SELECT coalesce(max(reporters), 0) FROM standing").fetchone()
            assert found == left


def test_an_unusable_row_names_its_column(tmp_path: Path) -> None:
    with open_store(tmp_path / "callsieve.db") as db, transaction(db), pytest.raises(Unusable, match="auth_class"):
        apply_row(db, "london", make_row(key='["nonsense",0,"201"]'), NOBODY)


def test_an_appeal_of_an_older_version_is_refused_then_converges(tmp_path: Path) -> None:
    """The first PBX of a site sends `in force` until it is upgraded, and then sends the row again."""
    payload = (
        '{"name":"Bo","contact":"bo@example.com","statement":"","decision_id":null,"state":"in_force","proven":1,'
        '"in_force_at":1.0,"closed_at":null,"reason":"","category_only":0}'
    )
    row = SharedRow("appeal", "london", CALLER, '["AP1"]', payload, "", AT_US, 2, False)
    standby = tmp_path / "callsieve.db"
    old = row._replace(payload=payload.replace('in_force"', 'in force"', 1), version=1)
    assert apply(standby, [old]) == 1
    assert apply(standby, [row]) == 0
    with open_store(standby) as db:
        assert db.execute("SELECT state FROM appeal").fetchall() == [("in_force",)]
