"""What a site says to the hub, and hears: each function is one or two statements. All raise HubError."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from callsieve.hub.postgresql import EXCEEDED, UNDEFINED, Hub, HubError
from reputation.store.hub.outgoing import Outgoing
from reputation.store.hub.rows import MICROSECONDS, MOST_POLICY, SharedRow
from reputation.store.hub.sites import SiteState

CHANNEL: Final = re.compile(r"callsieve_[0-9a-f]{32}", re.ASCII)
MOST_NOTICES: Final = 1000
LAST_ID: Final = (1 << 63) - 1

HELLO: Final = """
SELECT hub::text, organisation, site, version, now_us, xid, is_central, channel, history::text, lost_xid, told_version,
       most_rows, has_twin
  FROM callsieve.hello(%s, %s, %s, %s, %s, %s, %s)
"""
PUSH: Final = """
SELECT place, dated_us FROM callsieve.push(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
                                           %s::bigint[], %s::boolean[], %s::boolean[])
"""
# The order is that of the index: by the column `xid`, not by the integer that is made of it.
NOTICES: Final = f"""
SELECT what, subject, asked_by, extract(epoch FROM at)::float8,
       EXISTS (SELECT 1 FROM callsieve.site WHERE is_central AND name = asked_by), xid::text::bigint AS transaction, id
  FROM callsieve.notice
 WHERE organisation = (SELECT callsieve.my_organisation()) AND (xid, id) > (%s::text::xid8, %s)
   AND xid < pg_snapshot_xmin(pg_current_snapshot())
 ORDER BY xid, id LIMIT {MOST_NOTICES}
"""
# Whoever owns the database may have taken its bounds away.
MOST_CHARACTERS: Final = MOST_POLICY + 1
NEWS: Final = f"""
SELECT kind, origin, number, left(key, {MOST_CHARACTERS}), left(payload, {MOST_CHARACTERS}),
       left(own, {MOST_CHARACTERS}), at_us, version, deleted, xid, id
  FROM callsieve.news(%s::text::xid8, %s, %s::text::xid8, %s, %s, %s, %s)
"""
SITES: Final = """
SELECT name, is_central, extract(epoch FROM joined_at)::float8, extract(epoch FROM expelled_at)::float8,
       extract(epoch FROM seen_at)::float8, extract(epoch FROM pushed_at)::float8,
       extract(epoch FROM pulled_at)::float8, outbox, rows_pushed, program, offset_us / 1e6::float8,
       extract(epoch FROM clock_timestamp())::float8, rows_kept, most_rows, extract(epoch FROM twin_at)::float8
  FROM callsieve.site ORDER BY name
