"""Views of label checks, screenshots and suspected labels, and the health check for overdue label checks."""

import sqlite3
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from callsieve.changes.describe import NumberText, number_field
from callsieve.changes.operation import Context, Refused
from callsieve.changes.paging import PageQuery, ResultPage, page_from
from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, ok, warn
from reputation.own.register import NumberState
from reputation.store import own_labels
from reputation.store.audit import last_change
from reputation.store.own_health import Suspected, suspicions_about
from reputation.store.own_register import register_of
from reputation.wording import Wording

DAY_SECONDS = 86_400.0
MOST_LOOKS = 1000


class LooksRequest(PageQuery, frozen=True, kw_only=True):
    """Filters for label checks. `due`: only checks that somebody must repeat within a day, or should have repeated."""

    due: bool = False


class OfOwnNumber(PageQuery, frozen=True, kw_only=True):
    """A request for information about one own number."""

    number: NumberText


class ScreenshotKey(msgspec.Struct, frozen=True):
    """The key of a screenshot of an own number. `digest`: the SHA-256 of the picture, in hex."""

    number: NumberText
    digest: Annotated[str, Meta(max_length=64)]


class ScreenshotContent(NamedTuple):
    """The picture of a screenshot. `kind`: `png`, `jpg` or `webp`; `content`: the picture in Base64."""

    kind: str
    content: bytes


def find_looks(db: sqlite3.Connection, context: Context, request: LooksRequest) -> ResultPage[own_labels.LabelCheck]:
    """Return the latest label check of each own number on each platform."""
    checks = own_labels.latest_label_checks(db)
    wanted = own_labels.label_checks_due(checks, context.at + DAY_SECONDS) if request.due else checks
    return page_from(wanted, request, lambda row: (row.number, row.platform), lambda row: row)


def find_looks_of(db: sqlite3.Connection, context: Context, request: OfOwnNumber) -> ResultPage[own_labels.LabelCheck]:
    """Return all label checks of one number, the latest first."""
    checks = own_labels.label_checks_of(db, number_field(context, request.number), MOST_LOOKS)
    return page_from(checks, request, lambda row: (-row.at, row.platform), lambda row: row)


def find_screenshots(
    db: sqlite3.Connection, context: Context, request: OfOwnNumber
) -> ResultPage[own_labels.Screenshot]:
    """Return the date and file of each screenshot of a number's labels, the latest first, but not the pictures."""
    screenshots = own_labels.screenshots_of(db, number_field(context, request.number), limit=MOST_LOOKS)
    return page_from(screenshots, request, lambda row: (-row.at, row.platform, row.digest), lambda row: row)


def find_screenshot(db: sqlite3.Connection, context: Context, request: ScreenshotKey) -> ScreenshotContent:
    """Return the picture of a screenshot."""
    screenshot = own_labels.screenshot_content(db, number_field(context, request.number), request.digest)
    if screenshot is None:
        raise Refused("no-such-screenshot", Wording("no such screenshot is stored for this number"))
    return ScreenshotContent(*screenshot)


def find_suspected(db: sqlite3.Connection, context: Context, request: OfOwnNumber) -> ResultPage[Suspected]:
    """Return the networks that may show a label for an own number, judged by how its calls end. Most certain first."""
    suspicions = suspicions_about(db, number_field(context, request.number))
    place = lambda row: (-row.suspicion.confidence, *row.suspicion.network, row.suspicion.by)  # noqa: E731
    return page_from(suspicions, request, place, lambda row: row)


ASKED = "own watch ask"
ASKED_LATE_SECONDS = 3 * 86_400.0  # the timer asks every morning
WATCH_TIMER = Wording("systemctl enable --now callsieve-watch.timer, or run `callsieve own watch ask` by cron")


def watches_our_numbers(context: CheckContext) -> Finding:
    """Check that no label check of an own number is days overdue, and that services are queried about own numbers."""
    can_ask = bool(context.loaded.settings.lookup)
    return context.judge_store(lambda db, now: _judge_watch(db, now, can_ask))


def _judge_watch(db: sqlite3.Connection, now: float, can_ask: bool) -> Finding:
    ours = [row for row in register_of(db) if row.state is not NumberState.RETIRED]
    asked = last_change(db, ASKED)
    if ours and can_ask and (asked is None or now - asked > ASKED_LATE_SECONDS):
        return warn(Wording("nothing checks the labels of our numbers: the timer is not running"), WATCH_TIMER)
    late = own_labels.label_checks_due(own_labels.latest_label_checks(db), now - ASKED_LATE_SECONDS)
    if late:
        return warn(
            Wording("label checks of own numbers that are days overdue: {count}", {"count": len(late)}),
            "callsieve own watch due",
        )
    return ok(Wording("own numbers whose labels are checked: {count}", {"count": len(ours)}) if ours else NONE)


CHECKS = (HealthCheck(place=450, name="mark watch", find=watches_our_numbers),)
