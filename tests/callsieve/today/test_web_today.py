"""Today: what needs somebody, what was done, and calls as they happen."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from socket import SOCK_STREAM
from typing import Any
from urllib.parse import quote

import pytest

from callsieve.calls.live import (
    MOST_OF_USER,
    MOST_WAITING,
    MOST_WATCHERS,
    SPANS,
    LiveCalls,
    activity_shown,
    probable_mistakes,
)
from callsieve.doctor.checks import checks_of
from callsieve.doctor.stored_findings import findings_of, store_findings
from callsieve.health import Check, CheckStatus
from callsieve.main.capabilities import ALL
from callsieve.main.console_server import make_app, make_app_state
from callsieve.text.times import ago
from callsieve.web.app_state import AppState
from callsieve.web.i18n import translations_of
from callsieve.web.rendering import STALE_SECONDS, Cache
from callsieve.web.store_client import StoreClient
from callsieve.web.tokens import hash_of, new_token
from lab.ports import free_port
from policies.reasons import Reason, Why
from reputation.appeals import Appeal, AppealStep
from reputation.control_sample import SampledCalls
from reputation.model import AuthClass, Challenged, ChallengeResult, Direction, Disposition, EndedBy, Voice
from reputation.outcome import OutcomeRecord
from reputation.own.suspicion import Network, Suspicion
from reputation.store.activity import busy_blocks, rising_numbers, sampled_calls
from reputation.store.appeals import open_appeal, take_step
from reputation.store.audit import audit_rows
from reputation.store.calls import CallRow
from reputation.store.confirmations import Confirmation, put_confirmation
from reputation.store.evidence import settle_challenge
from reputation.store.lists import Contact, add_contacts
from reputation.store.marks import add_mark
from reputation.store.outcomes import record_outcome
from reputation.store.own_health import record_suspicions
from reputation.store.own_labels import LabelCheck, put_label_check
from reputation.store.site import record_emergency
from reputation.store.transcripts import Transcript, record_transcript
from reputation.store.users import (
    Lifetime,
    end_session,
    remove_user,
    sessions_of,
    set_password,
    set_role,
    start_session,
)
from reputation.users import Role, Session
from reputation.wording import Wording
from tests.callsieve.browsing import NOW, SETTINGS, Console, Office, changes_of
from tests.callsieve.console_calls import CALLER, DID, add_calls, add_ending, make_decision, make_ending
from tests.reputation.store_builders import make_mark

DAY = 86_400.0
OWN = "+12025550100"
MACHINE, PASSED = "+12015550177", "+12015550178"
A_CALL = CallRow(
    "X",
    NOW,
    "l",
    CALLER,
    "number",
    None,
    None,
    "allow",
    "allow",
    "r",
    "r",
    "none",
    0.0,
    None,
    None,
    None,
    None,
    None,
    None,
)


def make_calls(office: Office, number: str, ages: list[float], action: str = "allow") -> None:
    """Calls of a number, so many seconds ago."""
    prefix = number[-4:]
    records = [
        make_decision(f"{prefix}{place:04d}", at=NOW - age, caller=number, action=action, rule=f"level-{action}")
        for place, age in enumerate(ages)
    ]
    add_calls(office, *records)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A contact that was challenged, one who was called back, a busy number, and a busy block."""
    office = Office(tmp_path)
    make_calls(office, "+12015550101", [60, 3600, 2 * DAY], "challenge")
    office.write(add_contacts, "crm", [Contact("+12015550101", "Joe")])
    make_calls(office, "+12015550102", [5 * 3600.0], "reject")
    back = OutcomeRecord(
        linkedid="back",
        at=NOW - 3600,
        direction=Direction.OUTBOUND,
        disposition=Disposition.ANSWERED,
        caller="201",
        dialled="+12015550102",
        answered_by="+12015550102",
        talk_seconds=90.0,
    )
    office.write(record_outcome, back, NOW)
    make_calls(office, "+12015550103", [100.0 * n for n in range(1, 9)], "warn")
    make_calls(office, "+12015550104", [DAY * n + 60 for n in range(8)])
    return office


