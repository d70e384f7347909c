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
    from rich.console import Console

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
    from callsieve.installing import Wanted, plan_install

    loaded = settings_of(config)
    with _one_line():
        found = (agi_bin or _agi_bin(loaded.settings)) if classic else None
        place = place_of(etc.absolute(), found, systemd_dir.absolute())
        wanted = Wanted(
            loaded, secrets.token_urlsafe(24), freepbx=freepbx, classic=classic, systemd=systemd, ami=not no_ami
        )
        plan = plan_install(place, wanted)
    console = _console()
    done = _carried_out(console, plan, dry_run=dry_run, yes=yes)
    for remark in plan.remarks:
        console.print(f"[yellow]note[/]  {_escaped(remark)}")
    if dry_run:
        return
    if done and reload:
        _reload(console, loaded.settings, loads="callsieve")
    _next_steps(
        console, _steps_after_install(plan, place, loaded.settings, freepbx, systemd, reloaded=reload or not done)
    )


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
    console = _console()
    done = _carried_out(console, plan, dry_run=dry_run, yes=yes)
    if dry_run or not done:
        return
    if reload:
        _reload(console, loaded.settings, loads="")
    steps = [] if reload else _reload_steps(loaded.settings)
    if any(change.path == place.unit for change in plan.changes):
        steps.insert(0, ("stop the daemon", ["systemctl disable --now callsieve", "systemctl daemon-reload"]))
    command = _command(loaded.settings, "database deltree callsieve")
    steps.append(("forget the off switch and the last emergency call", [command]))
    _next_steps(console, steps)


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


def _carried_out(console: Console, plan: Plan, *, dry_run: bool, yes: bool) -> bool:
    """Whether anything was written."""
    from callsieve.writing import write

    if not plan.changes:
        console.print("[green]nothing to change[/]")
        return False
    for change in plan.changes:
        _show(console, change)
    _summarise(console, plan)
    if dry_run:
        console.print("nothing was written (--dry-run)")
        return False
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("nobody is there to be asked: use --yes to write this, --dry-run to see it")
        if not typer.confirm("Write this?"):
            console.print("nothing was written")
            raise SystemExit(1)
    with _one_line():
        write(plan)
    console.print("[green]written[/]")
    return True


def _show(console: Console, change: Change) -> None:
    """A unified diff; secrets stay secret."""
    from rich.text import Text

    before, after = (_SECRET.sub(r"\1********", text or "") for text in (change.before, change.after))
    old = "/dev/null" if change.before is None else str(change.path)
    new = "/dev/null" if change.after is None else str(change.path)
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm="", n=2)
    for line in diff:
        console.print(Text(line.encode("utf-8", "replace").decode(), style=_style_of(line)), soft_wrap=True)
    if before == after:
        console.print(Text(f"{change.path}: the mode or the secret changes", style="bold"), soft_wrap=True)
    console.print()


def _style_of(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def _summarise(console: Console, plan: Plan) -> None:
    from rich.text import Text

    for change in plan.changes:
        verb = "new" if change.before is None else "remove" if change.after is None else "change"
        mode = f" ({change.mode:04o})" if change.mode is not None and change.after is not None else ""
        style = {"new": "green", "remove": "red"}.get(verb, "yellow")
        line = Text.assemble((f"{verb:<7}", style), f" {change.path}{mode}")
        if change.copied and not change.copy_path.exists():
            line.append(f"\n        as it was: {change.copy_path.name}", style="dim")
        console.print(line, soft_wrap=True)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


# What is left to do

Steps = list[tuple[str, list[str]]]


def _reload(console: Console, settings: Settings, loads: str) -> None:
    """Let Asterisk read its files again; see that our contexts are there, or that they are gone."""
    from callsieve.asterisk_output import dialplan_in
    from callsieve.console import console as ask

    with _one_line():
        for command in ("dialplan reload", "manager reload"):
            ask(settings, command)
        there = "callsieve" in dialplan_in(ask(settings, "dialplan show callsieve")).contexts
    if there != bool(loads):
        raise CommandError("Asterisk did not take the new dialplan: its log says why (logger.conf says where that is)")
    console.print("[green]Asterisk has read its dialplan and manager users again[/]")


def _steps_after_install(
    plan: Plan, place: Place, settings: Settings, freepbx: bool, systemd: bool, *, reloaded: bool
) -> Steps:
    from callsieve.installing import TRUNK_LINES
    from callsieve.uninstalling import uses_of

    steps: Steps = [] if reloaded else _reload_steps(settings)
    if systemd and any(change.path == place.unit for change in plan.changes):
        steps.append(
            ("start the daemon", [*_make_user(), "systemctl daemon-reload", "systemctl enable --now callsieve"])
        )
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


def _make_user() -> list[str]:
    """The command that makes the service's user, if it is not there."""
    import pwd

    try:
        pwd.getpwnam("callsieve")
    except KeyError:
        return ["useradd --system --home-dir /var/lib/callsieve --shell /usr/sbin/nologin callsieve"]
    return []


def _reload_steps(settings: Settings) -> Steps:
    commands = [_command(settings, command) for command in ("dialplan reload", "manager reload")]
    return [("let Asterisk read its files", commands)]


def _command(settings: Settings, command: str) -> str:
    return f'{shlex.join(shlex.split(settings.asterisk.command))} -rx "{command}"'


def _next_steps(console: Console, steps: Steps) -> None:
    from rich.text import Text

    if not steps:
        return
    console.print("\n[bold]What is left to do[/]")
    for number, (title, commands) in enumerate(steps, 1):
        console.print(Text(f"{number}. {title}"), soft_wrap=True)
        for command in commands:
            console.print(Text(f"   {command}", style="cyan"), soft_wrap=True)
