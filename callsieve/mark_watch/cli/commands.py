"""`callsieve own watch`: the labels that platforms show for our own numbers.

`ask` queries all look-up sources at once, with a few requests to each source at a time, for at most SECONDS in total.
These queries have their own daily limit (`watch_limit`). Numbers for which a source does not answer keep their labels.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from callsieve.cli import options
from callsieve.cli.errors import CommandError, warn
from callsieve.cli.output import dim, plural, print_table, say, say_undo
from callsieve.lookups.process import asked_sources, fetch_with
from callsieve.lookups.service import AskedSource, Fetch, Unreachable
from callsieve.lookups.sources import BadAnswer, covers, limits_of
from callsieve.mark_watch import operations
from callsieve.mark_watch.operations import MOST_SCREENSHOT_BYTES, NEXT, LabelCheckRequest
from callsieve.outside.http_client import OutsideClient
from callsieve.settings import Loaded
from callsieve.system.privileges import open_named
from callsieve.text.times import day, when
from reputation.encoding import plain
from reputation.own.daily_counts import NO_NETWORKS, NetworkFileError, Networks, networks_in, percent
from reputation.own.register import NumberState
from reputation.own.suspicion import Network, confidence_text, labellers_of, place_of
from reputation.store.database import open_store
from reputation.store.lookups import SPAM, reserve
from reputation.store.own_health import find_suspicions
from reputation.store.own_labels import (
    LabelChange,
    LabelCheck,
    LabelCheckKind,
    label_checks_due,
    label_checks_of,
    latest_label_checks,
)
from reputation.store.own_register import register_of

SECONDS: Final = 120.0
AT_ONCE: Final = 4  # requests to one source: half of what calls may make at a time


class LabelAnswers(NamedTuple):
    """Label checks by look-up sources. `failures`: each source that did not answer for all numbers, with the reason."""

    checks: tuple[LabelCheck, ...]
    failures: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Round:
    source: AskedSource
    left: deque[str]
    count: int
    checks: list[LabelCheck] = field(default_factory=list)
    failure: str = ""
    in_order: asyncio.Lock = field(default_factory=asyncio.Lock)


def ask_all_sources(loaded: Loaded, numbers: Sequence[str], now: float, seconds: float = SECONDS) -> LabelAnswers:
    """Query all look-up sources about these numbers for at most `seconds`, first about those checked longest ago."""
    return asyncio.run(_ask(loaded, numbers, now, seconds))


async def _ask(loaded: Loaded, numbers: Sequence[str], now: float, seconds: float) -> LabelAnswers:
    seen = _last_seen(loaded)
    rounds = [_round(source, numbers, seen) for source in asked_sources(loaded)]
    async with OutsideClient() as client:
        fetch = fetch_with(client)
        workers = [_work(loaded, work, fetch, now) for work in rounds for _ in range(AT_ONCE)]
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*workers)
        except TimeoutError:
            for work in rounds:
                if len(work.checks) < work.count and not work.failure:
                    left = plural(work.count - len(work.checks), "number")
                    work.failure = f"the time limit was reached before the last {left}"
    failures = tuple((work.source.name, work.failure) for work in rounds if work.failure)
    return LabelAnswers(tuple(check for work in rounds for check in work.checks), failures)


def _last_seen(loaded: Loaded) -> Mapping[tuple[str, str], float]:
    with open_store(loaded.store_path) as db:
        return {(check.platform, check.number): check.at for check in latest_label_checks(db)}


def _round(source: AskedSource, numbers: Sequence[str], seen: Mapping[tuple[str, str], float]) -> _Round:
    table = source.source.table
    covered = [number for number in numbers if table.watch_limit and covers(table, number)]
    covered.sort(key=lambda number: seen.get((source.name, number), 0.0))
    return _Round(source, deque(covered), len(covered))


async def _work(loaded: Loaded, turn: _Round, fetch: Fetch, now: float) -> None:
    while turn.left and not turn.failure:
        async with turn.in_order:  # the last request of the day is for the number that waits for longest
            if not turn.left:
                return
            number = turn.left.popleft()
            may_ask = await asyncio.to_thread(_reserve, loaded, turn.source, now)
        try:
            if not may_ask:
                raise BadAnswer("the daily limit of label checks (`watch_limit`) is reached")
            turn.checks.append(await _check(turn.source, fetch, number, now))
        except (Unreachable, BadAnswer) as error:
            turn.failure = turn.failure or str(error)


async def _check(source: AskedSource, fetch: Fetch, number: str, now: float) -> LabelCheck:
    table = source.source.table
    answer = await fetch(source.source.request_about(number, source.token), table.private)
    opinion = source.source.parse_answer(number, answer.status, answer.body)
    label = (opinion.category or "spam") if opinion.verdict == SPAM else ""
    return LabelCheck(number, table.name, now, label, kind=LabelCheckKind.ASKED)


def _reserve(loaded: Loaded, source: AskedSource, now: float) -> bool:
    """Count a request to the source. Return False if its daily limit for own numbers (`watch_limit`) is reached."""
    table = source.source.table
    limits = limits_of(table)._replace(requests=table.watch_limit)
    with open_store(loaded.store_path) as db:
        return reserve(db, f"{table.name} (own numbers)", now, limits)


DAY_SECONDS = 86_400.0
NO_LABEL = "no label"


def add(
    number: Annotated[str, typer.Argument(help="An own number.")],
    platform: Annotated[
        str, typer.Argument(metavar="PLATFORM", help="Carrier, app or list that shows labels, such as Hiya or Tencent.")
    ],
    label: Annotated[
        str, typer.Option("--label", metavar="TEXT", help="Label that the platform shows. Default: none.")
    ] = "",
    count: Annotated[
        int | None, typer.Option("--count", min=0, help="How many spam reports the platform shows for the number.")
    ] = None,
    screenshot: Annotated[
        Path | None,
        typer.Option(
            "--screenshot",
            metavar="FILE",
            help="Screenshot of what the platform shows, in PNG, JPEG or WebP. CallSieve stores a copy.",
        ),
    ] = None,
    next_look: Annotated[
        str, typer.Option("--next", metavar="TIME", help="When to check again: 180d, 2026-12-31 or never.")
    ] = NEXT,
    config: options.ConfigOption = None,
) -> None:
    """Record the label that a platform shows for an own number, as you saw it on a phone or in an app."""
    picture = None if screenshot is None else operations.ScreenshotFile(screenshot.name, _read(screenshot))
    request = LabelCheckRequest(number, platform, label, count, picture, next_look)
    done = options.perform(options.settings_of(config), operations.record, request)
    shown = f"{done.look.platform} shows {done.look.label or NO_LABEL} for {done.look.number}"
    before = (
        ""
        if done.changed is None or done.changed.before is None
        else f"; at the previous check: {done.changed.before or NO_LABEL}"
    )
    say(f"{shown}{before}.")
    if done.look.next_at is not None:
        say(dim(f"Check again on {day(done.look.next_at)}."))
    say_undo(done.change_id, config)


def show(
    number: Annotated[
        str | None, typer.Argument(help="Show all checks of this number. Default: the latest checks of all numbers.")
    ] = None,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Show the latest label of each own number on each platform, or all label checks of one number."""
    loaded = options.settings_of(config)
    e164 = None if number is None else options.number_argument(number, loaded)
    with options.existing_store(loaded) as db:
        checks = latest_label_checks(db) if e164 is None else label_checks_of(db, e164)
    _show(checks, "No label check is recorded yet: callsieve own watch add NUMBER PLATFORM", as_json=as_json)


