"""The changes that `callsieve asterisk install` makes, as a plan. callsieve.install.steps carries out the plan."""

import grp
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from callsieve.install import plan
from callsieve.install.freepbx import HOOK_FILES, NO_HOOKS, FoundHooks, find_hooks
from callsieve.install.front_context import check_context, front_text, installed_contexts
from callsieve.install.manager_user import PRIVATE_MODE, ManagerPlan, plan_manager, toml_text
from callsieve.install.plan import OUR_DIALPLAN, USUAL_GROUP
from callsieve.pbx.config_files import read_text, walk, with_lines
from callsieve.settings import CONFIG_FILE, SERVICE_STATE, Loaded, Settings
from callsieve.system.privileges import HEARING_USER, PUBLIC_USER, SERVICE_USER, user_id_of
from reputation.numbers import did_number_of

NEW_FILE = """\
# CallSieve's settings, made by `callsieve asterisk install`. `callsieve help settings` lists every key.

[policy]
name = "observe" # decides and records, never acts; later: cautious, balanced, strict or your own policy

[numbers]
region = {region} # your country, for numbers without a country code
"""
# Not in our settings: the service may only request calls, and must not raise a limit.
CALL_BACK_FILE = """\
# CallSieve's call-back helper: numbers it calls, and how often. Only root may write here. All keys: see Call-back.

enabled = false
countries = [{region}] # only landlines and mobiles of these countries
channel = "Local/{{number}}@from-internal" # what Asterisk dials, or for example "PJSIP/{{number}}@carrier"
refused = [{own}] # prefixes that are never called, such as your own numbers
caller_id = "" # the number that it shows, such as "+12015550100"
"""
ELSEWHERE = """
[asterisk]
etc = {etc}
"""


def plan_settings(place: plan.InstallPaths, loaded: Loaded, tables: list[str], region: str) -> list[plan.FileChange]:
    """Return the change that adds these lines to the settings file, if any. `region`: the country for a new file."""
    file = loaded.settings_file
    before = read_text(file)
    if before is not None and not tables:
        return []
    begun = _new_text(place, loaded, region) if before is None else before
    table = "".join(f"{line}\n" for line in tables)
    mode, group = _private(file, place.group)
    return [plan.FileChange(file, before, begun + ("\n" if table and begun else "") + table, mode, group)]


def plan_call_back_settings(loaded: Loaded, region: str) -> list[plan.FileChange]:
    """Return the change that writes settings for the call-back helper, off at first. Empty if the file exists."""
    file = loaded.settings_file.with_name(plan.CALL_BACK_SETTINGS)
    if read_text(file) is not None:
        return []
    at_home = region if read_text(loaded.settings_file) is None else loaded.settings.numbers.region
    own = ", ".join(map(toml_text, _own_numbers(loaded.settings, at_home)))
    return [plan.FileChange(file, None, CALL_BACK_FILE.format(region=toml_text(at_home), own=own), 0o644)]


def _own_numbers(settings: Settings, region: str) -> list[str]:
    written = [did.number for did in settings.did] + [text for trunk in settings.trunk for text in trunk.own_numbers]
    return sorted({number for text in written if (number := did_number_of(text, region)) is not None})


def _new_text(place: plan.InstallPaths, loaded: Loaded, region: str) -> str:
    """Return the text of a new settings file. It selects observe mode, which changes no calls."""
    text = NEW_FILE.format(region=toml_text(region))
    if place.etc != Path(loaded.settings.asterisk.etc):
        text += ELSEWHERE.format(etc=toml_text(str(place.etc)))
    return text


def region_remark(file: Path, region: str) -> str:
    """Return the remark that says which country was written into the new settings file."""
    return f"numbers without a country code are read as numbers of {region}: [numbers] region in {file}"


def _private(file: Path, group: int) -> tuple[int, int | None]:
    """Return mode and group for a settings file with a secret. Asterisk's group lets the service read the file."""
    if not file.exists():
        return PRIVATE_MODE, group
    status = file.stat()
    if status.st_gid != 0 and not status.st_mode & 0o004:
        return status.st_mode & 0o770, None  # somebody has set who may read them
    return status.st_mode & 0o770 | 0o040, group