def test_figures_link_to_their_calls(console: Console) -> None:
    browser = console.browser("operator")
    page = browser.text("/")
    figures = dict(re.findall(r'href="/calls\?action=(\w+)&amp;since=[^"]+"><b>([\d,]+)</b>', page))
    assert figures == {"allow": "1", "warn": "8", "challenge": "2", "reject": "1"}
    link = re.search(r'href="(/calls\?action=warn&amp;since=[^"]+)"', page)
    assert link
    found = browser.text(link[1].replace("&amp;", "&"))
    assert len(re.findall(r'<tr id="call-', found)) == 8


def mistakes_on(page: str) -> list[str]:
    """The numbers that the page lists as probably wrong, with a button each."""
    return [unescape(number) for number in re.findall(r'name="number" value="([^"]+)"', page)]


def test_probable_mistakes_show_evidence_for_the_number(console: Console) -> None:
    page = console.browser("operator").text("/")
    assert mistakes_on(page) == ["+12015550101", "+12015550102"]
    needs = page.partition('id="needs"')[2].partition("</section>")[0]
    assert re.search("Joe.*contact.*called.* back", needs, re.DOTALL)
    masked = console.browser("viewer").text("/")
    assert "+1201*****01" in masked
    assert "Joe" not in masked
    assert mistakes_on(masked) == []


@pytest.mark.parametrize("way", ["allow", "confirm"])
def test_one_click_settles_a_mistake(console: Console, way: str) -> None:
    browser = console.browser("operator")
    path, fields = {
        "allow": ("/numbers/+12015550101/allow", {"back": "/", "note": "wanted"}),
        "confirm": ("/calls/confirm", {"number": "+12015550101"}),
    }[way]
    assert mistakes_on(browser.text("/")) == ["+12015550101", "+12015550102"]
    page = browser.done(path, **fields).text
    assert mistakes_on(page) == ["+12015550102"]
    assert "call-01010000" not in browser.text("/calls?view=wrong&since=7d")
    [row] = console.office.read(audit_rows)
    assert (row.what, row.number) == ({"allow": "list add", "confirm": "calls confirm"}[way], "+12015550101")
    [change_id] = re.findall(r'action="/changes/undo".*?name="id" value="(\d+)"', page, re.DOTALL)
    browser.done("/changes/undo", id=change_id, back="/")
    assert mistakes_on(browser.text("/")) == ["+12015550101", "+12015550102"]


def test_later_call_is_a_probable_mistake_again(office: Office) -> None:
    office.write(put_confirmation, Confirmation("+12015550101", NOW - 30, "ada"))
    assert [mistake.number for mistake in office.read(probable_mistakes, NOW - DAY)] == ["+12015550102"]
    add_calls(office, make_decision("LATER000", at=NOW - 10, caller="+12015550101"))
    assert [mistake.number for mistake in office.read(probable_mistakes, NOW - DAY)] == ["+12015550101", "+12015550102"]


def test_failed_challenge_with_a_message_is_a_mistake(office: Office) -> None:
    """Preset `strangers`; who passed rang, and is no mistake."""
    for number, result in ((MACHINE, ChallengeResult.MESSAGE), (PASSED, ChallengeResult.PASSED)):
        asked = make_decision(f"A{number[-7:]}", at=NOW - 300, caller=number, rule="stranger", level="none")
        add_calls(office, asked)
        did = Challenged(number, AuthClass.UNKNOWN, DID, result, NOW - 301, asked.linkedid)
        office.write(settle_challenge, did)
    found = [mistake.number for mistake in office.read(probable_mistakes, NOW - DAY)]
    assert (MACHINE in found, PASSED in found) == (True, False)