def due(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Show which label checks somebody must make within a day or should have made already."""
    with options.existing_store(options.settings_of(config)) as db:
        checks = label_checks_due(latest_label_checks(db), time.time() + DAY_SECONDS)
    _show(checks, "Nothing is due.", as_json=as_json)


def ask(as_json: options.JsonOption = False, config: options.ConfigOption = None) -> None:
    """Query every [[lookup]] about our registered numbers, and check whether imported lists contain them."""
    loaded = options.settings_of(config)
    with options.existing_store(loaded) as db:
        numbers = [own.number for own in register_of(db) if own.state is not NumberState.RETIRED]
    asked = ask_all_sources(loaded, numbers, time.time())
    for name, problem in asked.failures:
        warn(f"label checks at {name} failed: {problem}")
    noted = options.perform(loaded, operations.note_all, asked.checks, existing=True)
    if as_json:
        failures = [{"source": name, "problem": problem} for name, problem in asked.failures]
        options.print_json({"looks": noted.looks, "changed": noted.changed, "failures": failures})
        return
    say(f"Recorded {plural(len(noted.looks), 'label check')}, with {plural(len(noted.changed), 'changed label')}.")
    _show_changes(noted.changed)


def suspect(
    number: Annotated[str | None, typer.Argument(help="Only this number. Default: all registered numbers.")] = None,
    as_json: options.JsonOption = False,
    config: options.ConfigOption = None,
) -> None:
    """Show networks where fewer of an own number's calls are accepted or answered than before. They may label it."""
    loaded = options.settings_of(config)
    now = time.time()
    networks = _networks(loaded.settings.outbound.networks)
    with options.existing_store(loaded) as db:
        numbers = (
            [own.number for own in register_of(db)] if number is None else [options.number_argument(number, loaded)]
        )
        suspicions = [(own, suspicion) for own in numbers for suspicion in find_suspicions(db, own, now, networks)]
    if as_json:
        options.print_json([{"number": own, **plain(suspicion)} for own, suspicion in suspicions])
    elif suspicions:
        rows = [
            (
                *(
                    own,
                    str(place_of(suspicion.network)),
                    suspicion.by,
                    percent(suspicion.before),
                    percent(suspicion.lately),
                ),
                *(confidence_text(suspicion.confidence), _platforms(suspicion.network)),
            )
            for own, suspicion in suspicions
        ]
        heads = (
            "number",
            "network",
            "share of calls",
            "weeks before",
            "last 7 days",
            "confidence",
            "platforms that show labels",
        )
        print_table(heads, rows, keep=(0, 1, 2))
        say(
            "This is only a suspicion: other callees or another script have the same effect. Check with a "
            "phone of the network."
        )
        say(dim("The network is the holder of the number range. A number may have been ported to another network."))
    else:
        say("The calls of the last 28 days give no reason to suspect a label.")


def _networks(path: str) -> Networks:
    try:
        return networks_in(Path(path)) if path else NO_NETWORKS
    except (NetworkFileError, OSError) as error:
        raise CommandError(f"[outbound] networks: {error}") from None


def _platforms(network: Network) -> str:
    platforms = labellers_of(network)
    names = [
        suspicion.platform if suspicion.on == "network" else f"{suspicion.platform} ({suspicion.phones or 'phones'})"
        for suspicion in platforms
    ]
    return ", ".join(dict.fromkeys(names)) or "none known"


def _show_changes(changes: Iterable[LabelChange]) -> None:
    rows = [
        (
            change.number,
            change.platform,
            change.label or NO_LABEL,
            "-" if change.before is None else change.before or NO_LABEL,
        )
        for change in changes
    ]
    if rows:
        print_table(("number", "platform", "label", "before"), rows, keep=(0, 1))


def _show(checks: list[LabelCheck], nothing: str, *, as_json: bool) -> None:
    if as_json:
        options.print_json(checks)
    elif checks:
        rows = [
            (
                *(check.number, check.platform, when(check.at), check.label or NO_LABEL),
                *(
                    "" if check.marks is None else f"{check.marks:,}",
                    check.kind.value,
                    day(check.next_at) if check.next_at else "",
                ),
            )
            for check in checks
        ]
        print_table(("number", "platform", "seen", "label", "marks", "how", "again"), rows, keep=(0, 1, 2))
    else:
        say(nothing)


def _read(path: Path) -> bytes:
    try:
        with open_named(path) as file:
            return file.read(MOST_SCREENSHOT_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