FREEPBX_ROUTE = "ext-local,vmu201,1"  # an example of a place for stopped calls
# The address that asterisk-conf/callsieve.conf asks by default.
MAIN_FILE, PACKAGED_URL = "callsieve.conf", "agi://127.0.0.1:4578"
TRUNK_LINES = (
    "exten => _X.,1,Gosub(callsieve,s,1(${FILTER(0-9A-Za-z+*#,${EXTEN})}))",
    " same => n,Dial(PJSIP/201,30,${CALLSIEVE_DIAL})",
)


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """A request to install CallSieve. `new_secret`: secret of the manager user, unless it has one already.

    `inbound`: the contexts in which trunks' calls arrive now; each gets a front context. `region`: the country for a
    new settings file. `asterisk`: whether Asterisk is on this server. `tables`: lines to add to the settings.
    """

    loaded: Loaded
    new_secret: str
    inbound: tuple[str, ...] = ()
    region: str = "US"
    freepbx: bool = False
    classic: bool = False
    systemd: bool = False
    ami: bool = True
    asterisk: bool = True
    tables: tuple[str, ...] = ()


def plan_install(place: plan.InstallPaths, wanted: InstallRequest) -> plan.InstallPlan:
    """Return the changes that install CallSieve; empty if nothing is missing. Raise InstallError if impossible."""
    if not wanted.asterisk:
        return _plan_service(place, wanted)
    hooks = find_hooks(place) if wanted.freepbx else NO_HOOKS
    fronts = _front_contexts(place, wanted)
    names = _dialplan_files(wanted, hooks, fronts)
    dialplan, agi = _our_dialplan(place, wanted, names, fronts), _our_agi(place, wanted)
    manager = _manager(place, wanted)
    settings = plan_settings(place, wanted.loaded, [*wanted.tables, *manager.settings], wanted.region)
    call_back = plan_call_back_settings(wanted.loaded, wanted.region) if wanted.systemd else []
    units = _units(place, wanted) if wanted.systemd else []
    # What is included comes before what includes it: Asterisk may read its files at any moment.
    changes = [*dialplan, *agi, *units, _include_of_dialplan(place, wanted.freepbx, names)]
    changes += [*manager.changes, *settings, *call_back]
    return plan.InstallPlan(
        changes=tuple(change for change in changes if plan.changes_something(change)),
        remarks=(
            *manager.remarks,
            *_settings_remarks(settings, wanted),
            *_readability(place, wanted),
            *hooks.remarks,
        ),
        new_users=_new_users(place, wanted),
    )


def _plan_service(place: plan.InstallPaths, wanted: InstallRequest) -> plan.InstallPlan:
    if wanted.inbound or wanted.freepbx or wanted.classic or not wanted.systemd:
        raise plan.InstallError(
            "--no-asterisk needs --systemd, and cannot be used with --inbound, --freepbx or --classic"
        )
    if place.group == 0:
        raise plan.InstallError(f"the service needs the group {USUAL_GROUP}: first run groupadd --system {USUAL_GROUP}")
    settings = plan_settings(place, wanted.loaded, [], wanted.region)
    changes = [*_units(place, wanted), *settings, *plan_call_back_settings(wanted.loaded, wanted.region)]
    return plan.InstallPlan(
        changes=tuple(change for change in changes if plan.changes_something(change)),
        remarks=(*_settings_remarks(settings, wanted), *_readability(place, wanted)),
        new_users=_new_users(place, wanted),
    )


def _new_users(place: plan.InstallPaths, wanted: InstallRequest) -> tuple[plan.SystemUser, ...]:
    """Return the missing system users. Those of the public page and the hearing get groups of their own."""
    if not wanted.systemd or place.units != plan.SYSTEM_UNITS:
        return ()
    service = plan.SystemUser(SERVICE_USER, service_group(place), SERVICE_STATE)
    users = service, plan.SystemUser(PUBLIC_USER), plan.SystemUser(HEARING_USER)
    return tuple(user for user in users if user_id_of(user.name) is None)


def _settings_remarks(settings: list[plan.FileChange], wanted: InstallRequest) -> Iterator[str]:
    yield from (region_remark(change.path, wanted.region) for change in settings if change.before is None)
    if wanted.freepbx and not wanted.loaded.settings.actions.route:
        yield (
            "stopped calls have no destination yet, so routed calls ring on and failed challenges are rejected. "
            f'Set `route` in [actions] of {wanted.loaded.settings_file}, to "{FREEPBX_ROUTE}" for the '
            f"voicemail of extension 201"
        )