def test_figures_are_compared_with_the_week_before(office: Office) -> None:
    make_calls(office, "+12015550109", [7 * DAY + 60, 7 * DAY + 120], "reject")
    make_calls(office, "+12015550108", [7 * DAY + 60], "warn")
    for word, before in {"day": 2, "week": 2, "month": 0}.items():
        assert office.read(activity_shown, SPANS[word], NOW).stopped_before == before


def test_each_hour_links_to_its_calls(console: Console) -> None:
    browser = console.browser("operator")
    links = re.findall(r'href="(/calls\?since=[^"]+until=[^"]+)"', browser.text("/"))
    assert len(links) == 24
    found = sum(len(re.findall(r'<tr id="call-', browser.text(unescape(link)))) for link in links)
    assert found == 12


def appeal(reference: str, at: float) -> Appeal:
    return Appeal(
        reference=reference,
        number=f"+120155502{reference[-2:]}",
        name="Carol",
        contact="c@example.com",
        opened_at=at,
        statement="no",
    )


def test_due_appeals_and_own_numbers_are_listed(office: Office) -> None:
    found = Suspicion(Network("US"), "answered", 0.41, 0.18, 900, 300, 0.9991)
    office.write(record_suspicions, OWN, [found], NOW - 600)
    office.write(put_label_check, LabelCheck(OWN, "Hiya", NOW - DAY, "", next_at=NOW))
    for reference, at in (("AP000001", NOW - 30 * DAY), ("AP000002", NOW)):
        office.write(open_appeal, appeal(reference, at))
        office.write(take_step, reference, AppealStep.ACCEPT, at)
    with office.console() as console:
        page, masked = (console.browser(role).text("/") for role in ("operator", "viewer"))
    assert 'href="/appeals/AP000001"' in page
    assert f'href="/own/{quote(OWN)}"' in page
    assert "US: 18% of the calls in the last 7 days were answered" in page
    assert "check again what Hiya shows" in page
    assert OWN not in masked


SAMPLE = Why(Reason.DEFAULT, cap=Reason.CONTROL_SAMPLE).kept


def test_the_cost_of_the_control_sample_is_counted(office: Office) -> None:
    sampled = [
        make_decision(f"ABCDEF0{n}", at=NOW - 60 * n, action="allow", rule="level-warn", reason=SAMPLE)
        for n in range(1, 5)
    ]
    add_calls(office, *sampled)
    talks: tuple[dict[str, Any], ...] = (
        {"talk_seconds": 3.0, "ended_by": EndedBy.CALLEE},
        {"talk_seconds": 40.0},
        {"disposition": Disposition.NO_ANSWER, "answered_by": None},
    )
    for decision, talk in zip(sampled, talks, strict=False):
        office.write(record_outcome, make_ending(decision, **talk), NOW)
    office.write(add_mark, make_mark(CALLER, "201", at=NOW - 100))
    assert office.read(sampled_calls, NOW - DAY, NOW) == SampledCalls(4, 2, 1, 1)
    assert office.read(sampled_calls, NOW - DAY, NOW, ["level-warn"]) == SampledCalls(4, 2, 1, 1)
    assert office.read(sampled_calls, NOW - DAY, NOW, ["level-tag"]) == SampledCalls()
    assert office.read(sampled_calls, NOW - 90, NOW).calls == 1
    assert office.read(activity_shown, SPANS["day"], NOW).sample == SampledCalls(4, 2, 1, 1)
    with office.console() as console:
        browser = console.browser("operator")
        first, calls, call = (browser.text(path) for path in ("/", "/calls", "/calls/ABCDEF01"))
    assert "4 of 12 calls that were due for a warning" in first
    assert calls.count("control sample: no warning") == 4
    assert "to the control sample" in call


def test_numbers_and_blocks_that_call_more_than_before(office: Office) -> None:
    rising = office.read(rising_numbers, NOW - DAY, NOW, 5)
    assert [(item.number, item.calls, item.before, item.action) for item in rising] == [
        ("+12015550103", 8, 0.0, "warn")
    ]
    assert [tuple(block) for block in office.read(busy_blocks, NOW - DAY, NOW, 5)] == [("+12015550", 12, 4)]