"""

Place = tuple[int, int]


class SiteReport(NamedTuple):
    """How we do. `run`: a word that this process has chosen; `history`: that of the hub, as it was said last;
    `has_pulled`: since the last report.
    """

    outbox: int
    program: str
    offset_us: int
    has_pulled: bool
    run: str
    is_standby: bool
    history: str | None


@dataclass(frozen=True, slots=True)
class Greeting:
    """Who we are to the hub. `version`: the latest of ours that it has; `now_us`, `xid`: its clock and transactions.

    `channel`: where it says that there is something new. `lost_xid`, `told_version`: the server is another one than
    that of the history that was reported, and may have lost transactions from there on, and what we told after that
    version. `most_rows`: so many of ours it keeps. `has_twin`: another process takes part under our name.
    """

    hub: str
    organisation: str
    site: str
    version: int
    now_us: int
    xid: int
    is_central: bool
    channel: str
    history: str
    lost_xid: int | None
    told_version: int | None
    most_rows: int
    has_twin: bool


class HubNotice(NamedTuple):
    """`erase` a number, or `expel` a site. `at`: UTC seconds by the hub's clock; `by_central`: a central site asked."""

    what: str
    subject: str
    asked_by: str
    at: float
    by_central: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came: rows with their places, and up to where there is nothing more; None: there is."""

    notices: list[HubNotice]
    rows: list[SharedRow]
    places: list[Place]
    all_to: Place | None


async def greet(hub: Hub, report: SiteReport) -> Greeting:
    """Says that we are there, and how we do."""
    (row,) = await hub.rows(HELLO, report)
    await hub.rows("SELECT callsieve.end_long_transactions()")
    return Greeting(*row)


async def listen(hub: Hub, channel: str) -> None:
    """From now on the connection hears when somebody has pushed."""
    if not CHANNEL.fullmatch(channel):
        raise HubError("the hub names no channel")
    await hub.rows(f"LISTEN {channel}")


async def stop_listening(hub: Hub) -> None:
    """It hears nothing any more."""
    await hub.rows("UNLISTEN *")


class Pushed(NamedTuple):
    """`dates`: of the rows that the hub has dated otherwise, by `seq`. `left_out`: what it has no room for."""

    dates: dict[int, int]
    left_out: frozenset[int]


async def push(hub: Hub, batch: Sequence[Outgoing]) -> Pushed:
    """Sends the rows of the batch."""
    sent = [(one.seq, one.row, one.is_private) for one in batch if one.row is not None]
    if not sent:
        return Pushed({}, frozenset())
    rows = [row for _, row, _ in sent]
    columns: tuple[list[Any], ...] = (
        [row.kind for row in rows],
        [row.number for row in rows],
        [row.key for row in rows],
        [row.payload for row in rows],
        [row.own for row in rows],
        [row.at_us for row in rows],
        [row.version for row in rows],
        [row.deleted for row in rows],
        [is_private for _, _, is_private in sent],
    )
    answer = [(*sent[place - 1][:2], dated_us) for place, dated_us in await hub.rows(PUSH, columns)]
    dates = {seq: dated_us for seq, row, dated_us in answer if dated_us is not None and 0 <= dated_us < row.at_us}
    return Pushed(dates, frozenset(seq for seq, _, dated_us in answer if dated_us is None))


async def pull(hub: Hub, rows_to: Place, notices_to: Place, limit: int, *, own: bool, private: bool) -> Pulled:
    """The next rows and notices after these places. `own`: ours as well; `private`: what only a standby needs, too."""
    places = (str(rows_to[0]), rows_to[1], str(notices_to[0]), notices_to[1])
    (_, *_, up_to, _), *found = await hub.rows(NEWS, (*places, limit, own, private))
    notices = [
        HubNotice(what, subject, by, at_us / MICROSECONDS, by_central, (xid, id))
        for what, by, subject, key, _, _, at_us, _, by_central, xid, id in found
        if key is None
    ]
    if len(notices) == MOST_NOTICES:
        return Pulled(notices, [], [], None)  # first all of them: rows may have come after an expulsion
    came = found[len(notices) :]
    rows, places_of_rows = [SharedRow(*row[:9]) for row in came], [(xid, id) for *_, xid, id in came]
    return Pulled(notices, rows, places_of_rows, None if len(rows) == limit else (up_to - 1, LAST_ID))


async def collect(hub: Hub) -> None:
    """From now on others are woken by the first row that is pushed, and by `wake` for those that follow it soon.

    A connection that lasts makes each plan of the hub's functions once.
    """
    await hub.rows("SET callsieve.collects = 'on'; SET plan_cache_mode = force_generic_plan")


async def wake(hub: Hub, seconds: float, *, private: bool) -> None:
    """Wakes all sites, unless it was done since our last push was over, so many seconds ago."""
    await hub.rows("SELECT callsieve.wake(%s, %s)", (seconds, private))


async def notices_after(hub: Hub, place: Place) -> list[HubNotice]:
    """The next of them; there are more when they are MOST_NOTICES."""
    told = await hub.rows(NOTICES, (str(place[0]), place[1]))
    return [HubNotice(what, subject, by, at, central, (xid, id)) for what, subject, by, at, central, xid, id in told]


async def erase(hub: Hub, number: str) -> None:
    """Have every site forget the number. HubError, with the code EXCEEDED where we may have no more erased today."""
    ((gone,),) = await hub.rows("SELECT callsieve.erase(%s)", (number,))
    if int(gone) < 0:
        raise HubError("the hub takes no more erasures of this site today", EXCEEDED)  # one before its migration 3


async def forget(hub: Hub, number: str) -> None:
    """Remove our own rows about a number that another site had erased."""
    try:
        await hub.rows("SELECT callsieve.forget(%s)", (number,))
    except HubError as error:
        if error.code not in UNDEFINED:  # a hub before its migration 3 has removed them itself
            raise


async def leave(hub: Hub, organisation: str, site: str, *, keep: bool) -> None:
    """We take part no more. `keep`: what we have told stays with the others until it is too old."""
    if keep:
        await hub.rows("SELECT callsieve.leave()")
    else:
        await hub.rows("SELECT callsieve.expel(%s, %s, true)", (organisation, site))


async def expire(hub: Hub, most: int) -> int:
    """Removes some of what is too old. Returns how many rows went."""
    await hub.rows("SELECT callsieve.forget_fresh()")
    ((gone,),) = await hub.rows("SELECT callsieve.expire(%s)", (most,))
    return int(gone)


async def sites(hub: Hub) -> list[SiteState]:
    """The sites of our organisation."""
    return [SiteState(*row) for row in await hub.rows(SITES)]


async def checksums(hub: Hub) -> dict[tuple[str, str], tuple[int, int]]:
    """Rows and sums of digests by kind and origin, as the hub has them."""
    found = await hub.rows("SELECT kind, origin, rows, digest FROM callsieve.checksums()")
    return {(kind, origin): (int(rows), int(digest)) for kind, origin, rows, digest in found}
