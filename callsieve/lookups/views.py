"""Look-up sources as pages, commands and the API show them, and the health check of look-ups."""

import socket
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, and_more, ok, warn
from callsieve.lookups.client import SOCKET_NAME
from callsieve.lookups.operations import compared_of
from callsieve.settings import Settings
from callsieve.source_skill import Judgement, OffReason, Skill, accuracy_of, read_reason, skill_of
from callsieve.text.times import when
from reputation.encoding import FLAT, Instant, encoded
from reputation.store import lookups
from reputation.wording import Places, Wording

SHOWN_DAYS = 30
JUDGED = {
    Judgement.TOO_FEW: Wording("too few calls for a judgement"),
    Judgement.NO_WORSE: Wording("no better than chance so far"),
    Judgement.WORSE: Wording("worse than chance: the source will be switched off within the hour"),
}


@dataclass(frozen=True, slots=True)
class LookupShown:
    """A look-up source with its use, its accuracy and its effect on calls.

    Attributes:
        daily_limit: The most requests per day; 0: no limit.
        daily_spend: The highest cost per day, in the currency of the settings; 0: no limit.
        lately: The requests to the source within 30 days, and their cost.
        compared: A comparison of the source's answers with better evidence that exists now about the same numbers.
        calls: How many calls came from numbers that the source reported as spam since `measured_since`.
        treated: How many of these calls were tagged or treated more strongly.
        failure: The last failure of the source, in words; null if it never failed.
    """

    state: Annotated[lookups.SourceState, FLAT]
    kind: str
    daily_limit: int
    daily_spend: float
    today: lookups.Usage
    lately: lookups.Usage
    compared: lookups.Compared
    skill: Skill
    calls: int
    treated: int
    failure: str | None

    @property
    def name(self) -> str:
        """The source's name in the settings."""
        return self.state.name

    @property
    @encoded
    def on(self) -> bool:
        """Whether the source is queried."""
        return self.state.off_at is None

    @property
    @encoded
    def off_why(self) -> OffReason | None:
        """Reason for switching the source off; null while it is on."""
        return None if self.state.off_why is None else read_reason(self.state.off_why)

    @property
    @encoded
    def measured_since(self) -> Instant | None:
        """The start of the period in which the source's accuracy is measured; null for all time."""
        return self.state.since or None

    @property
    def state_word(self) -> str:
        """The state in a word: `on` or `off`."""
        return "on" if self.on else "off"

    @property
    @encoded
    def would_change(self) -> int:
        """How many calls were put through without a tag although the source reports their numbers as spam."""
        return self.calls - self.treated

    @property
    def asked_text(self) -> str:
        """How many requests were sent in the last 30 days, and how many today, with the daily limit."""
        return f"{self.lately.asked:,} ({self.today.asked:,}/{self.daily_limit:,} today)"

    @property
    def cost_text(self) -> str:
        """The cost of the requests, or an empty text for a free source."""
        return f"{self.lately.cost:,.2f}" if self.lately.cost or self.daily_spend else ""

    @property
    def accuracy(self) -> Wording:
        """How often people here judged a caller as the source did, with a confidence interval: `12 of 14 (60-96 %)`."""
        return accuracy_of(self.skill)

    @property
    def right_text(self) -> str:
        """The accuracy for the terminal."""
        return str(self.accuracy)

    @property
    def changed_text(self) -> str:
        """How many calls came from numbers that the source reports as spam, and how many of them had no tag."""
        return f"{self.calls:,} ({self.would_change:,} untagged)"

    @property
    def remarks(self) -> tuple[Wording, ...]:
        """Remarks in words: why the source is off, and other facts that the columns of the table do not show."""
        remarks = []
        if self.state.off_at is not None:
            why = read_reason(self.state.off_why or "").words
            remarks.append(Wording("switched off since {when}: {why}", {"when": when(self.state.off_at), "why": why}))
        elif self.skill.judgement is not Judgement.BETTER:
            remarks.append(JUDGED[self.skill.judgement])
        if self.lately.failed and self.failure:
            places: Places = {"failed": self.lately.failed, "days": SHOWN_DAYS, "failure": Wording(self.failure)}
            remarks.append(Wording("{failed} requests failed within {days} days, the last: {failure}", places))
        if not self.state.is_outside:
            remarks.append(Wording("not independent: your marks are reported to this source"))
        return tuple(remarks)


