"""The doctor's check of what callers say: where names are asked for, Asterisk can write down what is said."""

from __future__ import annotations

from callsieve.composing import policies_of
from callsieve.examining import Finding, Ground, ok, unknown, warn
from callsieve.recordings import FOLDER, MAX_FILES, files_in
from callsieve.settings import Loaded
from policies.policy import PolicyError

NAME = "name"


def can_record(ground: Ground) -> Finding:
    """Without it, who is to be asked for a name is asked for a digit."""
    try:
        wanted = asks_for_names(ground.loaded)
    except PolicyError:
        return unknown("the policy cannot be used: see policy")
    if not wanted:
        return ok("nobody is asked for a name")
    folder = ground.loaded.state / FOLDER
    if not folder.is_dir():
        return warn(f"{folder} is not there: a digit is asked for instead", "callsieve serve makes it at its start")
    group = ground.place.etc.stat().st_gid  # root's own says nothing of who Asterisk runs as
    if group and folder.stat().st_gid != group:
        return warn(
            f"{folder} is not of Asterisk's group: a digit is asked for instead",
            f"chgrp {group} {folder}, and run the daemon in that group",
        )
    count = sum(1 for _ in files_in(folder))
    if count >= MAX_FILES:
        return warn(f"{folder} is full: a digit is asked for instead", "what is there goes after seven days, or rm it")
    return ok(f"{count} of at most {MAX_FILES} files in {folder}")


def asks_for_names(loaded: Loaded) -> bool:
    """Whether the settings or a rule in force ask for names. PolicyError when the policies cannot be used."""
    policies = policies_of(loaded)
    rules = [rule for policy in (policies.default, *(s.policy for s in policies.scopes)) for rule in policy.rules]
    return loaded.settings.actions.ask == NAME or any(rule.ask == NAME for rule in rules)
