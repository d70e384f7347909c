"""The command `callsieve setup`: from an installed program to the first screened call, in at most four questions."""

import secrets
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import ConfigOption, YesOption, confirmed
from callsieve.cli.output import console as terminal
from callsieve.cli.output import say
from callsieve.doctor.finding import CheckContext
from callsieve.health import ScreeningState
from callsieve.install.cli.commands import (
    UNITS,
    DryRunOption,
    EtcOption,
    UnitsOption,
    ask_region,
    one_line,
    settings_for_install,
)
from callsieve.install.cli.plan_table import show_plan, show_steps
from callsieve.install.install import InstallRequest, plan_install
from callsieve.install.plan import InstallPaths, InstallPlan, place_of
from callsieve.install.region import derived_region, region_of, time_zone_of
from callsieve.install.steps import start_steps, steps_after_install
from callsieve.pbx.cli_client import console
from callsieve.settings import Loaded, load_settings
from callsieve.setup.freepbx import install_module, modules_directory, remove_module
from callsieve.setup.operations import take_back, take_over
from callsieve.setup.trunks import PbxTrunk, find_trunks, plan_trunks, plan_undo, trunk_tables
from callsieve.telemetry import is_outdated
from callsieve.wiring import policies_of
from policies.files import nearest, shown
from policies.loader import PRESETS
from policies.policy import PolicyError

OBSERVE, LABEL = "observe", "cautious"
SYSTEMD = Path("/run/systemd/system")
WAIT_SECONDS = 600.0
POLL_SECONDS = 2.0
STEP_SECONDS = 300.0
SUMMARY = "callsieve summary"
# -P: root runs no code of the directory where it stands.
PROGRAM = (sys.executable, "-P", "-m", "callsieve.main.entry")
UNINSTALL = ("callsieve", "asterisk", "uninstall")


