"""The doctor's check of secrets in files: that the processes which need them can read them, and nobody else can.

What stands in the environment of a service cannot be seen from here.
"""

from __future__ import annotations

from callsieve.doctor.finding import CheckContext, Finding, and_more, fail, ok, warn
from callsieve.outside.errors import OutsideError, OutsideProblem
from callsieve.outside.secrets import secret_files, secret_of
from reputation.wording import Wording

OPEN = OutsideProblem.SECRET_READABLE.code  # to others: the only one of these that is unsafe
NONE = Wording("no secret is in a file")
WAY_OUT = Wording("callsieve events test NAME says whether it works then")


def are_readable_by_us_alone(ground: CheckContext) -> Finding:
    """Those that the settings name, as the owner of the state directory sees them."""
    names = dict.fromkeys(secret_files(ground.loaded.settings))
    wrong: list[OutsideError] = []
    for name in names:
        try:
            secret_of(name)
        except OutsideError as error:
            wrong.append(error)
    if wrong:
        wrong.sort(key=lambda error: error.code != OPEN)
        found = and_more(wrong[0].words, len(wrong) - 1)
        return (fail if wrong[0].code == OPEN else warn)(found, WAY_OUT)
    return ok(Wording("in files, readable by us alone: {count}", {"count": len(names)}) if names else NONE)
