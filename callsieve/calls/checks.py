"""The health check of what callers say: where names are asked for, Asterisk can write down what is said."""

from __future__ import annotations

from callsieve.calls.spoken_names import FOLDER, MAX_FILES, files_in
from callsieve.doctor.finding import CheckContext, Finding, HealthCheck, ok, warn
from reputation.wording import Places, Wording

NAME = "name"


def can_record(ground: CheckContext) -> Finding:
    """Without it, who is to be asked for a name is asked for a digit."""
    is_asked = any(rule.ask == NAME for policy in ground.policies for rule in policy.rules)
    if not is_asked and ground.loaded.settings.actions.ask != NAME:
        return ok(Wording("nobody is asked for a name"))
    folder = ground.loaded.state / FOLDER
    where: Places = {"folder": str(folder)}
    if not folder.is_dir():
        return warn(
            Wording("{folder} is not there: a digit is asked for instead", where),
            Wording("callsieve serve makes it at its start"),
        )
    group = ground.place.etc.stat().st_gid  # root's own says nothing of who Asterisk runs as
    if group and folder.stat().st_gid != group:
        return warn(
            Wording("{folder} is not of Asterisk's group: a digit is asked for instead", where),
            Wording("chgrp {group} {folder}, and run the daemon in that group", {**where, "group": group}),
        )
    count = sum(1 for _ in files_in(folder))
    if count >= MAX_FILES:
        return warn(
            Wording("{folder} is full: a digit is asked for instead", where),
            Wording("what is there goes after seven days, or rm it"),
        )
    return ok(Wording("{count} of at most {most} files in {folder}", {**where, "count": count, "most": MAX_FILES}))


CHECKS = (HealthCheck(place=170, name="recordings", find=can_record),)
