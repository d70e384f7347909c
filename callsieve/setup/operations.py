"""Write the changes that setup planned, have Asterisk load them, and restore all files if loading fails."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from callsieve.doctor.trunk_numbers import IAX_COLUMN
from callsieve.install.front_context import PREFIX, front_context_of
from callsieve.install.plan import FileChange, InstallError, InstallPlan
from callsieve.install.steps import write
from callsieve.pbx.cli_client import ConsoleError
from callsieve.pbx.cli_output import dialplan_in, endpoint_context_in, endpoints_in, iax_users_in
from callsieve.pbx.config_files import read_text
from callsieve.setup.trunks import PJSIP_FILE, PbxTrunk

OUR_CONTEXT = "callsieve"
DIALPLAN_RELOADS = ("dialplan reload", "manager reload")
# Asterisk reads its files again in the background.
RELOAD_SECONDS = 10.0
POLL_SECONDS = 0.2

Ask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class AsteriskState:
    """The dialplan contexts and PJSIP endpoints that Asterisk has loaded."""

    contexts: frozenset[str]
    endpoints: frozenset[str]


def loaded_now(ask: Ask) -> AsteriskState:
    """Return the contexts and PJSIP endpoints that Asterisk has loaded. Raise ConsoleError if it does not answer."""
    contexts = frozenset(dialplan_in(ask("dialplan show")).contexts)
    return AsteriskState(contexts, frozenset(endpoints_in(ask("pjsip show endpoints"))))


def take_over(plan: InstallPlan, trunks: Sequence[PbxTrunk], ask: Ask) -> None:
    """Write the plan and have Asterisk load it. If writing or loading fails, restore all files.

    Raises:
        InstallError: Somebody else changed a file meanwhile, or Asterisk did not load the files.
        ConsoleError: Asterisk did not answer.
        OSError: A file could not be written.
    """
    before = loaded_now(ask)
    copies = [change.copy_path for change in plan.changes if change.copied and not change.copy_path.exists()]
    try:
        write(plan)
        _reload(ask, trunks)
        _wait_until(lambda: _problem(ask, before, trunks))
    except BaseException as error:
        write(InstallPlan(tuple(inverse(plan.changes))))
        for copy in copies:
            copy.unlink(missing_ok=True)
        if isinstance(error, InstallError):
            error.args = (f"{error}. All files are as before",)
        _reload_old_files(ask, trunks)
        raise


def _reload_old_files(ask: Ask, trunks: Sequence[PbxTrunk]) -> None:
    """Have Asterisk load the restored files: first those of the trunks, then the dialplan without our contexts.

    In the other order, the trunks' calls would be lost. Our contexts stay loaded if a trunk still uses them. If
    Asterisk does not answer, it loads the files when it starts.
    """
    try:
        _reload_trunks(ask, trunks)
        _wait_until(lambda: _left_with_us(ask, [trunk.name for trunk in trunks]))
    except (ConsoleError, InstallError):
        return
    for command in DIALPLAN_RELOADS:
        with suppress(ConsoleError):
            ask(command)


def take_back(changes: Sequence[FileChange], trunks: Sequence[PbxTrunk], ask: Ask, *, is_running: bool) -> None:
    """Restore the trunks' files. If Asterisk is running, wait until it sends no calls of `trunks` to CallSieve.

    Raises:
        InstallError: Somebody else changed a file meanwhile, or Asterisk still sends calls to CallSieve.
        ConsoleError: Asterisk did not answer.
    """
    write(InstallPlan(tuple(changes)))
    if not is_running:
        return
    _reload_trunks(ask, trunks)
    _wait_until(lambda: _left_with_us(ask, [trunk.name for trunk in trunks]))


def inverse(changes: Sequence[FileChange]) -> list[FileChange]:
    """Return the changes that restore the changed files, in reverse order."""
    return [
        FileChange(change.path, change.after, change.before)
        for change in reversed(changes)
        if change.before != change.after and read_text(change.path) == change.after
    ]


def _reload(ask: Ask, trunks: Sequence[PbxTrunk]) -> None:
    for command in DIALPLAN_RELOADS:
        ask(command)
    _reload_trunks(ask, trunks)


def _reload_trunks(ask: Ask, trunks: Sequence[PbxTrunk]) -> None:
    for module in sorted({trunk.module for trunk in trunks}):
        ask(f"module reload {module}")


def _left_with_us(ask: Ask, names: Sequence[str]) -> str:
    """Return an error that names a trunk whose calls Asterisk still sends to CallSieve, or an empty text."""
    users = iax_users_in(ask("iax2 show users"))
    for name in names:
        context = users.get(name) or endpoint_context_in(ask(f"pjsip show endpoint {name}")) or ""
        if context.startswith(PREFIX):
            return f"Asterisk still sends the calls of {name} to {context}"
    return ""


def _wait_until(problem: Callable[[], str]) -> None:
    deadline = time.monotonic() + RELOAD_SECONDS
    while text := problem():
        if time.monotonic() > deadline:
            raise InstallError(f"{text}. See Asterisk's log; logger.conf says where it is")
        time.sleep(POLL_SECONDS)


def _problem(ask: Ask, before: AsteriskState, trunks: Sequence[PbxTrunk]) -> str:
    now = loaded_now(ask)
    wanted = {OUR_CONTEXT, *(front_context_of(trunk.context or "") for trunk in trunks)}
    if missing := sorted(wanted - now.contexts):
        return f"Asterisk did not load the context {missing[0]}"
    if lost := sorted(before.contexts - now.contexts):
        return f"Asterisk lost the context {lost[0]} when it read its dialplan again"
    if lost := sorted(before.endpoints - now.endpoints):
        return f"Asterisk lost the endpoint {lost[0]} when it read its files again"
    users = iax_users_in(ask("iax2 show users")) if any(trunk.file != PJSIP_FILE for trunk in trunks) else {}
    for trunk in trunks:
        if trunk.file == PJSIP_FILE:
            arrives = endpoint_context_in(ask(f"pjsip show endpoint {trunk.name}"))
        else:
            arrives = users.get(trunk.name)
        wanted_context = front_context_of(trunk.context or "")
        column = None if trunk.file == PJSIP_FILE else IAX_COLUMN
        if arrives != wanted_context[:column]:
            return f"Asterisk still sends the calls of {trunk.name} to {arrives}"
    return ""
