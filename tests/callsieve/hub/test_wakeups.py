"""Wake-ups: who is woken when, and which rows are read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from callsieve.hub.client import LAST_ID
from reputation.store.hub.rows import MICROSECONDS
from tests.callsieve.hub.sites import CALLER, Site, TestHub, running
from tests.callsieve.hub.test_hostile import PUSH, SAID, login
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
Connection = psycopg.Connection[tuple[Any, ...]]
NEWS = "SELECT kind, origin, number, key, xid, id FROM callsieve.news(%s::text::xid8, %s, '0', 0, %s, false, false)"


@pytest.fixture
def london(hub: TestHub) -> Site:
    return hub.join("london")


@pytest.fixture
def berlin(hub: TestHub) -> Iterator[Connection]:
    """A login that collects wake-ups, as a site's process does."""
    with login(hub.join("berlin")) as connection:
        connection.execute("SET callsieve.collects = 'on'")
        yield connection


@pytest.fixture
def listener(hub: TestHub) -> Iterator[Connection]:
    """A connection that hears the wake-ups of the organisation."""
    with psycopg.connect(hub.admin_address, autocommit=True) as connection:
        ((channel,),) = connection.execute("SELECT callsieve.channel_of('main')").fetchall()
        connection.execute(f"LISTEN {channel}".encode())
        yield connection


def wake_ups_on(ears: Connection, seconds: float = 0.3) -> list[str]:
    """Return the wake-ups until none has come for `seconds`."""
    found: list[str] = []
    while more := [notify.payload for notify in ears.notifies(timeout=seconds, stop_after=1)]:
        found += more
    return found


def push_rows(site: Connection, *numbers: str, private: bool = False, kind: str = "mark") -> None:
    count, at_us = len(numbers), int(time.time() * MICROSECONDS) - MICROSECONDS
    key = json.dumps(["unknown", 0, "201"])
    row = ([kind], list(numbers), [key], [SAID], [""], [at_us], [at_us], [False], [private])
    site.execute(PUSH, [column if len(column) == count else column * count for column in row])


def news(site: Connection, after: tuple[int, int] = (0, 0), most: int = 500) -> list[tuple[Any, ...]]:
    """Rows that are new, without the first that says up to where."""
    return site.execute(NEWS, (str(after[0]), after[1], most)).fetchall()[1:]


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"+1201555{start + number:04}" for number in range(count)]


class TestCollecting:
    def test_first_push_wakes_and_following_ones_wait(
        self, hub: TestHub, london: Site, berlin: Connection, listener: Connection
    ) -> None:
        for number in numbers(5):
            push_rows(berlin, number)
        assert wake_ups_on(listener) == ["berlin"]
        berlin.execute("SELECT callsieve.wake(0, false)")
        assert wake_ups_on(listener) == [""]

    def test_row_wakes_others_once(self, london: Site, berlin: Connection, listener: Connection) -> None:
        push_rows(berlin, CALLER)
        berlin.execute("SELECT callsieve.wake(0, false)")
        with login(london) as connection:
            connection.execute("SELECT callsieve.wake(60, false)")  # woken since its own push, a minute ago
        assert wake_ups_on(listener) == ["berlin"]

    def test_push_after_an_early_wake_up_wakes_again(
        self, hub: TestHub, london: Site, berlin: Connection, listener: Connection
    ) -> None:
        """Its transaction was open when the others read, so it wakes them again."""
        push_rows(berlin, CALLER)
        with login(london) as connection:
            connection.execute("SET callsieve.collects = 'on'")
            push_rows(connection, CALLER)
            connection.execute("SELECT callsieve.wake(0, false)")
        assert wake_ups_on(listener) == ["berlin", ""]

    def test_an_older_site_wakes_with_each_push(self, hub: TestHub, london: Site, listener: Connection) -> None:
        with login(london) as connection:
            for number in numbers(3):
                push_rows(connection, number)
        assert wake_ups_on(listener) == ["london"] * 3

    def test_private_rows_have_their_own_wake_up(self, london: Site, berlin: Connection, listener: Connection) -> None:
        push_rows(berlin, CALLER)
        push_rows(berlin, CALLER, private=True, kind="talk")
        assert wake_ups_on(listener) == ["berlin", "berlin/private"]

    def test_held_lock_blocks_no_push(self, london: Site, berlin: Connection, listener: Connection) -> None:
        push_rows(berlin, CALLER)
        with login(london) as held:
            held.execute("BEGIN")
            held.execute("SELECT callsieve.wake(0, false)")
            began = time.monotonic()
            push_rows(berlin, *numbers(1))
            assert time.monotonic() - began < 5.0  # the lock's own limit is ten
            assert wake_ups_on(listener) == ["berlin", "berlin"]
            held.execute("ROLLBACK")

    def test_every_row_wakes_others(self, hub: TestHub) -> None:
        """The poll interval is longer than the test."""
        london, paris = (hub.join(name, poll_seconds=60) for name in ("london", "paris"))
        hub.settle()
        with running(london), running(paris):
            for number_ in range(8):
                number = f"+120155503{number_:02}"
                paris.mark(number, "301", time.time())
                wait_until(lambda: london.marks(number) != {}, "the mark")  # noqa: B023