def setup(
    region: Annotated[
        str | None,
        typer.Option(
            "--region",
            metavar="COUNTRY",
            help="Your country, such as GB. Default: derived from the server's time zone. Asked on a terminal.",
        ),
    ] = None,
    trunk: Annotated[
        list[str] | None,
        typer.Option(
            "--trunk",
            metavar="NAME",
            help="A trunk to screen; may be repeated. Default: asked on a terminal, else all.",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="NAME",
            help="`observe`, or a preset that changes calls. Default: asked on a terminal, else observe.",
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Undo everything that setup and install changed.")] = False,
    etc: EtcOption = None,
    systemd_dir: UnitsOption = UNITS,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Connect CallSieve to your PBX: find the trunks, show every change, apply it, wait for the first call.

    It asks for your country, your trunks, and whether to observe first. You can run it again. If Asterisk cannot load
    the new files, setup restores the old ones. With --yes it asks nothing and does not wait.
    """
    loaded = settings_for_install(config)
    with one_line():
        context = CheckContext(loaded, partial(console, loaded.settings), time.time())
        if not undo:
            context.ask("core show version")  # ends here if Asterisk does not answer
        place = place_of((etc or context.place.etc).absolute(), None, systemd_dir.absolute())
        if undo:
            _undo(context, place, yes=yes, dry_run=dry_run, config=config)
            return
        chosen = policy_to_activate(loaded, policy, yes=yes)
        manager = ", managed by FreePBX" if context.is_freepbx else ""
        say(f"Asterisk answers; its configuration is in {place.etc}{manager}.")
        asked = ask_region if sys.stdin.isatty() and not yes else None
        region = region_of(loaded, region, derived_region(place.etc, time_zone_of()), asked)
        known = [] if context.is_freepbx else find_trunks(context)
        trunks = [] if context.is_freepbx else _choose_trunks(known, trunk, yes=yes)
        chosen = _ask_policy() if chosen is None else chosen
        # A trunk of DAHDI has no file that setup knows, and would count as a phone beside described ones.
        named = [] if "chan_dahdi" in context.modules else known
        request = InstallRequest(
            loaded,
            secrets.token_urlsafe(24),
            tuple(dict.fromkeys(each.context for each in trunks if each.context)),
            region,
            freepbx=context.is_freepbx,
            systemd=SYSTEMD.is_dir() or place.units != UNITS,
            tables=trunk_tables(named, loaded.settings, is_new=loaded.file is None),
        )
        plan = plan_install(place, request)
        plan = replace(plan, changes=(*plan.changes, *plan_trunks(trunks)))
        new_service = not place.has_service
        show_plan(plan, every_line=False)
        for remark in plan.remarks:
            say("note  ", remark)
        if dry_run:
            say("nothing was written (--dry-run)")
            return
        if plan.changes and not confirmed("Write these changes?", yes=yes, default=True):
            say("nothing was written")
            raise SystemExit(1)
        take_over(plan, trunks, partial(console, loaded.settings))
    say("Asterisk has read its new files." if plan.changes else "Asterisk's files are complete.")
    _start(plan, place, new_service=new_service, outdated=is_outdated(loaded.state))
    if context.is_freepbx:
        _install_module(place)
    _finish(load_settings(config), place, chosen, config, freepbx=context.is_freepbx)
    _show_rest(plan, place, request)
    if context.is_freepbx:
        _callsieve(config, "doctor")
    if yes:
        _say_screened(_status(config), config)
    else:
        _wait_for_call(config)


# Questions


def policy_to_activate(loaded: Loaded, name: str | None, *, yes: bool) -> str | None:
    """Return the policy to activate, or an empty text to keep the active policy. None if the user must be asked.

    New settings start in observe mode, so their default policy does not count as the user's choice.

    Raises:
        CommandError: There is no such preset.
    """
    if name is not None:
        if name not in PRESETS:
            raise CommandError(f"--policy {shown(name)}: there is no such preset{nearest(name, PRESETS)}")
        return name
    with suppress(PolicyError):
        if yes or (loaded.file is not None and not policies_of(loaded).default.observe):
            return ""
    return None


def _ask_policy() -> str:
    _check_terminal("--policy observe")
    say("CallSieve can observe first: it decides and records, and changes no call.")
    say("Or it labels spam now: suspicious calls ring with a label, and likely spam callers must press a digit.")
    while True:
        answer: str = typer.prompt("Begin with observe or label?", OBSERVE).strip().lower()
        names = {OBSERVE: OBSERVE, "label": LABEL, LABEL: LABEL}
        if answer in names:
            return names[answer]
        say(f"Answer {OBSERVE} or label.")


def _choose_trunks(known: list[PbxTrunk], names: list[str] | None, *, yes: bool) -> list[PbxTrunk]:
    free = [trunk for trunk in known if trunk.can_change]
    _show_trunks(known, free)
    if names is not None:
        return _named(names, known)
    if not free or yes:
        return free
    return _ask_trunks(free)


def _show_trunks(known: list[PbxTrunk], free: list[PbxTrunk]) -> None:
    if not known:
        say("Asterisk has no trunk yet. Run callsieve setup again when it has one.")
        return
    say("Trunks:")
    for trunk in known:
        number = f"{free.index(trunk) + 1}." if trunk in free else "- "
        if trunk.is_screened:
            about = "is screened already"
        elif trunk in free and trunk.place is not None:
            about = f"its calls arrive in {trunk.context} ({trunk.place.file.name}:{trunk.place.number})"
        else:
            about = f"no file sets its context: set it to callsieve-{trunk.context} where you configure this trunk"
        say(f"  {number} {trunk.name}: {about}")


def _named(names: list[str], trunks: list[PbxTrunk]) -> list[PbxTrunk]:
    known = {trunk.name: trunk for trunk in trunks}
    for name in names:
        if name not in known:
            raise CommandError(f"--trunk {shown(name)}: Asterisk has no such trunk{nearest(name, known)}")
        if not (known[name].can_change or known[name].is_screened):
            raise CommandError(f"--trunk {name}: no file sets its context: change it where you configure this trunk")
    return [known[name] for name in dict.fromkeys(names) if known[name].can_change]


def _ask_trunks(free: list[PbxTrunk]) -> list[PbxTrunk]:
    _check_terminal("--trunk NAME")
    by_answer = {str(number): trunk for number, trunk in enumerate(free, 1)} | {trunk.name: trunk for trunk in free}
    while True:
        answer: str = typer.prompt("Which trunks should CallSieve screen? (numbers or names, all, none)", "all")
        words = answer.replace(",", " ").split()
        if words in (["all"], ["none"]):
            return free if words == ["all"] else []
        if all(word in by_answer for word in words):
            return list(dict.fromkeys(by_answer[word] for word in words))
        say(f"Answer all, none, or some of: {', '.join(by_answer)}.")


def _check_terminal(option: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError(f"cannot ask: this is not a terminal. Add --yes, or answer with {option}")


# Changes


def _start(plan: InstallPlan, place: InstallPaths, *, new_service: bool, outdated: bool) -> None:
    if place.units != UNITS:
        return
    if not SYSTEMD.is_dir():
        warn("systemd is not running here: start the daemon yourself: callsieve serve")
        return
    for step in start_steps(plan, place, new_service=new_service, outdated=outdated):
        for line in step.lines:
            _run(shlex.split(line), f"{step.title.lower()}: {line}")


def _finish(loaded: Loaded, place: InstallPaths, policy: str, config: Path | None, *, freepbx: bool) -> None:
    _callsieve(config, "prompts", "build")
    _callsieve(config, "import", "people", "--from", "freepbx" if freepbx else "asterisk", "--yes")
    if policy:
        _callsieve(config, "policy", "activate", policy)
    active = policies_of(loaded).default
    if not active.observe:
        say(f"The active policy is {active.name}.")
        return
    say(f"The active policy is {active.name}: it decides and records, and changes no call.")
    say(f"After a week or two {SUMMARY} shows what it would have done. Then choose: callsieve policy activate {LABEL}")


def _install_module(place: InstallPaths) -> None:
    """Install our FreePBX module, which screens the calls of inbound routes, or print how to install it by hand."""
    directory = modules_directory(place)
    if directory is None:
        warn("CallSieve's FreePBX module needs FreePBX 17: set each trunk's context as shown below")
    elif not install_module(directory, _run_shown):
        warn("the module was not installed: run fwconsole ma install callsieve, then fwconsole reload")


def _run_shown(command: list[str]) -> bool:
    return _run(command, shlex.join(command))


def _callsieve(config: Path | None, *words: str) -> bool:
    options = ["--config", str(config)] if config is not None else []
    return _run([*PROGRAM, *words, *options], shlex.join(["callsieve", *words]))


def _run(command: list[str], shown_as: str) -> bool:
    say(f"$ {shown_as}")
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, timeout=STEP_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        warn(f"this step failed: {error}: run the command by hand")
        return False
    if done.returncode != 0:
        warn("this step failed: fix the cause, then run the command by hand")
    return done.returncode == 0


def _show_rest(plan: InstallPlan, place: InstallPaths, request: InstallRequest) -> None:
    steps = steps_after_install(
        plan, place, request.loaded.settings, freepbx=request.freepbx, new_service=False, reloaded=True
    )
    wanted = [
        step for step in steps if any("context" in line or "Context" in line for line in (step.title, *step.lines))
    ]
    show_steps(wanted)


# Waiting


def _wait_for_call(config: Path | None) -> None:
    began = time.time()
    say("Now call one of your numbers from outside. Waiting for the first call (Ctrl-C ends this) ...")
    try:
        with terminal().status("waiting") as shown_line:
            while (left := began + WAIT_SECONDS - time.time()) > 0:
                shown_line.update(f"waiting for a call, {left / 60:.0f} min left")
                status = _status(config)
                if _is_after(status, began):
                    _say_screened(status, config)
                    return
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        say("")
    say("No call came.")
    _say_screened(_status(config), config)


def _status(config: Path | None) -> Any:
    options = ["--config", str(config)] if config is not None else []
    command = [*PROGRAM, "status", "--json", *options]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
        return msgspec.json.decode(done.stdout)
    except (msgspec.DecodeError, subprocess.TimeoutExpired):
        return {}


def _is_after(status: Any, began: float) -> bool:
    at = (status.get("last_call") or {}).get("at")
    return at is not None and datetime.fromisoformat(at).timestamp() >= began


def _say_screened(status: Any, config: Path | None) -> None:
    screened = {True: "yes", False: "no"}.get(status.get("screened"), "not known yet: see callsieve status")
    if status.get("screening") == ScreeningState.WAITING and status.get("confirmed_at"):
        screened = "yes (no call has come yet)"
    active = policies_of(load_settings(config)).default  # the status may not have been updated yet
    about = ", which changes no call" if active.observe else ""
    say(f"screened: {screened}, policy: {active.name}{about}")
    if status.get("screened") is False and status.get("why"):
        say(f"  {status['why']}")


# Taking it back


def _undo(context: CheckContext, place: InstallPaths, *, yes: bool, dry_run: bool, config: Path | None) -> None:
    """Restore the trunks, then remove prompts, files and units. Data and settings stay."""
    changes = plan_undo(place.etc)
    show_plan(InstallPlan(tuple(changes)), every_line=False)
    reload = [] if context.is_asterisk_down else ["--reload"]
    say(
        f"After that, these run: callsieve prompts remove; {shlex.join([*UNINSTALL, *reload])}. Data and settings stay."
    )
    if dry_run:
        say("nothing was written (--dry-run)")
        return
    if not confirmed("Undo all of this?", yes=yes):
        say("nothing was written")
        raise SystemExit(1)
    if changes:
        is_running = not context.is_asterisk_down
        trunks = [trunk for trunk in find_trunks(context) if trunk.is_screened] if is_running else []
        take_back(changes, trunks, partial(console, context.loaded.settings), is_running=is_running)
        say("The trunks are as before.")
    if context.is_freepbx and (directory := modules_directory(place)) is not None:
        remove_module(directory, _run_shown)
    _callsieve(config, "prompts", "remove")
    paths = ["--etc", str(place.etc), "--systemd-dir", str(place.units)]
    if not _callsieve(config, *UNINSTALL[1:], *reload, "--yes", *paths):
        raise SystemExit(1)
