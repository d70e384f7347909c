"""The first steps after an installation. Until all are done, the console shows these steps instead of empty tables."""

import sqlite3
from dataclasses import dataclass

from callsieve.doctor.stored_findings import NAME as ROOTS_DOCTOR
from callsieve.health import STATES, CheckStatus, ScreeningState, SystemHealth
from callsieve.settings import Settings
from callsieve.wiring import people_of
from reputation.store.calls import first_decision
from reputation.store.lists import has_entries
from reputation.store.people import all_people
from reputation.store.sources import feed_sources
from reputation.weights import DAY_SECONDS
from reputation.wording import Wording

OBSERVE_SECONDS = 7 * DAY_SECONDS  # enough calls to judge a policy by
SHOWN_DAYS = 14  # after the first call


@dataclass(frozen=True, slots=True)
class SetupStep:
    """A step after the installation. `words`: the state that the step reaches.

    `remedy`: a command, or a manual action; empty if the step is done on the page at `path`. `path`: the console's page
    for the step, or empty.
    """

    words: Wording
    is_done: bool
    remedy: str | Wording = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class FirstRun:
    """The first steps after an installation. `choose_at`: when to choose a policy; None before the first call."""

    steps: tuple[SetupStep, ...]
    choose_at: float | None

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.is_done for step in self.steps)


def first_run(
    db: sqlite3.Connection, health: SystemHealth, screening: ScreeningState, settings: Settings, now: float
) -> FirstRun | None:
    """Return the first steps. None if all steps are done, or if the first call came more than SHOWN_DAYS ago."""
    first_at, _ = first_decision(db, 1)
    if first_at is not None and now - first_at > SHOWN_DAYS * DAY_SECONDS:
        return None
    has_call = first_at is not None
    check_by_name = {check.name: check for check in health.checks}

    def is_ok(name: str) -> bool:
        return name in check_by_name and check_by_name[name].status is CheckStatus.OK

    def remedy(name: str, fallback: str) -> str | Wording:
        return check_by_name[name].remedy or fallback if name in check_by_name else fallback

    # A trunk may have been disconnected since then.
    is_connected = is_ok("trunks") if screening is ScreeningState.UNKNOWN else STATES[screening].is_connected
    is_connected = is_connected or (has_call and screening is not ScreeningState.NOT_CONNECTED)
    install = "callsieve asterisk install"
    people = {person.extension for person in (*all_people(db), *people_of(settings))}
    steps = (
        SetupStep(
            Wording("Asterisk's manager interface shows CallSieve how calls end"),
            is_ok("manager login"),
            remedy("manager login", install),
        ),
        SetupStep(
            Wording("A trunk sends its calls through CallSieve"),
            is_connected,
            remedy("trunks", "callsieve setup"),
        ),
        SetupStep(
            Wording("People and their numbers are imported from the PBX"),
            bool(people),
            remedy("people", "callsieve import people --from asterisk"),
        ),
        SetupStep(
            Wording("A test call was seen"),
            has_call,
            Wording("call one of your numbers from outside: the call appears below"),
        ),
        SetupStep(
            Wording("The regular check of Asterisk as root runs"),
            health.is_known and ROOTS_DOCTOR not in check_by_name,
            "systemctl enable --now callsieve-doctor.timer",
        ),
        SetupStep(
            Wording("A list or a feed of numbers exists"),
            has_entries(db) or bool(feed_sources(db)),
            path="/lists",
        ),
    )
    choose_at = first_at + OBSERVE_SECONDS if first_at is not None else None
    return None if all(step.is_done for step in steps) else FirstRun(steps, choose_at)
