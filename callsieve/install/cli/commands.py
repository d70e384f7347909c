"""`callsieve asterisk install` and `uninstall`: show the changes, ask, write the changes, and list the next steps."""

import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from callsieve.cli.errors import CommandError, warn
from callsieve.cli.options import ConfigOption, YesOption
from callsieve.cli.output import say
from callsieve.install.cli.plan_table import show_plan, show_steps
from callsieve.install.install import InstallRequest, plan_install
from callsieve.install.plan import OUR_UNIT, InstallError, InstallPaths, InstallPlan, place_of
from callsieve.install.region import derived_region, region_of, time_zone_of
from callsieve.install.steps import (
    REMOVE_PROMPTS,
    left_behind,
    prompts_left,
    steps_after_install,
    steps_after_uninstall,
    write,
)
from callsieve.install.uninstall import check_trunks, is_classic_installed, plan_uninstall
from callsieve.pbx.cli_client import ConsoleError, console
from callsieve.pbx.cli_client import console as ask
from callsieve.pbx.cli_output import dialplan_in, setting_in
from callsieve.settings import Loaded, Settings, SettingsError, load_settings
from callsieve.system.privileges import HEARING_USER, PUBLIC_USER, SERVICE_USER, user_id_of
from callsieve.system.service_process import servers_that_run
from callsieve.telemetry import is_outdated
from callsieve.wiring import policies_of
from policies.policy import PolicyError

EtcOption = Annotated[
    Path | None,
    typer.Option(
        "--etc",
        metavar="DIR",
        help="Directory of Asterisk's configuration. Default: the directory in the settings, else /etc/asterisk.",
    ),
]
AgiBinOption = Annotated[
    Path | None,
    typer.Option(
        "--agi-bin",
        metavar="DIR",
        help="Directory of Asterisk's AGI scripts. Default: as the running Asterisk reports it.",
    ),
]
UnitsOption = Annotated[Path, typer.Option("--systemd-dir", metavar="DIR", help="Directory of systemd's units.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the changes, but make none.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show every line that changes, as a diff.")]
ReloadOption = Annotated[
    bool, typer.Option("--reload", help="Reload Asterisk's dialplan and manager users afterwards.")
]
InboundOption = Annotated[
    list[str] | None,
    typer.Option(
        "--inbound",
        metavar="CONTEXT",
        help=(
            "Context that calls from your trunks enter now. The new context callsieve-CONTEXT screens the calls first."
        ),
    ),
]

UNITS = Path("/etc/systemd/system")
SYSTEMCTL_SECONDS = 30.0
# The usual directories if Asterisk cannot be asked: Debian's first.
DATA = ("/usr/share/asterisk", "/var/lib/asterisk")
AGI_BINS = (Path("/usr/share/asterisk/agi-bin"), Path("/var/lib/asterisk/agi-bin"))