def _front_contexts(place: plan.InstallPaths, wanted: InstallRequest) -> tuple[str, ...]:
    """Return the contexts that get a front context. Those of earlier installations stay: a trunk may use them."""
    if wanted.freepbx and wanted.inbound:
        raise plan.InstallError(
            "--inbound is for your own dialplan: on FreePBX, use the context from-trunk-callsieve for trunks"
        )
    for context in wanted.inbound:
        check_context(place, context)
    return tuple(dict.fromkeys((*installed_contexts(place), *wanted.inbound)))


def _manager(place: plan.InstallPaths, wanted: InstallRequest) -> ManagerPlan:
    if not wanted.ami:
        return ManagerPlan([], [], [])
    return plan_manager(place, wanted.loaded, wanted.new_secret, freepbx=wanted.freepbx)


def _dialplan_files(wanted: InstallRequest, hooks: FoundHooks, fronts: tuple[str, ...]) -> tuple[str, ...]:
    files = plan.FREEPBX_FILES if wanted.freepbx else plan.DIALPLAN_FILES
    names = (name for name in files if name not in HOOK_FILES or name in hooks.files)
    return (*names, plan.FRONT_FILE) if fronts else tuple(names)


def _our_dialplan(
    place: plan.InstallPaths, wanted: InstallRequest, names: tuple[str, ...], fronts: tuple[str, ...]
) -> list[plan.FileChange]:
    agi = plan.OUR_AGI if wanted.classic else f"agi://{wanted.loaded.settings.agi.listen}"
    key = "" if wanted.classic else wanted.loaded.settings.agi.key
    texts = {name: front_text(fronts) if name == plan.FRONT_FILE else dialplan_text(name, agi, key) for name in names}
    private = (0o640, place.group) if key else (None, None)
    files = [plan.own_file(place.dialplan / name, text, *private) for name, text in texts.items()]
    for name in sorted(HOOK_FILES.difference(names)) if wanted.freepbx else ():
        path = place.dialplan / name
        before = read_text(path)
        if before is not None and plan.is_ours(before):
            files.append(plan.FileChange(path, before, None))  # the administrator has another hook now
    return files


def dialplan_text(name: str, agi: str, key: str = "") -> str:
    """Return a dialplan file that queries `agi` (an address or script directory) and sends `key` unless it is empty."""
    text = plan.packaged(name)
    if name == MAIN_FILE and PACKAGED_URL not in text:
        raise plan.InstallError(f"the packaged callsieve.conf does not query {PACKAGED_URL}: reinstall CallSieve")
    return with_key(text.replace(PACKAGED_URL, agi), key)


def with_key(text: str, key: str) -> str:
    """Return the dialplan text with the key added to each request; unchanged for an empty key."""
    for path in ("/screen,", "/${ARG1},") if key else ():
        text = text.replace(f")}}{path}", f")}}{path}key={key},")
    return text


def _include_of_dialplan(place: plan.InstallPaths, freepbx: bool, names: tuple[str, ...]) -> plan.FileChange:
    target = place.etc / ("extensions_custom.conf" if freepbx else "extensions.conf")
    lines = list(walk(place.etc, place.etc / "extensions.conf"))
    missing = [name for name in names if not plan.is_included(place.etc, lines, place.dialplan / name)]
    before = read_text(target)
    if before is None:
        raise plan.InstallError(f"{target} does not exist: use --freepbx on FreePBX only")
    if not missing:
        return plan.FileChange(target, before, before)
    if freepbx and not plan.is_included(place.etc, lines, target):
        raise plan.InstallError(
            f"extensions.conf does not include {target.name}: if this is not FreePBX, omit --freepbx"
        )
    # FreePBX creates each included file that is missing, and would treat a pattern as a file name.
    patterns = ["*.conf"] if len(missing) == len(names) and not freepbx else missing
    directive = "#tryinclude" if freepbx else "#include"
    added = [f'{directive} "{OUR_DIALPLAN}/{pattern}"' for pattern in patterns]
    return plan.FileChange(target, before, with_lines(before, added), copied=True)


# The classic script


