"""The doctor's check of `[[did]] callee`: whoever it names is somebody we know, else it says nothing."""

from __future__ import annotations

from difflib import get_close_matches

from callsieve.doctor.finding import NONE, CheckContext, Finding, and_more, ok, warn
from callsieve.doctor.service import read_of_store
from callsieve.pbx.config_files import read_text
from callsieve.wiring import people_of
from policies.positions import places_of
from reputation.store.people import all_people
from reputation.wording import Wording


def are_people(ground: CheckContext) -> Finding:
    """The callee of each DID is a person of the settings or of an import."""
    settings, file = ground.loaded.settings, ground.loaded.settings_file
    people = {one.extension for one in (*read_of_store(ground, all_people), *people_of(settings))}
    named = [(index, did.callee) for index, did in enumerate(settings.did) if did.callee is not None]
    unknown = [(index, callee) for index, callee in named if callee not in people]
    if not unknown:
        return ok(Wording("each is a person that we know")) if named else ok(NONE)
    index, callee = unknown[0]
    line = places_of(read_text(file) or "").line_of(("did", index, "callee"))
    where = Wording(
        '{file}: line {line}: did.callee = "{callee}" is no person, and counts for nothing',
        {"file": str(file), "line": line, "callee": callee},
    )
    return warn(and_more(where, len(unknown) - 1), _way_out(callee, people))


def _way_out(callee: str, people: set[str]) -> Wording:
    add = Wording('add [[person]] extension = "{callee}"', {"callee": callee})
    if close := get_close_matches(callee, sorted(people), n=1):
        return Wording("{add}; or did you mean {nearest}?", {"add": add, "nearest": close[0]})
    return add