def install(
    inbound: InboundOption = None,
    etc: EtcOption = None,
    agi_bin: AgiBinOption = None,
    region: Annotated[
        str | None,
        typer.Option(
            "--region",
            metavar="COUNTRY",
            help="Your country, such as GB. Default: derived from the server's time zone. Asked on a terminal.",
        ),
    ] = None,
    freepbx: Annotated[
        bool, typer.Option("--freepbx", help="Write CallSieve's contexts into FreePBX's custom files.")
    ] = False,
    classic: Annotated[
        bool, typer.Option("--classic", help="Let Asterisk start a script for each call, instead of FastAGI.")
    ] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="Also install the systemd units and their users.")] = False,
    no_ami: Annotated[
        bool,
        typer.Option("--no-ami", help="Create no manager user. CallSieve then does not learn how calls end."),
    ] = False,
    no_asterisk: Annotated[
        bool,
        typer.Option("--no-asterisk", help="Install only the service (with --systemd), on a server without Asterisk."),
    ] = False,
    reload: ReloadOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    verbose: VerboseOption = False,
    systemd_dir: UnitsOption = UNITS,
    config: ConfigOption = None,
) -> None:
    """Install the dialplan, the manager user and, on request, the classic script and the systemd units.

    All changes are shown first. Other lines of your files do not change, and the original of each changed file is
    kept beside it as NAME.before-callsieve. A new settings file begins in observe mode.
    """
    loaded = settings_for_install(config)
    etc = etc or Path(loaded.settings.asterisk.etc)
    asked = ask_region if sys.stdin.isatty() and not yes else None
    with one_line():
        scripts = (agi_bin or _agi_bin(loaded.settings)) if classic else None
        place = place_of(etc.absolute(), scripts, systemd_dir.absolute(), asterisk=not no_asterisk)
        wanted = InstallRequest(
            loaded,
            secrets.token_urlsafe(24),
            tuple(inbound or ()),
            region_of(loaded, region, derived_region(place.etc, time_zone_of()), asked),
            freepbx=freepbx,
            classic=classic,
            systemd=systemd,
            ami=not no_ami,
            asterisk=not no_asterisk,
        )
        plan = plan_install(place, wanted)
    new_service = not place.has_service
    done = _carried_out(plan, dry_run=dry_run, yes=yes, verbose=verbose)
    for remark in plan.remarks:
        say("note  ", remark)
    if dry_run:
        return
    if done and reload:
        _reload(loaded.settings, loads="callsieve")
    if not new_service:
        _check_policies(loaded)
    reloaded = reload or not done
    show_steps(
        steps_after_install(
            plan,
            place,
            loaded.settings,
            freepbx=freepbx,
            new_service=new_service,
            reloaded=reloaded,
            asterisk=not no_asterisk,
            outdated=is_outdated(loaded.state),
        )
    )


def uninstall(
    etc: EtcOption = None,
    agi_bin: AgiBinOption = None,
    reload: ReloadOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    verbose: VerboseOption = False,
    systemd_dir: UnitsOption = UNITS,
    config: ConfigOption = None,
) -> None:
    """Stop the services and remove what `install` added. Your settings and recorded data stay.

    Refuses while a context or trunk still sends calls to CallSieve, because such calls would be lost.
    """
    loaded = settings_for_install(config)
    etc = etc or Path(loaded.settings.asterisk.etc)
    with one_line():
        has_asterisk = etc.exists() or not (systemd_dir / OUR_UNIT).exists()
        place = place_of(etc.absolute(), agi_bin, systemd_dir.absolute(), asterisk=has_asterisk)
        if agi_bin is None and is_classic_installed(place):
            place = place_of(etc.absolute(), _agi_bin(loaded.settings), systemd_dir.absolute())
        plan = plan_uninstall(place)
        with suppress(ConsoleError):
            check_trunks(lambda command: console(loaded.settings, command))
    prompts = prompts_left(_sounds(loaded.settings))
    if prompts:
        say(
            "note  ",
            f"spoken prompts stay in {', '.join(map(str, prompts))}: to delete them, run {REMOVE_PROMPTS} first",
        )
    done = _carried_out(plan, dry_run=dry_run, yes=yes, verbose=verbose, stops=place)
    if dry_run or not done:
        return
    if place.units == UNITS:
        systemctl("daemon-reload")
    if reload:
        _reload(loaded.settings, loads="")
    ours = (SERVICE_USER, PUBLIC_USER, HEARING_USER)
    users = [name for name in ours if place.units == UNITS and user_id_of(name) is not None]
    for line in left_behind(loaded, place, prompts, users):
        say("stays  ", line)
    for process, command in servers_that_run():
        say("stays  ", f"callsieve {command} was started by hand and still runs; to end it: kill {process}")
    if has_asterisk:
        show_steps(steps_after_uninstall(loaded.settings, reloaded=reload))


def _check_policies(loaded: Loaded) -> None:
    """Raise CommandError if this version cannot use an active policy, and warn against a restart of the daemon."""
    try:
        policies_of(loaded)
    except PolicyError as error:
        warn(
            "do not restart the daemon before this policy is corrected: until then the running daemon "
            "continues to screen calls"
        )
        raise CommandError(f"{error} (callsieve policy check shows all errors)") from None


