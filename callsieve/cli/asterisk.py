"""`callsieve asterisk install` and `uninstall`: show what would change, ask, write."""

from __future__ import annotations

import difflib
import re
import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callsieve.cli.common import ConfigOption, settings_of
from callsieve.cli.errors import CommandError

if TYPE_CHECKING:
    from rich.text import Text

    from callsieve.changes import Change, Place, Plan
    from callsieve.settings import Settings

EtcOption = Annotated[Path, typer.Option("--etc", metavar="DIR", help="Asterisk's configuration.")]
AgiBinOption = Annotated[
    Path | None,
    typer.Option("--agi-bin", metavar="DIR", help="Asterisk's AGI scripts; else Asterisk is asked."),
]
UnitsOption = Annotated[Path, typer.Option("--systemd-dir", metavar="DIR", help="systemd's units.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ReloadOption = Annotated[bool, typer.Option("--reload", help="Then let Asterisk read its dialplan and manager users.")]

ETC = Path("/etc/asterisk")
UNITS = Path("/etc/systemd/system")
UNITS_STARTED = "callsieve callsieve-doctor.timer"
# Where AGI scripts usually are, if Asterisk cannot be asked: Debian's place, then everybody else's.
AGI_BINS = (Path("/usr/share/asterisk/agi-bin"), Path("/var/lib/asterisk/agi-bin"))

_SECRET = re.compile(r"^(\s*secret\s*=>?\s*)\S.*$", re.MULTILINE | re.IGNORECASE)


def add_to(app: typer.Typer) -> None:
    """Add `asterisk install` and `asterisk uninstall`."""
    group = typer.Typer(help="Put CallSieve into Asterisk's configuration, or take it out.", no_args_is_help=True)
    group.command("install")(install)
    group.command("uninstall")(uninstall)
    app.add_typer(group, name="asterisk")


def install(
    etc: EtcOption = ETC,
    agi_bin: AgiBinOption = None,
    freepbx: Annotated[bool, typer.Option("--freepbx", help="Use FreePBX's own custom files.")] = False,
    classic: Annotated[
        bool, typer.Option("--classic", help="Ask through a script that Asterisk starts, not FastAGI.")
    ] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="Install the systemd unit too.")] = False,
    no_ami: Annotated[bool, typer.Option("--no-ami", help="No manager user: nothing is learnt from calls.")] = False,
    reload: ReloadOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    systemd_dir: UnitsOption = UNITS,
    config: ConfigOption = None,
) -> None:
    """Install the dialplan, the manager user, and on request the classic script and the systemd unit.

    Every change is shown first. Other lines of your files are never touched, and the files as they were stay
    beside them as NAME.before-callsieve.
    """
    from callsieve.changes import place_of
    from callsieve.cli.show import say
    from callsieve.installing import Wanted, plan_install

    loaded = settings_of(config)
    with _one_line():
        found = (agi_bin or _agi_bin(loaded.settings)) if classic else None
        place = place_of(etc.absolute(), found, systemd_dir.absolute())
        wanted = Wanted(
            loaded, secrets.token_urlsafe(24), freepbx=freepbx, classic=classic, systemd=systemd, ami=not no_ami
        )
        plan = plan_install(place, wanted)
    done = _carried_out(plan, dry_run=dry_run, yes=yes)
    for remark in plan.remarks:
        say(_styled("note  ", "yellow"), remark)
    if dry_run:
        return
    if done and reload:
        _reload(loaded.settings, loads="callsieve")
    _next_steps(_steps_after_install(plan, place, loaded.settings, freepbx, systemd, reloaded=reload or not done))


def uninstall(
    etc: EtcOption = ETC,
    agi_bin: AgiBinOption = None,
    reload: ReloadOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    systemd_dir: UnitsOption = UNITS,
    config: ConfigOption = None,
) -> None:
    """Take out what `install` put in. Refuses while a context still calls CallSieve: those calls would be lost."""
    from callsieve.changes import place_of
    from callsieve.uninstalling import is_classic_installed, plan_uninstall

    loaded = settings_of(config)
    with _one_line():
        place = place_of(etc.absolute(), agi_bin, systemd_dir.absolute())
        if agi_bin is None and is_classic_installed(place):
            place = place_of(etc.absolute(), _agi_bin(loaded.settings), systemd_dir.absolute())
        plan = plan_uninstall(place, loaded.file)
    done = _carried_out(plan, dry_run=dry_run, yes=yes)
    if dry_run or not done:
        return
    if reload:
        _reload(loaded.settings, loads="")
    steps = [] if reload else _reload_steps(loaded.settings)
    if any(change.path in place.unit_files for change in plan.changes):
        steps.insert(0, ("stop the daemon", [f"systemctl disable --now {UNITS_STARTED}", "systemctl daemon-reload"]))
    command = _command(loaded.settings, "database deltree callsieve")
    steps.append(("forget the off switch and the last emergency call", [command]))
    _next_steps(steps)


@contextmanager
def _one_line() -> Iterator[None]:
    from callsieve.changes import InstallError
    from callsieve.console import ConsoleError

    try:
        yield
    except (ConsoleError, InstallError) as error:
        raise CommandError(str(error)) from None


