"""The doctor's checks of past calls: whether calls were screened, and whether callers' numbers were readable."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

from callsieve.doctor.finding import NONE, CheckContext, Finding, and_more, fail, ok, warn
from callsieve.doctor.trunk_numbers import numbers_left_out
from callsieve.pbx.cli_client import ConsoleError
from callsieve.settings import Loaded
from callsieve.text.times import when
from reputation.numbers import masked
from reputation.store.audit import latest_of
from reputation.store.calls import Screened, screened_by_number, unreadable_callers
from reputation.wording import Places, Wording, listed

DAY = 86_400.0
LOOKED_BACK_SECONDS = 7 * DAY
# Each restart of the daemon misses a call or two, which is no fault.
MISSED_SHARE = 0.01
MOST_NAMED = 3
# With fewer calls, half of them may be of one automated caller.
FEW_CALLERS = 10
CALLERS_LOOKED_AT = 200
# If none of this many calls of a carrier had a verstat, the carrier sends it in no call.
SILENT_CALLS = 50


def are_decided(context: CheckContext) -> Finding:
    """Check that each incoming call of the last days has a decision, unless screening was off."""
    try:
        off = context.off_until or 0
    except ConsoleError:
        off = 0
    if off > context.now:
        return ok(Wording("not checked while screening is off"))
    return context.judge_store(lambda db, now: _judged_calls(db, now, float(off), partial(_left_out, context)))


def _left_out(context: CheckContext) -> frozenset[str]:
    settings = context.loaded.settings
    regions = {settings.numbers.region, *(trunk.region for trunk in settings.trunk if trunk.region)}
    try:
        return numbers_left_out(context.dialplan, regions)
    except ConsoleError:
        return frozenset()


def can_read_callers(context: CheckContext) -> Finding:
    """Check that the numbers of recent callers could be parsed with the numbering plan of the right country."""
    return context.judge_store(lambda db, now: _judged_callers(db, now, context.loaded))


def receives_verstat(context: CheckContext) -> Finding:
    """Check that each carrier that should send `verstat` has done so since the daemon started."""
    checking = [trunk.name for trunk in context.loaded.settings.trunk if trunk.verstat]
    telemetry = context.telemetry
    if not checking or telemetry is None:
        return ok(NONE)
    counts_by_trunk = {name: telemetry.by_carrier.get(name, (0, 0)) for name in checking}
    silent = [
        name for name, (calls, with_verstat) in counts_by_trunk.items() if not with_verstat and calls >= SILENT_CALLS
    ]
    if not silent:
        with_verstat = [_heard_of(name, *counts) for name, counts in counts_by_trunk.items()]
        return ok(listed(with_verstat, "{some}; {more}"))
    return warn(
        _heard_of(silent[0], *counts_by_trunk[silent[0]]),
        Wording(
            "check whether verstat is in From or P-Asserted-Identity (`pjsip set logger on`). If it is in another "
            "header, name this header with CALLSIEVE_VERSTAT_HEADER. If it is in no header, ask the carrier, or "
            "remove `verstat = true` from {trunk}",
            {"trunk": silent[0]},
        ),
    )


def _heard_of(trunk: str, calls: int, with_verstat: int) -> Wording:
    counts: Places = {"trunk": trunk, "said": with_verstat, "calls": calls}
    return Wording("{trunk}: {said:,} of {calls:,} calls since the daemon's start came with a verstat value", counts)


def _judged_callers(db: sqlite3.Connection, now: float, loaded: Loaded) -> Finding:
    calls, unreadable = unreadable_callers(db, now - LOOKED_BACK_SECONDS, CALLERS_LOOKED_AT)
    if not calls:
        return ok(NONE)
    counts: Places = {"unreadable": unreadable, "calls": calls}
    about = Wording("{unreadable:,} of the last {calls:,} callers had no readable number", counts)
    if calls < FEW_CALLERS or unreadable * 2 <= calls:
        return ok(about)
    where: Places = {"file": str(loaded.settings_file), "region": loaded.settings.numbers.region}
    return warn(
        about,
        Wording(
            "{file}: `region` in [numbers] is {region}: set `region` to your country, then systemctl restart callsieve",
            where,
        ),
    )


def _judged_calls(
    db: sqlite3.Connection, now: float, on_since: float, left_out: Callable[[], frozenset[str]]
) -> Finding:
    """Return a finding that says how many incoming calls since `on_since` have decisions.

    `on_since`: the end of the last `callsieve off --for`. `left_out`: returns the numbers to ignore.
    """
    switched_on = max(on_since, *(entry.row.at for entry in latest_of(db, ("on",), 1)), now - LOOKED_BACK_SECONDS)
    numbers = screened_by_number(db, switched_on, now)
    if any(entry.missed for entry in numbers):
        chosen = left_out()
        numbers = [entry for entry in numbers if entry.did not in chosen]
    calls, missed = sum(entry.calls for entry in numbers), sum(entry.missed for entry in numbers)
    if not calls:
        return ok(NONE)
    counts: Places = {"decided": calls - missed, "calls": calls}
    about = Wording("{decided:,} of {calls:,} inbound calls of the last 7 days have a decision", counts)
    if switched_on > now - LOOKED_BACK_SECONDS:
        counts = {**counts, "since": when(switched_on)}
        about = Wording("{decided:,} of {calls:,} inbound calls since {since} have a decision", counts)
    remedy = Wording('see the checks "trunks" and "DIDs"; watch `asterisk -rvvv` while you call one of the DIDs')
    if now_missed := [entry for entry in numbers if entry.is_missed_now]:
        return fail(
            Wording(
                "{about}; recent calls to these numbers have none: {numbers}",
                {"about": about, "numbers": _named(now_missed)},
            ),
            remedy,
        )
    if missed > MISSED_SHARE * calls:
        missing = [entry for entry in numbers if entry.missed]
        was = Wording("check whether screening was off or the daemon was stopped: the daemon's log shows when it ran")
        return warn(
            Wording(
                "{about}; some calls to these numbers have none: {numbers}",
                {"about": about, "numbers": _named(missing)},
            ),
            was,
        )
    return ok(about)


def _named(numbers: Sequence[Screened]) -> Wording:
    wordings = [
        Wording(
            "{number} ({missed} of {calls} calls, last {when})",
            {
                "number": masked(entry.did),
                "missed": entry.missed,
                "calls": entry.calls,
                "when": when(entry.missed_at or 0.0),
            },
        )
        for entry in numbers
    ]
    first = listed(wordings[:MOST_NAMED], "{some}; {more}")
    return and_more(first if isinstance(first, Wording) else Wording(first), len(wordings[MOST_NAMED:]))