def test_service_numbers_are_in_no_block(office: Office) -> None:
    for number in ("+8695588", "+8695566", "+8695533", "+8695511"):
        make_calls(office, number, [60, 120, 180, 240])
    assert [block.block for block in office.read(busy_blocks, NOW - DAY, NOW, 1)] == ["+12015550"]


@pytest.mark.parametrize("word", SPANS)
def test_every_span_counts_each_of_its_calls_once(office: Office, word: str) -> None:
    span = SPANS[word]
    shown = office.read(activity_shown, span, NOW)
    ages = [60, 3600, 2 * DAY, 5 * 3600, *(100.0 * n for n in range(1, 9)), *(DAY * n + 60 for n in range(8))]
    assert shown.calls == sum(NOW - age >= shown.since for age in ages)
    assert len(shown.steps) == round(span.seconds / span.step)
    assert 0 <= NOW - shown.steps[-1].at < span.step
    assert shown.totals["warn"] == 8


def test_unknown_span_shows_the_day(console: Console) -> None:
    page = console.browser("viewer").text("/?over=%27%20OR%201")
    assert 'href="/?over=day" aria-current="true"' in page


def test_an_empty_journal_says_what_to_do(tmp_path: Path) -> None:
    with Office(tmp_path).console() as console:
        page = console.browser("viewer").text("/")
    assert 'id="first-run"' in page
    assert not re.search(r'id="(activity|rising)"', page)


def test_figures_are_served_as_a_partial_page(console: Console) -> None:
    part = console.browser("viewer").text("/activity?over=week", headers={"hx-request": "true"})
    assert part.lstrip().startswith('<section class="card" id="activity" hx-get="/activity?over=week"')
    assert 'id="rising-and-blocks" hx-swap-oob="outerHTML"' in part


# What is kept.


async def test_cached_value_is_shared_until_it_expires() -> None:
    kept: Cache[int] = Cache(0.05)
    found: list[int] = []

    async def find() -> int:
        await asyncio.sleep(0.01)
        found.append(len(found))
        return len(found)

    assert await asyncio.gather(*(kept.get("a", find) for _ in range(20))) == [1] * 20
    await asyncio.sleep(0.06)
    assert await kept.get("a", find) == 1  # the old one, while a new one is found
    give_up_at = asyncio.get_running_loop().time() + 5
    while await kept.get("a", find) == 1:
        assert asyncio.get_running_loop().time() < give_up_at
        await asyncio.sleep(0.005)
    assert await kept.get("b", find) > 2
    assert STALE_SECONDS > 60


async def test_failure_is_not_cached() -> None:
    kept: Cache[int] = Cache(60)

    async def fail() -> int:
        raise OSError("the disk")

    async def find() -> int:
        return 7

    with pytest.raises(OSError, match="the disk"):
        await kept.get("a", fail)
    assert await kept.get("a", find) == 7


# Calls as they happen.


@pytest.fixture(autouse=True)
def polling_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """New calls, which the console looks for once a second."""
    monkeypatch.setattr("callsieve.calls.live.POLL_SECONDS", 0.05)


@asynccontextmanager
async def watching(office: Office) -> AsyncIterator[tuple[LiveCalls, asyncio.Queue[CallRow]]]:
    store = StoreClient(office.store)
    live = LiveCalls(store, office.clock)
    try:
        async with live.watching("vera") as calls:
            yield live, calls
    finally:
        await live.close()
        await store.close()