def lookups_shown(db: sqlite3.Connection, settings: Settings, now: float) -> tuple[LookupShown, ...]:
    """Return the look-up sources that are in the settings and in the store, in the order of the settings."""
    states = {state.name: state for state in lookups.source_states(db)}
    return tuple(
        _shown(db, states[table.name], table.kind, table.daily_limit, table.daily_spend, now)
        for table in settings.lookup
        if table.name in states
    )


def _shown(
    db: sqlite3.Connection, state: lookups.SourceState, kind: str, daily_limit: int, daily_spend: float, now: float
) -> LookupShown:
    compared = compared_of(db, state)
    calls, treated = lookups.calls_of_listed(db, state.name, state.since)
    return LookupShown(
        state=state,
        kind=kind,
        daily_limit=daily_limit,
        daily_spend=daily_spend,
        today=lookups.usage_since(db, state.name, now),
        lately=lookups.usage_since(db, state.name, now - (SHOWN_DAYS - 1) * lookups.DAY_SECONDS),
        compared=compared,
        skill=skill_of(compared),
        calls=calls,
        treated=treated,
        failure=lookups.last_failure(db, state.name),
    )


ANSWERS_SECONDS = 2.0
START_LOOKUPS = Wording("systemctl enable --now callsieve-lookups, or run `callsieve lookups serve`")
RESTART_LOOKUPS = Wording("systemctl restart callsieve-lookups")
SHOW = "callsieve lookups show"
# This many failed requests of a day, if they are more than half, are reported.
FAILURES = 5


def are_made(context: CheckContext) -> Finding:
    """Check that the look-up process runs and the sources answer."""
    settings = context.loaded.settings
    if not settings.lookup:
        return ok(NONE)
    trouble = _trouble_at(str(context.loaded.state_path(SOCKET_NAME)))
    return trouble or context.judge_store(lambda db, now: _judge_sources(db, now, settings))


def _trouble_at(path: str) -> Finding | None:
    """Return the problem of the look-up process; None if the process reacts to a connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWERS_SECONDS)
        try:
            connection.connect(path)
            connection.sendall(b"\n")
            with suppress(ConnectionResetError):
                connection.recv(1)
        except (FileNotFoundError, ConnectionRefusedError):
            return warn(Wording("callers are not looked up: the look-up process is not running"), START_LOOKUPS)
        except (TimeoutError, BlockingIOError):
            return warn(Wording("callers are not looked up: the look-up process does not answer"), RESTART_LOOKUPS)
    return None


def _judge_sources(db: sqlite3.Connection, now: float, settings: Settings) -> Finding:
    states = {state.name: state for state in lookups.source_states(db) if state.in_settings}
    sources = [states[table.name] for table in settings.lookup if table.name in states]
    off = [state for state in sources if state.off_at is not None]
    if off:
        why: Places = {"source": off[0].name, "why": read_reason(off[0].off_why or "").words}
        remedy = Wording("callsieve lookups enable {source}", {"source": off[0].name})
        return warn(and_more(Wording("{source} is off: {why}", why), len(off) - 1), remedy)
    usages = [(state.name, lookups.usage_since(db, state.name, now)) for state in sources]
    failing = [(name, usage) for name, usage in usages if usage.failed >= FAILURES and 2 * usage.failed > usage.asked]
    if failing:
        name, usage = failing[0]
        failure = lookups.last_failure(db, name) or ""
        about: Places = {"source": name, "failed": usage.failed, "asked": usage.asked, "failure": Wording(failure)}
        words = Wording("{source}: {failed} of {asked} requests failed today, the last: {failure}", about)
        return warn(and_more(words, len(failing) - 1), SHOW)
    asked = sum(usage.asked for _, usage in usages)
    return ok(Wording("sources: {count}, requests today: {asked}", {"count": len(settings.lookup), "asked": asked}))


CHECKS = (HealthCheck(place=370, name="look-ups", find=are_made),)