def _agi_bin(settings: Settings) -> Path | None:
    """Where this Asterisk keeps its AGI scripts."""
    from callsieve.asterisk_output import setting_in
    from callsieve.console import ConsoleError, console

    try:
        said = setting_in(console(settings, "core show settings"), "AGI Scripts directory")
    except ConsoleError:
        said = None
    if said is not None:
        return Path(said)
    return next((path for path in AGI_BINS if path.is_dir()), None)


# Show, ask, write


def _carried_out(plan: Plan, *, dry_run: bool, yes: bool) -> bool:
    """Whether anything was written."""
    from callsieve.cli.show import say
    from callsieve.writing import write

    if not plan.changes:
        say(_styled("nothing to change", "green"))
        return False
    for change in plan.changes:
        _show(change)
    _summarise(plan)
    if dry_run:
        say("nothing was written (--dry-run)")
        return False
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("nobody is there to be asked: use --yes to write this, --dry-run to see it")
        if not typer.confirm("Write this?"):
            say("nothing was written")
            raise SystemExit(1)
    with _one_line():
        write(plan)
    say(_styled("written", "green"))
    return True


def _show(change: Change) -> None:
    """A unified diff; secrets stay secret."""
    before, after = (_SECRET.sub(r"\1********", text or "") for text in (change.before, change.after))
    old = "/dev/null" if change.before is None else str(change.path)
    new = "/dev/null" if change.after is None else str(change.path)
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm="", n=2)
    for line in diff:
        _print(_styled(line.encode("utf-8", "replace").decode(), _style_of(line)))
    if before == after:
        _print(_styled(f"{change.path}: the mode or the secret changes", "bold"))
    _print(_styled(""))


def _style_of(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def _summarise(plan: Plan) -> None:
    from rich.text import Text

    for change in plan.changes:
        verb = "new" if change.before is None else "remove" if change.after is None else "change"
        mode = f" ({change.mode:04o})" if change.mode is not None and change.after is not None else ""
        style = {"new": "green", "remove": "red"}.get(verb, "yellow")
        line = Text.assemble((f"{verb:<7}", style), f" {change.path}{mode}")
        if change.copied and not change.copy_path.exists():
            line.append(f"\n        as it was: {change.copy_path.name}", style="dim")
        _print(line)


def _print(line: Text) -> None:
    """Never folded: it is to be copied, or compared with a file."""
    from callsieve.cli.show import console

    console().print(line, soft_wrap=True)


def _styled(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style)


# What is left to do

Steps = list[tuple[str, list[str]]]


def _reload(settings: Settings, loads: str) -> None:
    """Let Asterisk read its files again; see that our contexts are there, or that they are gone."""
    from callsieve.asterisk_output import dialplan_in
    from callsieve.cli.show import say
    from callsieve.console import console as ask

    with _one_line():
        for command in ("dialplan reload", "manager reload"):
            ask(settings, command)
        there = "callsieve" in dialplan_in(ask(settings, "dialplan show callsieve")).contexts
    if there != bool(loads):
        raise CommandError("Asterisk did not take the new dialplan: its log says why (logger.conf says where that is)")
    say(_styled("Asterisk has read its dialplan and manager users again", "green"))


def _steps_after_install(
    plan: Plan, place: Place, settings: Settings, freepbx: bool, systemd: bool, *, reloaded: bool
) -> Steps:
    from callsieve.installing import TRUNK_LINES, service_group
    from callsieve.uninstalling import uses_of

    steps: Steps = [] if reloaded else _reload_steps(settings)
    if systemd and any(change.path in place.unit_files for change in plan.changes):
        start = [
            *_make_user(service_group(place)),
            "systemctl daemon-reload",
            f"systemctl enable --now {UNITS_STARTED}",
        ]
        steps.append(("start the daemon", start))
    elif any(change.path.name == "callsieve.toml" for change in plan.changes) and place.unit.exists():
        steps.append(("let the daemon read its settings", ["systemctl restart callsieve"]))
    if not uses_of(place):
        if freepbx:
            title = "for each trunk, Connectivity > Trunks > pjsip Settings > Context"
            steps.append((title, ["from-trunk-callsieve"]))
        else:
            steps.append(("first in each context that trunks arrive in", list(TRUNK_LINES)))
    if steps:
        steps.append(("see that all is well", ["callsieve doctor"]))
    return steps


def _make_user(group: str) -> list[str]:
    """The command that makes the service's user, if it is not there. In Asterisk's group, as the unit runs it."""
    import pwd

    try:
        pwd.getpwnam("callsieve")
    except KeyError:
        home = "--home-dir /var/lib/callsieve --shell /usr/sbin/nologin"
        return [f"useradd --system {home} --gid {group} callsieve"]
    return []


def _reload_steps(settings: Settings) -> Steps:
    commands = [_command(settings, command) for command in ("dialplan reload", "manager reload")]
    return [("let Asterisk read its files", commands)]


def _command(settings: Settings, command: str) -> str:
    return f'{shlex.join(shlex.split(settings.asterisk.command))} -rx "{command}"'


def _next_steps(steps: Steps) -> None:
    if not steps:
        return
    _print(_styled("\nWhat is left to do", "bold"))
    for number, (title, commands) in enumerate(steps, 1):
        _print(_styled(f"{number}. {title}"))
        for command in commands:
            _print(_styled(f"   {command}", "cyan"))