async def test_watcher_gets_a_call_when_decided_and_when_ended(tmp_path: Path) -> None:
    office = Office(tmp_path)
    add_calls(office, make_decision("BEF0RE00", at=NOW - 5))
    async with watching(office) as (_, calls):
        decision = make_decision("N0000000", at=NOW)
        await asyncio.to_thread(add_calls, office, decision)
        told = await asyncio.wait_for(calls.get(), 10)
        assert (told.id, told.disposition) == ("N0000000", None)
        words = Transcript(decision.id, NOW, decision.linkedid, decision.caller, "It is Tom.", "en", Voice.UNCLEAR)
        await asyncio.to_thread(office.write, record_transcript, words)
        told = await asyncio.wait_for(calls.get(), 10)
        assert (told.id, told.words) == ("N0000000", "It is Tom.")
        office.clock.now += 3600  # a long call: it began long ago
        await asyncio.to_thread(add_ending, office, make_ending(decision))
        told = await asyncio.wait_for(calls.get(), 10)
        assert (told.id, told.disposition) == ("N0000000", "answered")
        assert calls.empty()


async def test_slow_watcher_loses_the_oldest_and_delays_no_other(tmp_path: Path) -> None:
    office = Office(tmp_path)
    async with watching(office) as (live, slow):
        for number in range(MOST_WAITING + 5):
            live.send(A_CALL._replace(id=str(number)))
        assert slow.qsize() == MOST_WAITING
        assert slow.get_nowait().id == "5"


async def test_number_of_watchers_is_limited(tmp_path: Path) -> None:
    office = Office(tmp_path)
    store = StoreClient(office.store)
    live = LiveCalls(store, office.clock)
    watchers = [live.watching(f"user-{n}") for n in range(MOST_WATCHERS)]
    for watcher in watchers:
        await watcher.__aenter__()
    full_with_all = live.is_full("vera")
    await watchers.pop().__aexit__(None, None, None)
    assert (full_with_all, live.is_full("vera")) == (True, False)
    for watcher in watchers:
        await watcher.__aexit__(None, None, None)
    await live.close()
    await store.close()


async def test_number_of_watchers_of_one_user_is_limited(tmp_path: Path) -> None:
    office = Office(tmp_path)
    store = StoreClient(office.store)
    live = LiveCalls(store, office.clock)
    async with AsyncExitStack() as stack:
        for _ in range(MOST_OF_USER):
            assert not live.is_full("vera")
            await stack.enter_async_context(live.watching("vera"))
        assert (live.is_full("vera"), live.is_full("otto")) == (True, False)
    await live.close()
    await store.close()


async def test_missing_store_does_not_stop_the_live_calls(tmp_path: Path) -> None:
    office = Office(tmp_path)
    async with watching(office) as (live, calls):
        office.store.rename(office.store.with_suffix(".away"))
        await live.poll(send=True)
        office.store.with_suffix(".away").rename(office.store)
        await asyncio.to_thread(add_calls, office, make_decision("N0000000", at=NOW))
        assert (await asyncio.wait_for(calls.get(), 10)).id == "N0000000"


# Whoever watches.