class TestNews:
    def test_news_are_read_in_order(self, london: Site, berlin: Connection) -> None:
        for number in numbers(12):
            push_rows(berlin, number)
        with login(london) as connection:
            found, after = [], (0, 0)
            while some := news(connection, after, most=5):
                found += some
                after = some[-1][-2:]
        assert [row[2] for row in found] == numbers(12)
        assert {row[:2] for row in found} == {("mark", "berlin")}
        assert news(berlin) == []  # its own

    def test_position_before_a_gap_reads_the_rows_behind(self, hub: TestHub, london: Site, berlin: Connection) -> None:
        push_rows(berlin, *numbers(1))
        push_rows(berlin, *numbers(200, 100))  # many at once
        push_rows(berlin, *numbers(1, 500))
        with login(london) as connection:
            found = news(connection)
            assert [row[2] for row in found] == [*numbers(1), *numbers(200, 100), *numbers(1, 500)]
            assert [row[2] for row in news(connection, found[200][-2:])] == numbers(1, 500)
        assert hub.run("SELECT count(*) FROM callsieve.fresh WHERE kind <> ''") == [(2,)]

    def test_position_inside_a_gap_reads_its_rest(self, london: Site, berlin: Connection) -> None:
        push_rows(berlin, *numbers(200))
        push_rows(berlin, *numbers(1, 500))
        with login(london) as connection:
            found = news(connection, most=150)
            found += news(connection, found[-1][-2:], most=150)
        assert [row[2] for row in found] == [*numbers(200), *numbers(1, 500)]

    def test_rows_that_are_not_fresh_form_a_gap(self, hub: TestHub, london: Site, berlin: Connection) -> None:
        push_rows(berlin, *numbers(1))
        push_rows(berlin, *numbers(1, 100))
        hub.run("UPDATE callsieve.fresh SET received_at = now() - interval '11 minutes'")
        push_rows(berlin, *numbers(1, 200))
        berlin.execute("SELECT callsieve.forget_fresh()")
        assert hub.run("SELECT number FROM callsieve.fresh WHERE kind <> ''") == [(numbers(1, 200)[0],)]
        with login(london) as connection:
            found = news(connection)
            assert [row[2] for row in found] == [*numbers(1), *numbers(1, 100), *numbers(1, 200)]
            assert [row[2] for row in news(connection, (found[1][-2], LAST_ID))] == numbers(1, 200)

    @pytest.mark.parametrize("what", ["erase", "expel"])
    def test_erased_and_expelled_rows_are_not_read(
        self, hub: TestHub, london: Site, berlin: Connection, what: str
    ) -> None:
        push_rows(berlin, CALLER)
        calls = {"erase": "erase(%s)", "expel": "expel('main', 'berlin', false)"}
        berlin.execute(f"SELECT callsieve.{calls[what]}".encode(), (CALLER,) if what == "erase" else ())
        with login(london) as connection:
            kind, origin, _number, key, *_ = news(connection)[0]
            assert (kind, origin, key, len(news(connection))) == (what, "berlin", None, 1)

    def test_row_kind_cannot_forge_a_notice(self, hub: TestHub, london: Site, berlin: Connection) -> None:
        london.mark(CALLER, "301", time.time() - 60)
        push_rows(berlin, CALLER, kind="erase")
        hub.settle()
        assert london.marks() == {"301": "spam"}

    @pytest.mark.parametrize("is_fresh", [True, False], ids=["fresh", "behind-a-gap"])
    def test_news_read_no_more_rows_than_needed(
        self, hub: TestHub, london: Site, berlin: Connection, is_fresh: bool
    ) -> None:
        """Also without statistics for the planner."""
        place = "'main', (1 + g % 600)::text::xid8, g"
        columns = f"{place}, 'mark', 'berlin', '+1201' || g, '[]', '', '', g, g, now(), false, false"
        hub.run("ALTER TABLE callsieve.evidence_row DISABLE TRIGGER USER")
        hub.run(
            "INSERT INTO callsieve.evidence_row (organisation, xid, id, kind, origin, number, key, payload, own, at_us,"
            f" version, received_at, deleted, private) SELECT {columns} FROM generate_series(1, 20000) AS g"
        )
        hub.run(f"INSERT INTO callsieve.fresh SELECT {columns} FROM generate_series(1, 20000) AS g")
        if not is_fresh:
            hub.run("UPDATE callsieve.fresh SET kind = '' WHERE (xid, id) = (SELECT max(xid::text::bigint)::text::xid8,"
                    " max(id) FROM callsieve.fresh) OR id = 19799")  # fmt: skip
        with login(london) as connection:
            for mode in ("auto", "force_generic_plan"):
                connection.execute(f"SET plan_cache_mode = {mode}".encode())
                for _ in range(2):  # the first reads catalogues
                    plan: Any = connection.execute(
                        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)"
                        " SELECT * FROM callsieve.news('300', 0, '0', 0, 5, false, false)"
                    ).fetchone()
                assert plan[0][0]["Plan"]["Actual Rows"] == 6
                assert plan[0][0]["Plan"]["Shared Hit Blocks"] < 100