def _our_agi(place: plan.InstallPaths, wanted: InstallRequest) -> list[plan.FileChange]:
    if not wanted.classic:
        return []
    if place.agi_bin is None:
        raise plan.InstallError("Asterisk did not return the directory of its AGI scripts: name it with --agi-bin")
    text = wrapper_text(Path(sys.executable), relay_path(), classic_socket(place, wanted))
    names = plan.asked_for(plan.packaged_dialplan())
    return [plan.own_file(place.agi_bin / plan.OUR_AGI / name, text, mode=0o755) for name in names]


def wrapper_text(python: Path, relay: Path, socket: Path) -> str:
    """Return the shell script that Asterisk starts for a call. Python's options `-I -S` make it start faster."""
    command = shlex.join([str(python), "-I", "-S", str(relay), str(socket)])
    return (
        f"#!/bin/sh\n# CallSieve's classic AGI script, from `callsieve asterisk install --classic`.\nexec {command}\n"
    )


def relay_path() -> Path:
    """Return the path of agi/relay.py, which Asterisk runs as a script."""
    spec = find_spec("agi.relay")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).resolve()


def classic_socket(place: plan.InstallPaths, wanted: InstallRequest) -> Path:
    """Return the path of the daemon's socket, in the service's state directory if there is or will be a service."""
    state = SERVICE_STATE if wanted.systemd or place.unit.exists() else wanted.loaded.state
    return state / wanted.loaded.settings.agi.socket


def _readability(place: plan.InstallPaths, wanted: InstallRequest) -> Iterator[str]:
    if place.group == 0 and (wanted.systemd or place.unit.exists()):
        yield (
            f"the group {USUAL_GROUP} of the service does not exist, so the service could not read the settings: run "
            f"groupadd --system {USUAL_GROUP}; chgrp {USUAL_GROUP} {wanted.loaded.settings_file}"
        )
    for path in (Path(sys.executable), relay_path()) if wanted.classic else ():
        closed = next((folder for folder in path.parents if not folder.stat().st_mode & 0o001), None)
        if closed is not None:
            yield f"{closed} is closed to other users, so Asterisk may be unable to run {path}: use /opt for CallSieve"
    if wanted.systemd and any(Path(sys.prefix).is_relative_to(home) for home in ("/root", "/home")):
        yield f"the service cannot read {sys.prefix} (ProtectHome): install CallSieve in /opt, for example"


# systemd


def _units(place: plan.InstallPaths, wanted: InstallRequest) -> list[plan.FileChange]:
    group = service_group(place)
    if place.is_packaged:
        own_group = f"# CallSieve: the group of Asterisk's files\n[Service]\nGroup={group}\n"
        return [plan.own_file(path, own_group) for path in place.group_files] if group != USUAL_GROUP else []
    paths = [path for path in place.unit_files if wanted.freepbx or path.name not in plan.FREEPBX_UNITS]
    return [plan.own_file(path, unit_text(path.name, wanted.loaded, group)) for path in paths]


def unit_text(name: str, loaded: Loaded, group: str) -> str:
    """Return a systemd unit that starts this installation of CallSieve. `group`: the group that the service runs in."""
    program = str(Path(sys.executable).parent / "callsieve")
    options = ["--config", str(loaded.file)] if loaded.file is not None and loaded.file != CONFIG_FILE else []
    if name in (plan.PUBLIC_UNIT, plan.HEARING_UNIT):
        options = []  # they may not read the settings, and ask the backend or the daemon
    if name == plan.CALL_BACK_UNIT and options:
        options = ["--settings", str(loaded.settings_file.with_name(plan.CALL_BACK_SETTINGS))]

    def command(match: re.Match[str]) -> str:
        return " ".join(_systemd_word(word) for word in (program, *match[1].split(), *options))

    text = re.sub(r"@CALLSIEVE@ (.+)", command, plan.packaged(name))
    return text.replace(f"\nGroup={USUAL_GROUP}\n", f"\nGroup={group}\n")


def service_group(place: plan.InstallPaths) -> str:
    """Return the group that may read Asterisk's files: the group of /etc/asterisk, or `asterisk` if that is unknown."""
    try:
        return grp.getgrgid(place.group).gr_name if place.group else USUAL_GROUP
    except KeyError:
        return str(place.group)


def _systemd_word(word: str) -> str:
    """Quote a word for systemd.service(5): `%` and `$` are special, and a word with a space needs quotes."""
    word = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if " " in word else word
