"""Convert settings into the values that other packages take: site, policies, people and numbers."""

import sqlite3

from agi.display import Display
from agi.parsing import did_of
from agi.site import Site, Trunk
from agi.speech import ENGLISH, MANDARIN
from callsieve.integration_settings import alert_receiver
from callsieve.policy_selection import running_name
from callsieve.settings import Loaded, Settings
from callsieve.text.times import day, when_with_zone
from policies.loader import load_policy
from policies.outbound import PASSAGE_BY_WORD, OutboundRules
from policies.policy import PolicyScope, PolicySet
from policies.situation import ScreeningHours
from reputation.events import EventKind
from reputation.law.loader import hours_by_law, shipped_laws
from reputation.model import Did, Person
from reputation.numbers import number_of
from reputation.own.hours import USUAL, CallingHours, Hours, QuietHours, daily, parse_spans
from reputation.store.people import own_numbers


def site_of(settings: Settings) -> Site:
    """Return the PBX's regions, trunks and DIDs in the form that the call path needs."""
    region = settings.numbers.region
    trunks = tuple(
        Trunk(t.name, t.channels, t.region or region, t.trusted, t.reject, t.verstat) for t in settings.trunk
    )
    actions = settings.actions
    return Site(
        region=region,
        trunks=trunks,
        route=actions.route,
        hours=screening_hours_of(settings),
        display=_display_of(settings),
        ask=actions.ask,
        language=actions.language,
        appeal=actions.appeal,
        appeal_address=settings.public.address if settings.public.enabled and settings.public.in_answers else "",
        hears=bool(settings.speech.model),
        match_withheld=settings.numbers.match_withheld,
        outbound=outbound_rules_of(settings),
    )


def calling_hours_of(settings: Settings) -> CallingHours:
    """Return the hours in which people may be called. A region in [[hours]] replaces the hours of its law file."""
    outbound = settings.outbound
    usual = daily(outbound.first_hour, outbound.last_hour, "the settings")
    local, advised = map(dict, hours_by_law()) if outbound.local_rules else ({}, {})
    if usual != USUAL:  # where a law has only the usual hours, the settings' narrower hours count
        local = {key: rows for key, rows in local.items() if not all(_is_usual(row) for row in rows)}
    if outbound.follow_advice:
        local, advised = local | advised, {}
    for table in settings.hours:
        weekdays, saturday, sunday = map(parse_spans, (table.weekdays, table.saturday, table.sunday))
        region = table.region.upper()
        # Replace the hours of the country's states too, which are recognised by the start of their numbers.
        for known in (local, advised):
            for key in [key for key, rows in known.items() if rows[0].area.partition("-")[0] == region]:
                del known[key]
        local[region] = (Hours(weekdays, saturday, sunday, "the settings"),)
    zone = settings.reputation.quiet.time_zone
    return CallingHours(usual=usual, local=local, advised=advised, home_zones=(zone,) if zone else ())


def _is_usual(hours: Hours) -> bool:
    return (hours.weekdays, hours.saturday, hours.sunday) == (USUAL.weekdays, USUAL.saturday, USUAL.sunday)


def outbound_rules_of(settings: Settings) -> OutboundRules:
    """Return the rules of the outbound guard, which checks outgoing calls."""
    outbound = settings.outbound
    return OutboundRules(
        observe=outbound.observe,
        do_not_call=outbound.do_not_call,
        resting=outbound.resting,
        at_risk=PASSAGE_BY_WORD[outbound.at_risk],
        hours=calling_hours_of(settings),
        laws=shipped_laws() if outbound.local_rules else (),
        registers=outbound.registers,
        needs_consent=outbound.needs_consent,
        calls_per_person_day=outbound.calls_per_person_day,
        calls_per_number_hour=outbound.calls_per_number_hour,
        calls_per_number_day=outbound.calls_per_number_day,
        calls_per_young_number_day=outbound.calls_per_young_number_day,
        day=day,
        when=when_with_zone,
    )


def _display_of(settings: Settings) -> Display:
    display = settings.display
    own = {ENGLISH: display.en, MANDARIN: display.zh}
    return Display(display.language, display.characters, {language: own[language] for language in own if own[language]})


def screening_hours_of(settings: Settings) -> ScreeningHours:
    """Return the times that change screening: quiet hours and the emergency window."""
    own = {person.extension: person.quiet_hours for person in settings.person if person.quiet_hours is not None}
    return ScreeningHours(QuietHours.of(settings.reputation.quiet, own), 60.0 * settings.emergency.window_minutes)


def regions_of(site: Site) -> set[str]:
    """Return the regions in whose number formats callers' numbers may arrive."""
    return {site.region, *(trunk.region for trunk in site.trunks)}


def policies_of(loaded: Loaded) -> PolicySet:
    """Return the policies of the PBX and of its scopes. Raise PolicyError if any of these policies is unusable."""
    settings, directories = loaded.settings, loaded.policy_directories
    region = settings.numbers.region
    scopes = tuple(
        PolicyScope(
            load_policy(scope.policy, directories),
            did_of(scope.did, region) if scope.did else None,
            scope.trunk,
            scope.group,
        )
        for scope in settings.scope
    )
    return PolicySet(load_policy(running_name(loaded), directories), scopes)


def people_of(settings: Settings) -> list[Person]:
    """Return the people in the settings. The default endpoint of a person is PJSIP/EXTENSION."""
    return [
        Person(p.extension, p.endpoint or f"PJSIP/{p.extension}", p.group, p.language, p.name) for p in settings.person
    ]


def dids_of(settings: Settings) -> list[Did]:
    """Return the DIDs in the settings."""
    region = settings.numbers.region
    return [Did(did_of(d.number, region) or d.number, d.all_groups, d.callee, d.screen, d.trap) for d in settings.did]


def own_numbers_of(settings: Settings) -> list[str]:
    """Return the numbers in the settings that our outgoing calls show."""
    region = settings.numbers.region
    numbers = [number_of(text, t.region or region) for t in settings.trunk for text in t.own_numbers]
    return sorted({number for number in numbers if number is not None})


def wanted_events_of(settings: Settings) -> dict[str, tuple[EventKind, ...]]:
    """Return the kinds of events that each receiver wants, by the receiver's name."""
    everything = tuple(EventKind)
    wanted = {f"webhook/{table.name}": table.events or everything for table in settings.webhook}
    if settings.mqtt.host:
        wanted["mqtt"] = settings.mqtt.events or everything
    if settings.mail.host:
        digest = (EventKind.DIGEST_READY,) if settings.digest.to else ()
        wanted["mail"] = tuple(dict.fromkeys((*settings.mail.events, *digest)))
    wanted |= {f"notify/{table.name}": table.events for table in settings.notify}
    wanted |= {alert_receiver(alert.name, to): (alert.event,) for alert in settings.alert for to in alert.to}
    return wanted


def known_own_numbers(db: sqlite3.Connection, loaded: Loaded) -> frozenset[str]:
    """Return all own numbers: those registered in the store, those in the settings, and the DIDs."""
    dids = (did.number for did in dids_of(loaded.settings))
    return frozenset((*own_numbers(db), *own_numbers_of(loaded.settings), *dids))
