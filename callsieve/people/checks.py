"""Health checks of people and DIDs: all trunks, DIDs and people are described, and DIDs ring the right phones."""

from collections.abc import Container, Mapping
from difflib import get_close_matches

from callsieve.doctor.finding import NONE, CheckContext, Finding, HealthCheck, and_more, ok, warn
from callsieve.doctor.trunk_numbers import undescribed_trunks
from callsieve.pbx.cli_client import ConsoleError
from callsieve.pbx.config_files import read_text
from callsieve.wiring import dids_of, people_of
from policies.files import places_of
from reputation.model import Did
from reputation.store.calls import rang_by_number
from reputation.store.people import all_dids, all_people
from reputation.weights import DAY_SECONDS
from reputation.wording import Places, Wording, listed

LOOKED_BACK_DAYS = 30
# A phone that rang less often rang for another reason: a pickup, a day's forwarding.
LEAST_CALLS = 3
LEAST_SHARE = 0.2
WRONG_CALLEE = Wording("calls to {number} ring {phones}, but the callee in the settings is {named}")
WRONG_GROUPS = Wording("calls to {number} ring {phones}, but not all of them are in {named}")
DESCRIBE_TRUNKS = Wording("add [[trunk]] to the settings: `callsieve import people` prints the lines")
CORRECT = Wording("correct the number's [[did]] in {file}, or remove this table and run: {command}")


def knows_us(context: CheckContext) -> Finding:
    """Check that settings or imports describe all trunks, DIDs and people. People's lists and marks depend on this."""
    settings = context.loaded.settings
    dids = len({did.number for did in (*context.read_rows(all_dids), *dids_of(settings))})
    known_people = (*context.read_rows(all_people), *people_of(settings))
    people = len({person.extension for person in known_people})
    counts = (
        (len(settings.trunk), Wording("1 trunk"), Wording("{n} trunks", {"n": len(settings.trunk)})),
        (dids, Wording("1 DID"), Wording("{n} DIDs", {"n": dids})),
        (people, Wording("1 person"), Wording("{n} people", {"n": people})),
    )
    words = listed([single if count == 1 else many for count, single, many in counts], "{some}, {more}")
    if not settings.trunk:
        if settings.ami.username and not people:
            guessed = Wording("{known}: phones are guessed from names such as PJSIP/201", {"known": words})
            return warn(guessed, context.take_over)
        if context.is_freepbx and people:  # there every channel without a phone's name is a trunk
            return ok(listed([one if count == 1 else many for count, one, many in counts[1:]], "{some}, {more}"))
        nobody = Wording("{known}; no caller can be authenticated, because no [[trunk]] is described", {"known": words})
        return warn(nobody, DESCRIBE_TRUNKS)
    trunks = _undescribed_trunks(context, {person.endpoint for person in known_people if person.endpoint})
    if trunks:
        missing: Places = {"known": words, "trunks": listed(trunks[:4], "{some}, {more}")}
        nameless = Wording(
            "{known}; channels treated as phones, because no [[trunk]] describes them: {trunks}", missing
        )
        return warn(nameless, DESCRIBE_TRUNKS)
    return ok(words)


def _undescribed_trunks(context: CheckContext, phones: Container[str]) -> list[str]:
    """Return the trunks without a [[trunk]] entry. Empty if Asterisk does not answer, which another check reports."""
    try:
        return undescribed_trunks(context, phones)
    except ConsoleError:
        return []


def are_people(context: CheckContext) -> Finding:
    """Check that the callee of each DID is a person in the settings or in an import."""
    settings, file = context.loaded.settings, context.loaded.settings_file
    people = {person.extension for person in (*context.read_rows(all_people), *people_of(settings))}
    named = [(index, did.callee) for index, did in enumerate(settings.did) if did.callee is not None]
    unknown = [(index, callee) for index, callee in named if callee not in people]
    if not unknown:
        return ok(Wording("the callee of each DID is a known person")) if named else ok(NONE)
    index, callee = unknown[0]
    line = places_of(read_text(file) or "").line_of(("did", index, "callee"))
    where = Wording(
        '{file}: line {line}: did.callee = "{callee}" is not a known person, so it has no effect',
        {"file": str(file), "line": line, "callee": callee},
    )
    return warn(and_more(where, len(unknown) - 1), _remedy(callee, people, context.take_over))


def are_rung(context: CheckContext) -> Finding:
    """Check that calls to a DID ring the phone of its callee, or the phones of its groups."""
    settings = context.loaded.settings
    people = (*context.read_rows(all_people), *people_of(settings))
    group_of = {person.extension: person.group for person in people}
    dids = {did.number: did for did in (*context.read_rows(all_dids), *dids_of(settings))}
    rang = _often_rung(context)
    named = [(dids[number], who) for number, who in rang.items() if number in dids and _says_who(dids[number])]
    others = [(did, who) for did, who in named if not _are_named(did, who, group_of)]
    if not others:
        return ok(Wording("calls ring the people named in the settings") if named else NONE)
    did, who = others[0]
    known = did.callee or ", ".join(did.groups)
    places: Places = {"number": did.number, "phones": ", ".join(sorted(who)), "named": known}
    template = (WRONG_CALLEE if did.callee else WRONG_GROUPS).template
    is_typed = did.number in {did.number for did in dids_of(settings)}
    where: Places = {"file": str(context.loaded.settings_file), "command": context.take_over}
    remedy = Wording(CORRECT.template, where) if is_typed else context.take_over
    return warn(and_more(Wording(template, places), len(others) - 1), remedy)


def _often_rung(context: CheckContext) -> dict[str, list[str]]:
    since = context.now - LOOKED_BACK_DAYS * DAY_SECONDS
    rung: dict[str, list[str]] = {}
    for count in context.read_rows(lambda db: rang_by_number(db, since, context.now)):
        if count.times >= max(LEAST_CALLS, LEAST_SHARE * count.calls):
            rung.setdefault(count.did, []).append(count.who)
    return rung


def _says_who(did: Did) -> bool:
    return bool(did.callee or did.groups)


def _are_named(did: Did, who: list[str], group_of: Mapping[str, str | None]) -> bool:
    if did.callee:
        return who == [did.callee]
    return all(group_of.get(person) in did.groups for person in who)


def _remedy(callee: str, people: set[str], take_over: str) -> Wording:
    places: Places = {"callee": callee, "command": take_over}
    add = Wording('add a [[person]] with extension = "{callee}" to the settings, or run: {command}', places)
    if close := get_close_matches(callee, sorted(people), n=1):
        return Wording("{add}; or did you mean {nearest}?", {"add": add, "nearest": close[0]})
    return add


CHECKS = (
    HealthCheck(place=500, name="people", find=knows_us),
    HealthCheck(place=510, name="callees", find=are_people),
    HealthCheck(place=520, name="who rings", find=are_rung),
)