@asynccontextmanager
async def stream(office: Office, query: bytes = b"") -> AsyncIterator[tuple[AppState, asyncio.Queue[str]]]:
    """What the browser of the operator is told by /live; "" when it ends."""
    token, told = new_token(), asyncio.Queue[str]()
    session = Session(hash_of(token), "otto", NOW, NOW, "192.0.2.7", "test")
    office.write(start_session, session, Lifetime(3600.0, 43200.0))
    cookies = [(b"host", b"localhost"), (b"cookie", f"callsieve={token}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/live", "raw_path": b"/live", "query_string": query}
    scope |= {"headers": cookies, "scheme": "http", "server": ("localhost", 80), "client": ("192.0.2.7", 50000)}

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()  # the browser stays
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if "body" in message:
            told.put_nowait(bytes(message["body"]).decode())  # type: ignore[call-overload]

    state = make_app_state(office.load, office.clock)
    task = asyncio.ensure_future(make_app(state)(scope, receive, send))  # type: ignore[arg-type]
    try:
        assert await asyncio.wait_for(told.get(), 10) == "retry: 3000\n\n"
        yield state, told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await state.close()


async def next_event(office: Office, told: asyncio.Queue[str], call_id: str) -> str:
    """What is told when a call has come."""
    await asyncio.to_thread(add_calls, office, make_decision(call_id, at=office.clock.now))
    return await asyncio.wait_for(told.get(), 10)


def logged_out(db: sqlite3.Connection) -> None:
    for session in sessions_of(db, "otto"):
        end_session(db, session.token)


ENDINGS = [
    pytest.param(logged_out, 20.0, id="logged-out"),
    pytest.param(lambda db: remove_user(db, "otto"), 20.0, id="removed"),
    pytest.param(lambda db: set_role(db, "otto", Role.VIEWER), 20.0, id="less-rights"),
    pytest.param(lambda db: set_password(db, "otto", "x", NOW), 20.0, id="another-password"),
    pytest.param(lambda _db: None, 13 * 3600.0, id="expired"),
]


@pytest.mark.parametrize(("change", "later"), ENDINGS)
async def test_logged_out_user_no_longer_gets_calls(
    tmp_path: Path, change: Callable[[sqlite3.Connection], None], later: float
) -> None:
    office = Office(tmp_path)
    async with stream(office) as (_, told):
        assert "call-BEF0RE00" in await next_event(office, told, "BEF0RE00")
        await asyncio.to_thread(office.write, change)
        office.clock.now += later
        assert await next_event(office, told, "AFTER000") == "event: over\ndata:\n\n"
        assert await asyncio.wait_for(told.get(), 10) == ""


async def test_watching_keeps_the_session_alive(tmp_path: Path) -> None:
    office = Office(tmp_path)
    async with stream(office) as (_, told):
        for hour in range(1, 5):
            office.clock.now = NOW + hour * 1500.0
            assert f"call-N000000{hour}" in await next_event(office, told, f"N000000{hour}")
            give_up_at = asyncio.get_running_loop().time() + 10
            while office.read(sessions_of, "otto")[0].seen_at < office.clock.now:
                assert asyncio.get_running_loop().time() < give_up_at
                await asyncio.sleep(0.01)


async def test_stream_of_a_site_contains_only_its_calls(tmp_path: Path) -> None:
    office = Office(tmp_path)
    async with stream(office, b"site=berlin") as (_, told):
        for call_id, linkedid in (("0URS0000", "9.1"), ("L0ND0N00", "london:9.1"), ("BER1IN00", "berlin:9.1")):
            await asyncio.to_thread(add_calls, office, make_decision(call_id, at=office.clock.now, linkedid=linkedid))
        assert "call-BER1IN00" in await asyncio.wait_for(told.get(), 10)


def test_page_of_one_site_shows_only_its_calls(tmp_path: Path) -> None:
    """Its figures, its calls and its links; a site that is not there is no site."""
    office = Office(tmp_path)
    for n, site in enumerate(("", "berlin:", "berlin:", "london:")):
        add_calls(office, make_decision(f"S1TE000{n}", at=NOW - 60, linkedid=f"{site}9.{n}", action="warn"))
    shown = {site: office.read(activity_shown, SPANS["day"], NOW, site) for site in ("", "berlin", "paris")}
    assert {site: item.calls for site, item in shown.items()} == {"": 4, "berlin": 2, "paris": 0}
    assert shown["berlin"].totals == {"warn": 2}
    with office.console() as console:
        page, of_none = (console.browser("viewer").text(f"/?site={site}") for site in ("berlin", "paris"))
    assert ("call-S1TE0001" in page, "call-S1TE0003" in page, "call-S1TE0000" in page) == (True, False, False)
    assert 'data-live="/live?site=berlin"' in page
    assert 'href="/calls?site=berlin"' in page
    assert 'hx-get="/activity?over=day&amp;site=berlin"' in page
    assert 'data-live="/live"' in of_none


async def test_stream_ends_if_the_session_cannot_be_checked(tmp_path: Path) -> None:
    office = Office(tmp_path)
    async with stream(office) as (state, told):
        office.store.rename(office.store.with_suffix(".away"))
        office.clock.now += 20
        state.service(LiveCalls).send(A_CALL)
        assert await asyncio.wait_for(told.get(), 10) == ""


# Commands, paths, names and settings, which are the same in every language.
AS_TYPED = re.compile(r"callsieve[\w.-]*(?: [a-z]+)*|systemctl \S+|--[a-z]+|root|\S*/\S*|\[\w+\]|cautious|DID")


def store(office: Office, checks: Iterable[Check], age: float) -> None:
    """As root's doctor did, so long ago in real time: checks are not made by the console's clock."""
    path, at = office.load().findings_path, time.time() - age
    path.parent.mkdir()
    store_findings(path, findings_of([replace(check, at=at) for check in checks], at, at))


def details_of(page: str) -> list[str]:
    return [re.sub("<[^>]*>", " ", text) for text in re.findall(r'<span class="detail">(.*?)</li>', page)]


def test_health_of_every_part_is_shown_in_chinese(office: Office) -> None:
    port = free_port("127.0.0.1", SOCK_STREAM)  # somebody's daemon may listen on the default one
    office.config.write_text(f'{SETTINGS}[agi]\nlisten = "127.0.0.1:{port}"\n')
    with office.console() as console:
        console.wait_for_health()
        found = details_of(console.browser("viewer").text("/health", headers={"accept-language": "zh"}))
    assert len(found) > len(checks_of(ALL)) / 2, "what was not asked is one line"
    english = [
        text for text in found if re.search("[A-Za-z]{4,}", AS_TYPED.sub("", re.sub("Asterisk|CallSieve", "", text)))
    ]
    assert english == []


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_an_open_emergency_window_is_on_every_page(office: Office, role: str) -> None:
    office.write(record_emergency, NOW - 60)
    with office.console() as console:
        browser = console.browser(role)
        pages = [browser.get(path).text for path in ("/", "/calls", "/account")]
        assert all(("/emergency/close" in page) == (role == "operator") for page in pages)
        assert all("emergency window is open" in page for page in pages)
        closed = browser.post("/emergency/close")
        assert closed.status_code == (303 if role == "operator" else 403)
        assert ("emergency window is open" in browser.get("/calls").text) == (role == "viewer")
    assert (("emergency close", "otto (console)", None) in changes_of(office)) == (role == "operator")
    office.write(record_emergency, NOW + 1)
    with office.console() as console:
        browser = console.browser(role)
        browser.client.cookies.set("callsieve-language", "zh")
        assert "紧急时段" in browser.text("/")


def test_findings_of_root_are_shown_in_chinese_with_age(office: Office) -> None:
    until = Wording("screening is off {until}", {"until": Wording("until it is switched on")})
    store(office, [Check("off switch", CheckStatus.WARN, until, "callsieve on")], age=240)
    with office.console() as console:
        console.wait_for_health()
        office.clock.now = time.time()
        page = console.browser("viewer").text("/health", headers={"accept-language": "zh"})
    said = ago(0, 240).in_language(translations_of("zh").gettext)
    (found,) = [detail for detail in details_of(page) if said in detail]
    assert until.in_language(translations_of("zh").gettext) in found
    banner = re.search(r'<div class="banner off">(.*?)</div>', page, re.S)
    assert banner is not None
    assert said in banner[1]
    assert "callsieve-doctor.timer" not in page


@pytest.mark.parametrize("age", [pytest.param(None, id="never"), pytest.param(2 * 3600.0, id="long-ago")])
def test_timer_is_named_if_root_findings_are_missing(office: Office, age: float | None) -> None:
    if age is not None:
        store(office, [Check("trunks", CheckStatus.OK, "fine")], age)
    with office.console() as console:
        console.wait_for_health()
        (found,) = [text for text in details_of(console.browser("viewer").text("/health")) if "-doctor.timer" in text]
    assert ("2 h ago" in found) == (age is not None)


def test_the_console_never_asks_asterisk(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    command = f'command = "touch {asked}"'
    with Office(tmp_path, SETTINGS.replace('command = "callsieve-has-no-asterisk-here"', command)).console() as console:
        console.wait_for_health()
    assert not asked.exists()