def settings_for_install(config: Path | None) -> Loaded:
    """Load the settings. Raise CommandError for invalid settings: the dialplan would query a wrong address."""
    try:
        return load_settings(config)
    except SettingsError as error:
        raise CommandError(f"{error}. Nothing was changed: correct the settings, then run this again") from None


@contextmanager
def one_line() -> Iterator[None]:
    """Turn errors of Asterisk's console or of the installation, raised in the block, into one-line error messages."""
    try:
        yield
    except (ConsoleError, InstallError) as error:
        raise CommandError(str(error)) from None


def ask_region(derived: str | None) -> str:
    """Ask the person at the terminal for the country of this PBX. `derived`: the country to suggest, or None."""
    answer: str = typer.prompt(
        "Your country in two letters, such as GB (used for numbers without a country code)", derived
    )
    return answer


def _agi_bin(settings: Settings) -> Path | None:
    try:
        directory = setting_in(console(settings, "core show settings"), "AGI Scripts directory")
    except ConsoleError:
        directory = None
    if directory is not None:
        return Path(directory)
    return next((path for path in AGI_BINS if path.is_dir()), None)


def _sounds(settings: Settings) -> list[Path]:
    try:
        directory = setting_in(console(settings, "core show settings"), "Data directory")
    except ConsoleError:
        directory = None
    return [Path(directory or folder) / "sounds" for folder in DATA]


def _carried_out(
    plan: InstallPlan, *, dry_run: bool, yes: bool, verbose: bool, stops: InstallPaths | None = None
) -> bool:
    if not plan.changes and not plan.new_users:
        say("nothing to change")
        return False
    show_plan(plan, every_line=verbose)
    if not verbose:
        say("Use -v to show every line.")
    if dry_run:
        say("nothing was written (--dry-run)")
        return False
    if not yes:
        if not sys.stdin.isatty():
            unasked = shlex.join(["callsieve", *sys.argv[1:], "--yes"])
            raise CommandError(
                "cannot ask: this is not a terminal. Nothing was written. To write the files without a "
                f"question: {unasked}"
            )
        if not typer.confirm("Write these changes?"):
            say("nothing was written")
            raise SystemExit(1)
    if stops is not None:
        _stop_services(stops)
    with one_line():
        write(plan)
    say("written")
    return True


def _stop_services(place: InstallPaths) -> None:
    """Stop the services before their units are removed. Otherwise services keep running, and timers start others."""
    folder = place.unit.parent
    units = [file.name for file in place.unit_files if (folder / file.name).exists()]
    if place.units == UNITS and units:
        systemctl("disable", "--now", *units)
        systemctl("reset-failed", "callsieve*")  # a unit that failed would stay in the list of units


def systemctl(*arguments: str) -> None:
    """Run systemctl. Print an error message if systemctl fails; do nothing if it is not installed."""
    if shutil.which("systemctl") is None:
        return
    command = ["systemctl", *arguments]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SYSTEMCTL_SECONDS
        )
    except subprocess.TimeoutExpired:
        warn(
            f"systemctl did not finish within {SYSTEMCTL_SECONDS:.0f} s: to see what runs: systemctl "
            f"list-units 'callsieve*'"
        )
        return
    if done.returncode != 0:
        warn(f"systemctl failed: {done.stderr.strip()[:200]}: run the command by hand: {' '.join(command)}")


def _reload(settings: Settings, loads: str) -> None:
    with one_line():
        for command in ("dialplan reload", "manager reload"):
            ask(settings, command)
        is_loaded = "callsieve" in dialplan_in(ask(settings, "dialplan show callsieve")).contexts
    if is_loaded != bool(loads):
        raise CommandError("Asterisk did not accept the new dialplan: see its log (logger.conf has the path)")
    say("Asterisk has reloaded its dialplan and manager users")
