"""The SQL statements that a site runs in the hub's database. All functions raise HubError."""

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
# The order of the index: by the column `xid`, not by the integer made of it.
NOTICES: Final = f"""
SELECT what, subject, asked_by, extract(epoch FROM at)::float8,
       EXISTS (SELECT 1 FROM callsieve.site WHERE is_central AND name = asked_by), xid::text::bigint AS transaction, id
  FROM callsieve.notice
 WHERE organisation = (SELECT callsieve.my_organisation()) AND (xid, id) > (%s::text::xid8, %s)
   AND xid < pg_snapshot_xmin(pg_current_snapshot())
 ORDER BY xid, id LIMIT {MOST_NOTICES}
"""
# The owner of the database may have removed its limits: a site applies its own.
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
    """The state that a site reports to the hub. `has_pulled`: whether it has pulled all rows since its last report.

    `outbox`: how many rows wait to be sent. `offset_us`: how far the site's clock is ahead of the hub's, in
    microseconds. `run`: a random id of the process. `history`: the `history` of the last Greeting, or None.
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
    """The hub's answer to the report of a site.

    Attributes:
        version: The newest version that a row of this site has in the hub.
        now_us: The hub's clock, in microseconds.
        xid: The present transaction number of the hub's database.
        channel: The channel on which the hub announces rows.
        history: An identifier that changes if the database is replaced, for example by a backup.
        lost_xid: Set after a replacement: the new database may lack transactions from this number on.
        reported_version: Set after a replacement: the new database may lack this site's rows with a newer version.
        most_rows: How many rows of this site the hub may store.
        has_twin: Whether another process uses this site's name.
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
    reported_version: int | None
    most_rows: int
    has_twin: bool


class HubNotice(NamedTuple):
    """An instruction from the hub to every site. `order`: `erase` a number, or `expel` a site. `at`: UTC seconds."""

    order: str
    subject: str
    asked_by: str
    at: float
    by_central: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Pulled:
    """The rows and notices of one pull. `all_to`: the position up to which it is complete; None if more rows wait."""

    notices: list[HubNotice]
    rows: list[SharedRow]
    places: list[Place]
    all_to: Place | None


async def greet(hub: Hub, report: SiteReport) -> Greeting:
    """Report this site's state to the hub, and return the hub's answer."""
    (row,) = await hub.rows(HELLO, report)
    await hub.rows("SELECT callsieve.end_long_transactions()")
    return Greeting(*row)


async def listen(hub: Hub, channel: str) -> None:
    """Listen on the channel on which the hub announces rows of other sites."""
    if not CHANNEL.fullmatch(channel):
        raise HubError("the hub sent an invalid channel name: run `callsieve hub init` with this version of CallSieve")
    await hub.rows(f"LISTEN {channel}")


async def stop_listening(hub: Hub) -> None:
    """Stop listening on all channels of the hub."""
    await hub.rows("UNLISTEN *")


class Pushed(NamedTuple):
    """The result of a push. Both fields contain `seq` numbers of the outbox.

    `dates`: the corrected date by row, in microseconds. `left_out`: the rows that exceed the quota.
    """

    dates: dict[int, int]
    left_out: frozenset[int]


async def push(hub: Hub, batch: Sequence[Outgoing]) -> Pushed:
    """Send the rows of a batch to the hub. Return which dates the hub corrected, and which rows exceed the quota."""
    sent = [(entry.seq, entry.row, entry.is_private) for entry in batch if entry.row is not None]
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
    """Return the next rows (at most `limit`) and notices, after the positions `rows_to` and `notices_to`.

    `own`: include this site's rows. `private`: include rows that only standbys and the central console need.
    """
    places = (str(rows_to[0]), rows_to[1], str(notices_to[0]), notices_to[1])
    (_, *_, up_to, _), *records = await hub.rows(NEWS, (*places, limit, own, private))
    notices = [
        HubNotice(what, subject, asked_by, at_us / MICROSECONDS, by_central, (xid, id))
        for what, asked_by, subject, key, _, _, at_us, _, by_central, xid, id in records
        if key is None
    ]
    if len(notices) == MOST_NOTICES:
        return Pulled(notices, [], [], None)  # all notices first: rows may have followed an expulsion
    row_records = records[len(notices) :]
    rows, places_of_rows = [SharedRow(*row[:9]) for row in row_records], [(xid, id) for *_, xid, id in row_records]
    return Pulled(notices, rows, places_of_rows, None if len(rows) == limit else (up_to - 1, LAST_ID))


async def collect(hub: Hub) -> None:
    """Make the hub announce this connection's pushed rows at most every 0.75 s. `wake` announces the others."""
    # The second setting keeps the query plans of the hub's functions as long as the connection is open.
    await hub.rows("SET callsieve.collects = 'on'; SET plan_cache_mode = force_generic_plan")


async def wake(hub: Hub, seconds: float, *, private: bool) -> None:
    """Announce this site's new rows to all sites, unless rows were announced in the last `seconds`.

    `private`: whether only standbys and the central console need the new rows.
    """
    await hub.rows("SELECT callsieve.wake(%s, %s)", (seconds, private))


async def notices_after(hub: Hub, place: Place) -> list[HubNotice]:
    """Return the next notices after a position, at most MOST_NOTICES."""
    records = await hub.rows(NOTICES, (str(place[0]), place[1]))
    return [
        HubNotice(what, subject, asked_by, at, central, (xid, id))
        for what, subject, asked_by, at, central, xid, id in records
    ]


async def erase(hub: Hub, number: str) -> None:
    """Ask every site to erase the number. Raise HubError with the code EXCEEDED if the daily limit is reached."""
    ((removed,),) = await hub.rows("SELECT callsieve.erase(%s)", (number,))
    if int(removed) < 0:
        raise HubError(
            "this site has reached the hub's daily limit of erasures: the remaining numbers follow tomorrow", EXCEEDED
        )  # one before its migration 3


async def forget(hub: Hub, number: str) -> None:
    """Remove this site's rows about a number that another site erased."""
    try:
        await hub.rows("SELECT callsieve.forget(%s)", (number,))
    except HubError as error:
        if error.code not in UNDEFINED:  # a hub before its migration 3 has removed them itself
            raise


async def leave(hub: Hub, organisation: str, site: str, *, keep: bool) -> None:
    """Leave the hub. `keep`: whether other sites keep this site's rows until they expire."""
    if keep:
        await hub.rows("SELECT callsieve.leave()")
    else:
        await hub.rows("SELECT callsieve.expel(%s, %s, true)", (organisation, site))


async def expire(hub: Hub, most: int) -> int:
    """Remove up to `most` expired rows from the hub, and return how many were removed."""
    await hub.rows("SELECT callsieve.forget_fresh()")
    ((removed,),) = await hub.rows("SELECT callsieve.expire(%s)", (most,))
    return int(removed)


async def sites(hub: Hub) -> list[SiteState]:
    """Return the states of this organisation's sites."""
    return [SiteState(*row) for row in await hub.rows(SITES)]


async def checksums(hub: Hub) -> dict[tuple[str, str], tuple[int, int]]:
    """Return how many rows the hub has, by kind and site, and the sum of these rows' digests."""
    sums = await hub.rows("SELECT kind, origin, rows, digest FROM callsieve.checksums()")
    return {(kind, origin): (int(rows), int(digest)) for kind, origin, rows, digest in sums}
