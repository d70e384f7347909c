"""`callsieve asterisk install` and `uninstall`: plans, written files, and complete removal."""

from __future__ import annotations

import grp
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Mapping
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path

import pytest

from callsieve.call_back.settings import load_helper_settings
from callsieve.doctor.dialplan import EMERGENCY_LINE
from callsieve.install import install
from callsieve.install import plan as changes
from callsieve.install.freepbx import HOOK_FILES, HOOKS, PredialHook
from callsieve.install.front_context import installed_contexts
from callsieve.install.install import InstallRequest, plan_install, service_group, unit_text, wrapper_text
from callsieve.install.plan import (
    CALL_BACK_SETTINGS,
    CALL_BACK_UNIT,
    DIALPLAN_FILES,
    FREEPBX_FILES,
    FREEPBX_UNITS,
    FRONT_FILE,
    HEARING_UNIT,
    OUR_UNIT,
    PUBLIC_UNIT,
    SYSTEM_UNITS,
    UNIT_SUFFIXES,
    FileChange,
    InstallError,
    InstallPaths,
    InstallPlan,
    asked_for,
    asterisk_conf,
    packaged,
    packaged_dialplan,
    place_of,
)
from callsieve.install.steps import write
from callsieve.install.uninstall import check_trunks, is_classic_installed, plan_uninstall, uses_of
from callsieve.pbx.config_files import MARK, covers, included_by, lines_of, walk, with_lines, without_our_lines
from callsieve.settings import SERVICE_STATE, Loaded, Settings, load_settings, parse_settings
from callsieve.system.privileges import HEARING_USER, PUBLIC_USER, SERVICE_USER
from tests.office import ROOT

PLAIN = {
    "extensions.conf": "[general]\n\n[from-carrier]\nexten => _X.,1,Dial(PJSIP/201)\n",
    "manager.conf": "[general]\nenabled = yes\n\n[admin]\nsecret = hunter2\n",
}
DEBIAN = {
    **PLAIN,
    "manager.conf": '[general]\nenabled = yes\n#include "manager.d/*.conf" \n',
    "manager.d/README.conf": "",
}
FREEPBX = {
    "extensions.conf": "#include extensions_additional.conf\n#include extensions_custom.conf\n",
    "extensions_additional.conf": "[globals]\nA=1\n",
    "extensions_custom.conf": "",
    "manager.conf": "; generated\n[general]\nenabled = yes\n#include manager_custom.conf\n",
}
ROUTED = '[actions]\nroute = "ext-local,vmu202,1"\n'

UNITS = sorted(path.name for path in asterisk_conf().iterdir() if path.suffix in UNIT_SUFFIXES)
PUBLIC_BACKEND_UNIT = "callsieve-public-backend.service"


def settings_file(tmp_path: Path) -> Path:
    """Return the path that replaces /etc/callsieve/callsieve.toml."""
    return tmp_path / "callsieve" / "callsieve.toml"


def make_place(tmp_path: Path, files: Mapping[str, str]) -> InstallPaths:
    etc = tmp_path / "etc"
    for name, text in files.items():
        path = etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return place_of(etc, tmp_path / "agi-bin", tmp_path / "units")


def make_request(
    tmp_path: Path, settings: str = "", file: Path | None = None, /, *inbound: str, **options: bool
) -> InstallRequest:
    loaded = Loaded(
        settings=parse_settings(settings, "test"),
        file=file,
        state=tmp_path / "state",
        usual_file=settings_file(tmp_path),
    )
    return InstallRequest(loaded, "new-secret", inbound, "US", tables=(), **options)


def with_current_settings(wanted: InstallRequest, tmp_path: Path) -> InstallRequest:
    """Return the request with the settings as they are on disk now."""
    loaded, file = wanted.loaded, wanted.loaded.settings_file
    settings = parse_settings(file.read_text(), str(file)) if file.exists() else Settings()
    again = Loaded(settings=settings, file=loaded.file, state=loaded.state, usual_file=loaded.usual_file)
    return replace(wanted, loaded=again, new_secret="another-secret")


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a directory: its mode and its bytes."""
    return {
        str(path.relative_to(directory)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def without_settings(tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    """Return a snapshot without our settings, which stay after uninstalling."""
    ours = (settings_file(tmp_path), settings_file(tmp_path).with_name(CALL_BACK_SETTINGS))
    settings = [str(path.relative_to(tmp_path)) for path in ours]
    return {name: file for name, file in snapshot(tmp_path).items() if name not in settings}


def names_of(plan: InstallPlan) -> list[str]:
    return [change.path.name for change in plan.changes]


# Asterisk's text


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ('#include "callsieve.d/*.conf"', "callsieve.d/*.conf"),
        ("#include <callsieve.d/*.conf>", "callsieve.d/*.conf"),
        ("#include callsieve.d/*.conf", "callsieve.d/*.conf"),
        ('  #tryinclude\t"callsieve.d/*.conf"  ', "callsieve.d/*.conf"),
        ('#INCLUDE "a b.conf"', "a b.conf"),
        ("# include callsieve.d/*.conf", None),
        ("include => callsieve", None),
        ("#exec something", None),
        ("#include", None),
    ],
)
def test_include_is_recognised_in_every_spelling(line: str, pattern: str | None) -> None:
    assert included_by(line) == pattern


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("a\n\n;b\nc ; d\n", [(1, "a"), (4, "c")], id="comments"),
        pytest.param("a\\;b ; c", [(1, "a\\;b")], id="escaped"),
        pytest.param(";-- a\nb\n--; c\nd", [(3, "c"), (4, "d")], id="block"),
        pytest.param("a ;-- b --; c\nd", [(1, "a  c"), (2, "d")], id="block-within-a-line"),
        pytest.param(";--- a\nb", [(2, "b")], id="three-dashes-are-no-block"),
        pytest.param("a\r\nb\r\n", [(1, "a"), (2, "b")], id="dos"),
    ],
)
def test_comments_and_line_ends_are_parsed(text: str, lines: list[tuple[int, str]]) -> None:
    assert [(line.number, line.text) for line in lines_of(Path("x"), text)] == lines


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\n\n", "a\r\nb\r\n", "\n", "ä\udcff\n"])
def test_added_lines_are_removed_without_trace(text: str) -> None:
    added = with_lines(text, ["[globals]", '#include "callsieve.d/*.conf"'])
    assert added != text
    assert without_our_lines(added) == text
    assert added.startswith(text)


def test_added_lines_are_found_among_later_ones() -> None:
    added = with_lines("a", ["x"]) + "\nb\n"
    assert without_our_lines(added) == "a\nb\n"


def test_includes_are_followed_in_order_and_without_loops(tmp_path: Path) -> None:
    place = make_place(
        tmp_path,
        {
            "extensions.conf": "a\n#include sub/*.conf\nz\n#include extensions.conf\n",
            "sub/1.conf": "b\n",
            "sub/2.conf": "c\n",
        },
    )
    lines = [line.text for line in walk(place.etc, place.etc / "extensions.conf") if not line.included]
    assert lines[:4] == ["a", "b", "c", "z"]
    assert len(lines) < 100


def test_pattern_covers_a_file_that_does_not_exist_yet(tmp_path: Path) -> None:
    wanted = tmp_path / "callsieve.d" / "callsieve.conf"
    patterns = ["callsieve.d/*.conf", "*/callsieve.conf", str(tmp_path / "callsieve.d" / "c*")]
    assert all(covers(tmp_path, pattern, wanted) for pattern in patterns)
    assert not any(covers(tmp_path, pattern, wanted) for pattern in ["*.conf", "callsieve.d/x.conf", "x.d/*.conf"])


# Installing and uninstalling


@pytest.mark.parametrize(
    ("files", "options", "changed"),
    [
        pytest.param(
            PLAIN,
            {"ami": False},
            [*DIALPLAN_FILES, "extensions.conf", "callsieve.toml"],
            id="dialplan-only",
        ),
        pytest.param(
            PLAIN,
            {},
            [*DIALPLAN_FILES, "extensions.conf", "callsieve.conf", "manager.conf", "callsieve.toml"],
            id="plain",
        ),
        pytest.param(
            DEBIAN,
            {},
            [*DIALPLAN_FILES, "extensions.conf", "callsieve.conf", "callsieve.toml"],
            id="debian-includes-manager.d",
        ),
        pytest.param(
            FREEPBX,
            {"freepbx": True},
            [
                *(*FREEPBX_FILES, "extensions_custom.conf"),
                *("callsieve.conf", "manager_custom.conf", "callsieve.toml"),
            ],
            id="freepbx",
        ),
        pytest.param(
            FREEPBX,
            {"freepbx": True, "ami": False, "systemd": True},
            [
                *(*FREEPBX_FILES, *UNITS),
                *("extensions_custom.conf", "callsieve.toml", CALL_BACK_SETTINGS),
            ],
            id="freepbx-with-systemd",
        ),
        pytest.param(
            PLAIN,
            {"ami": False, "classic": True, "systemd": True},
            [
                *DIALPLAN_FILES,
                *asked_for(packaged_dialplan()),
                *(name for name in UNITS if name not in FREEPBX_UNITS),
                "extensions.conf",
                "callsieve.toml",
                CALL_BACK_SETTINGS,
            ],
            id="classic-and-systemd",
        ),
        pytest.param(
            {**PLAIN, "extensions.conf": "[x]\n#tryinclude   <callsieve.d/*.conf>\n"},
            {"ami": False},
            [*DIALPLAN_FILES, "callsieve.toml"],
            id="already-included",
        ),
    ],
)
def test_installation_is_complete_and_fully_removed(
    tmp_path: Path, files: Mapping[str, str], options: Mapping[str, bool], changed: list[str]
) -> None:
    place = make_place(tmp_path, files)
    before = snapshot(tmp_path)
    wanted = make_request(tmp_path, **options)
    plan = plan_install(place, wanted)
    assert names_of(plan) == changed

    write(plan)
    assert plan_install(place, with_current_settings(wanted, tmp_path)).changes == (), (
        "a second run finds nothing to change"
    )
    included = [line.included for line in walk(place.etc, place.etc / "extensions.conf") if line.included]
    assert sum(covers(place.etc, pattern, place.dialplan / "callsieve.conf") for pattern in included) == 1
    for name, (mode, content) in before.items():
        after = snapshot(tmp_path)[name]
        assert after[0] == mode
        assert after[1].startswith(content), "lines of others are as they were"

    write(plan_uninstall(place))
    assert without_settings(tmp_path) == before
    assert not place.dialplan.exists()


def test_missing_last_newline_is_preserved(tmp_path: Path) -> None:
    place = make_place(tmp_path, {**PLAIN, "extensions.conf": "[from-carrier]"})
    write(plan_install(place, make_request(tmp_path)))
    write(plan_uninstall(place))
    assert (place.etc / "extensions.conf").read_bytes() == b"[from-carrier]"


def test_manual_change_after_the_installation_stays(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    write(plan_install(place, make_request(tmp_path)))
    path = place.etc / "extensions.conf"
    path.write_text("; mine\n" + path.read_text() + "[more]\n")
    write(plan_uninstall(place))
    assert path.read_text() == "; mine\n" + PLAIN["extensions.conf"] + "[more]\n"
    assert (place.etc / "extensions.conf.before-callsieve").read_text() == PLAIN["extensions.conf"], "the copy stays"


def test_foreign_file_is_restored(tmp_path: Path) -> None:
    files = {**PLAIN, "callsieve.d/callsieve.conf": "[mine]\n", "manager.d/callsieve.conf": "[theirs]\nsecret = a-b\n"}
    place = make_place(tmp_path, files)
    before = snapshot(tmp_path)
    write(plan_install(place, make_request(tmp_path)))
    assert (place.dialplan / "callsieve.conf.before-callsieve").read_text() == "[mine]\n"
    write(plan_uninstall(place))
    assert without_settings(tmp_path) == before


def test_older_version_is_replaced_without_a_copy(tmp_path: Path) -> None:
    place = make_place(tmp_path, {**PLAIN, "callsieve.d/callsieve.conf": "; CallSieve 0.0\n"})
    write(plan_install(place, make_request(tmp_path)))
    assert "Gosub" in (place.dialplan / "callsieve.conf").read_text()
    assert not (place.dialplan / "callsieve.conf.before-callsieve").exists()


def test_guarded_emergency_line_does_not_block_uninstall(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    write(plan_install(place, make_request(tmp_path)))
    path = place.etc / "extensions.conf"
    path.write_text(f"[c]\nexten => 112,1,{EMERGENCY_LINE}\n{path.read_text()}")
    plan_uninstall(place)
    path.write_text(f"[c]\nexten => 112,1,{EMERGENCY_LINE.replace('?', '?callsieve,s,1:')}\n{path.read_text()}")
    with pytest.raises(InstallError):
        plan_uninstall(place)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("extensions.conf", "[c]\nexten => _X.,1,Gosub(callsieve,s,1(${EXTEN}))\n"),
        ("extensions.conf", "[c]\nexten => 112,1,Gosub(callsieve-emergency,s,1)\n"),
        ("extensions.conf", "[c]\ninclude => callsieve-features\n"),
        ("extensions.conf", "[c]\nexten => 1,1,Dial(PJSIP/1,,b(callsieve-phone^s^1))\n"),
        ("pjsip.conf", "[trunk]\ncontext = from-trunk-callsieve\n"),
        ("pjsip_wizard.conf", "[trunk]\nendpoint/context = from-trunk-callsieve\n"),
        ("iax.conf", "[trunk]\ncontext=from-trunk-callsieve\n"),
        ("pjsip.conf", "[trunk]\ncontext = callsieve-from-carrier\n"),
        ("chan_dahdi.conf", "[channels]\ncontext => callsieve-from-carrier\n"),
        ("sip.conf", "[trunk]\ncontext=from-trunk-callsieve\n"),
        ("chan_dahdi.conf", "[channels]\ncontext=from-trunk-callsieve\nchannel => 1-15\n"),
        ("extensions.ael", "context c { _X. => &callsieve(${EXTEN}); Gosub(callsieve,s,1); }\n"),
    ],
)
def test_uninstall_is_refused_while_calls_need_the_dialplan(tmp_path: Path, name: str, text: str) -> None:
    place = make_place(tmp_path, PLAIN)
    write(plan_install(place, make_request(tmp_path)))
    path = place.etc / name
    path.write_text(text + (path.read_text() if path.exists() else ""))
    with pytest.raises(InstallError, match=r"would be lost: .*:\d"):
        plan_uninstall(place)


@pytest.mark.parametrize(
    "line",
    ["; Gosub(callsieve,s,1)", "exten => 1,1,NoOp(${CALLSIEVE_ACTION})", "exten => 1,1,Set(DB(callsieve/off)=1)"],
)
def test_comments_and_variables_do_not_block_uninstall(tmp_path: Path, line: str) -> None:
    place = make_place(tmp_path, {**PLAIN, "extensions.conf": f"[c]\n{line}\n"})
    assert uses_of(place) == []


def test_missing_includes_are_added(tmp_path: Path) -> None:
    files = {**FREEPBX, "extensions_custom.conf": "#include callsieve.d/callsieve.conf\n"}
    place = make_place(tmp_path, files)
    write(plan_install(place, make_request(tmp_path, freepbx=True)))
    text = (place.etc / "extensions_custom.conf").read_text()
    included = [name for name in FREEPBX_FILES if name != "callsieve.conf"]
    assert text.splitlines()[1:] == [f'#tryinclude "callsieve.d/{name}" ; {MARK}' for name in included]


def freepbx_reloads(etc: Path) -> None:
    """Do what FreePBX 17 does at each reload: create every included file, even one named like a pattern."""
    for path in sorted(etc.glob("*.conf")):
        for name in (line.included for line in lines_of(path, path.read_text()) if line.included):
            (etc / name).parent.mkdir(exist_ok=True)
            (etc / name).touch()


def test_freepbx_creates_no_file_for_our_include(tmp_path: Path) -> None:
    place = make_place(tmp_path, FREEPBX)
    freepbx_reloads(place.etc)
    before, wanted = snapshot(tmp_path), make_request(tmp_path, freepbx=True)
    write(plan_install(place, wanted))
    installed = snapshot(tmp_path)
    freepbx_reloads(place.etc)
    assert snapshot(tmp_path) == installed
    assert plan_install(place, with_current_settings(wanted, tmp_path)).changes == ()
    lines = walk(place.etc, place.etc / "extensions.conf")
    assert {line.file.name for line in lines if line.file.parent == place.dialplan} == set(FREEPBX_FILES)
    write(plan_uninstall(place))
    assert without_settings(tmp_path) == before


def test_file_that_freepbx_created_from_a_pattern_is_removed(tmp_path: Path) -> None:
    """As an earlier version installed it."""
    place = make_place(tmp_path, {**FREEPBX, "extensions_custom.conf": f'#include "callsieve.d/*.conf" ; {MARK}\n'})
    freepbx_reloads(place.etc)
    assert (place.dialplan / "*.conf").exists()
    wanted = make_request(tmp_path, freepbx=True)
    write(plan_install(place, wanted))
    assert plan_install(place, with_current_settings(wanted, tmp_path)).changes == ()
    write(plan_uninstall(place))
    assert not place.dialplan.exists()


def test_file_named_like_a_pattern_stays_if_not_empty(tmp_path: Path) -> None:
    place = make_place(tmp_path, {**FREEPBX, "callsieve.d/*.conf": "[mine]\n"})
    write(plan_install(place, make_request(tmp_path, freepbx=True)))
    write(plan_uninstall(place))
    assert (place.dialplan / "*.conf").read_text() == "[mine]\n"


# FreePBX's hooks before its Dials

HOOK = HOOKS[0].context
THEIR_HOOK = f"[{HOOK}]\nexten => s,1,NoOp(theirs)\n same => n,Return()\n"
EMPTY_HOOK = f"[{HOOK}]\nexten => s,1,Return()\n"
EACH_HOOK = [pytest.param(hook, id=hook.asks) for hook in HOOKS]


@pytest.mark.parametrize(
    ("name", "text", "remark"),
    [
        pytest.param("extensions.conf", FREEPBX["extensions.conf"] + EMPTY_HOOK, "", id="empty-hook-of-freepbx"),
        pytest.param("extensions_custom.conf", f"; [{HOOK}]\n", "", id="hook-in-a-comment"),
        pytest.param(
            "extensions_custom.conf",
            "[theirs]\nexten => _X.,1,Macro(dialout-trunk,1,${EXTEN},,off)\n",
            "",
            id="unused-macro",
        ),
        pytest.param("extensions_custom.conf", THEIR_HOOK, "extensions_custom.conf:1 ", id="the-administrators"),
        pytest.param("extensions_additional.conf", THEIR_HOOK, "additional.conf:1 ", id="a-modules"),
        pytest.param(
            "extensions_additional.conf",
            "[outrt-1]\nexten => _X.,1,Macro(dialout-trunk,1,${EXTEN},,off)\n",
            "FreePBX 17 has neither problem",
            id="macros",
        ),
    ],
)
@pytest.mark.parametrize("hook", EACH_HOOK)
def test_hook_is_installed_unless_another_exists(
    tmp_path: Path, name: str, text: str, remark: str, hook: PredialHook
) -> None:
    place = make_place(tmp_path, {**FREEPBX, name: text.replace(HOOK, hook.context)})
    plan = plan_install(place, make_request(tmp_path, ROUTED, freepbx=True))
    assert (hook.file in names_of(plan)) is (remark == "")
    others = HOOK_FILES - {hook.file}
    assert others.intersection(names_of(plan)) == (set() if "Macro(" in text and "outrt" in text else others)
    said = [text for text in plan.remarks if "country" not in text]
    assert [remark in text for text in said] == ([True] if remark else [])


@pytest.mark.parametrize("hook", EACH_HOOK)
def test_foreign_hook_with_our_line_is_accepted(tmp_path: Path, hook: PredialHook) -> None:
    theirs = THEIR_HOOK.replace(HOOK, hook.context)
    theirs = theirs.replace(" same => n,Return()", f" {hook.line}\n same => n,Return()")
    place = make_place(tmp_path, {**FREEPBX, "extensions_custom.conf": theirs})
    plan = plan_install(place, make_request(tmp_path, ROUTED, freepbx=True))
    assert hook.file not in names_of(plan)
    assert [text for text in plan.remarks if "country" not in text] == []
    write(plan)
    assert plan_uninstall(place).changes, "a guarded line needs nothing of ours"


@pytest.mark.parametrize("hook", EACH_HOOK)
def test_own_hook_is_removed_if_another_appears(tmp_path: Path, hook: PredialHook) -> None:
    place = make_place(tmp_path, FREEPBX)
    wanted = make_request(tmp_path, freepbx=True)
    write(plan_install(place, wanted))
    custom = place.etc / "extensions_custom.conf"
    custom.write_text(THEIR_HOOK.replace(HOOK, hook.context) + custom.read_text())
    plan = plan_install(place, with_current_settings(wanted, tmp_path))
    assert names_of(plan) == [hook.file]
    write(plan)
    assert not (place.dialplan / hook.file).exists()
    assert plan_install(place, with_current_settings(wanted, tmp_path)).changes == ()


# The parts


def test_dialplan_uses_the_listen_address(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    write(plan_install(place, make_request(tmp_path, '[agi]\nlisten = "[::1]:4999"\n')))
    text = (place.dialplan / "callsieve.conf").read_text()
    assert "agi://[::1]:4999" in text
    assert "agi://127.0.0.1:4578" not in text
    assert not is_classic_installed(place)


def test_the_classic_scripts_are_run_with_absolute_paths(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    write(plan_install(place, make_request(tmp_path, classic=True)))
    assert is_classic_installed(place)
    script = tmp_path / "agi-bin" / "callsieve-agi" / "screen"
    assert os.access(script, os.X_OK)
    words = shlex.split(script.read_text().splitlines()[-1])
    assert words == ["exec", sys.executable, "-I", "-S", words[4], str(tmp_path / "state" / "agi.sock")]
    assert Path(words[4]).is_file()
    done = subprocess.run([script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), "without a daemon the call goes on"


def test_paths_are_quoted_for_the_shell() -> None:
    text = wrapper_text(Path("/opt/it's mine/python"), Path("/a b/relay.py"), Path("/run/$x/agi.sock"))
    assert shlex.split(text.splitlines()[-1])[1:] == [
        "/opt/it's mine/python", "-I", "-S", "/a b/relay.py", "/run/$x/agi.sock",
    ]  # fmt: skip


def test_directory_closed_to_asterisk_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    place = make_place(tmp_path, PLAIN)
    plan = plan_install(place, make_request(tmp_path, classic=True))
    executable = Path(sys.executable)
    closed = any(not folder.stat().st_mode & 0o001 for folder in executable.parents)
    assert any("closed to other users" in remark and str(executable) in remark for remark in plan.remarks) == closed


def test_the_unit_starts_this_program(tmp_path: Path) -> None:
    loaded = make_request(tmp_path, "", Path("/etc/my 100%/c.toml")).loaded
    text = unit_text(OUR_UNIT, loaded, "pbx")
    assert f'ExecStart={Path(sys.executable).parent}/callsieve serve --config "/etc/my 100%%/c.toml"\n' in text
    assert "\nGroup=pbx\n" in text
    assert "@CALLSIEVE@" not in text


def test_packaged_units_run_in_asterisks_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYSTEM_UNITS", "PACKAGE_UNITS"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(changes, name, tmp_path / name)
    (tmp_path / "PACKAGE_UNITS" / OUR_UNIT).write_text(packaged(OUR_UNIT))
    place = replace(make_place(tmp_path, PLAIN), units=tmp_path / "SYSTEM_UNITS", group=grp.getgrnam("games").gr_gid)
    write(replace(plan_install(place, make_request(tmp_path, systemd=True)), new_users=()))
    written = {str(path.relative_to(place.units)): path.read_text() for path in place.units.rglob("*.conf")}
    assert written[f"{OUR_UNIT}.d/callsieve-group.conf"].endswith("\n[Service]\nGroup=games\n")
    assert not {name for name in written if name.startswith((PUBLIC_UNIT, "callsieve-doctor"))}
    write(plan_uninstall(place))
    assert list(place.units.iterdir()) == []


OUR_USERS = (SERVICE_USER, PUBLIC_USER, HEARING_USER)


@pytest.mark.parametrize(
    ("units", "options", "there", "made"),
    [
        pytest.param(SYSTEM_UNITS, {"systemd": True}, (), [*OUR_USERS], id="with-the-service"),
        pytest.param(SYSTEM_UNITS, {"systemd": True}, (SERVICE_USER,), [*OUR_USERS[1:]], id="from-an-older-version"),
        pytest.param(SYSTEM_UNITS, {"systemd": True}, OUR_USERS, [], id="again"),
        pytest.param(SYSTEM_UNITS, {}, (), [], id="without-a-service"),
        pytest.param(Path("elsewhere"), {"systemd": True}, (), [], id="for-another-server"),
    ],
)
def test_each_level_of_trust_has_its_own_user(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    units: Path,
    options: Mapping[str, bool],
    there: tuple[str, ...],
    made: list[str],
) -> None:
    monkeypatch.setattr(install, "user_id_of", dict.fromkeys(there, 990).get)
    place = replace(make_place(tmp_path, PLAIN), units=units)
    users = plan_install(place, make_request(tmp_path, **options)).new_users
    assert [user.name for user in users] == made
    groups = {SERVICE_USER: service_group(place), PUBLIC_USER: "", HEARING_USER: ""}
    assert {user.name: user.group for user in users} == {name: groups[name] for name in made}


def test_the_unit_of_an_older_public_page_is_replaced(tmp_path: Path) -> None:
    """The older unit ran as the service's user."""
    place = make_place(tmp_path, PLAIN)
    place.units.mkdir(exist_ok=True)
    old = "# CallSieve's public page\n[Service]\nUser=callsieve\nGroup=asterisk\nExecStart=/x/callsieve public\n"
    (place.units / PUBLIC_UNIT).write_text(old)
    write(plan_install(place, replace(make_request(tmp_path), systemd=True)))
    page, backend = ((place.units / name).read_text() for name in (PUBLIC_UNIT, PUBLIC_BACKEND_UNIT))
    assert "\nUser=callsieve-public\nGroup=callsieve-public\n" in page
    assert "\nUser=callsieve\n" in backend


# The front context


def test_front_context_continues_in_the_named_context(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    before = snapshot(tmp_path)
    write(plan_install(place, make_request(tmp_path, "", None, "from-carrier")))
    text = (place.dialplan / FRONT_FILE).read_text()
    assert "[callsieve-from-carrier]" in text
    assert "Goto(from-carrier," in text
    assert installed_contexts(place) == ("from-carrier",)
    write(plan_uninstall(place))
    assert without_settings(tmp_path) == before


def test_a_later_installation_keeps_the_front_contexts(tmp_path: Path) -> None:
    place = make_place(tmp_path, {**PLAIN, "extensions.conf": "[from-a]\n[from-b]\n"})
    wanted = make_request(tmp_path, "", None, "from-a")
    write(plan_install(place, wanted))
    again = with_current_settings(wanted, tmp_path)
    write(plan_install(place, replace(again, inbound=("from-b",))))
    assert installed_contexts(place) == ("from-a", "from-b")
    assert plan_install(place, replace(again, inbound=())).changes == ()


@pytest.mark.parametrize(
    ("context", "words"),
    [
        pytest.param("from-carier", "[from-carier] (did you mean from-carrier?)", id="unknown"),
        pytest.param("from carrier", "context", id="a-space"),
        pytest.param("x]\n[y", "context", id="a-line-break"),
        pytest.param("callsieve-from-carrier", "context", id="ours"),
        pytest.param("phone", "callsieve-phone", id="a-name-that-we-use"),
    ],
)
def test_invalid_front_context_is_refused(tmp_path: Path, context: str, words: str) -> None:
    place = make_place(tmp_path, PLAIN)
    with pytest.raises(InstallError) as refused:
        plan_install(place, make_request(tmp_path, "", None, context))
    assert words in str(refused.value)


def test_freepbx_needs_a_destination_for_stopped_calls(tmp_path: Path) -> None:
    """FreePBX has no voicemail box that our settings know: the first challenge that failed rang the phone."""
    place = make_place(tmp_path, FREEPBX)
    told = [
        "ext-local,vmu201,1" in "".join(plan_install(place, make_request(tmp_path, settings, freepbx=True)).remarks)
        for settings in ("", ROUTED)
    ]
    assert told == [True, False]


# Our own settings


def test_new_settings_only_observe(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    write(plan_install(place, make_request(tmp_path)))
    settings = parse_settings((tmp_path / "callsieve" / "callsieve.toml").read_text(), "test")
    assert settings.policy.name == "observe"
    assert settings.asterisk.etc == str(place.etc)
    assert settings.ami.secret == "new-secret"


def test_existing_settings_are_never_changed_again(tmp_path: Path) -> None:
    """Removing our lines from a file that was edited once left keys without tables, and no command worked."""
    place = make_place(tmp_path, PLAIN)
    wanted = make_request(tmp_path)
    write(plan_install(place, wanted))
    file = settings_file(tmp_path)
    file.write_text(file.read_text().replace('"observe"', '"cautious"').replace('"US"', '"GB"'))
    text = file.read_text()
    write(plan_uninstall(place))
    assert file.read_text() == text
    assert parse_settings(text, "test").policy.name == "cautious"
    assert "callsieve.toml" not in names_of(plan_install(place, with_current_settings(wanted, tmp_path)))


ENDPOINTS = """\
 Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
 Endpoint:  201/201                                              Not in use    0 of inf
 Endpoint:  carrier                                              Not in use    0 of inf
"""
IAX_USER = "acme             do not show           000000000000002  {}  No     Host\n"


@pytest.mark.parametrize(
    ("context", "iax", "words"),
    [
        pytest.param("callsieve-from-trunk", "", "carrier", id="pjsip"),
        pytest.param("from-trunk-callsieve", "", "carrier", id="freepbx"),
        pytest.param("from-trunk", IAX_USER.format("callsieve-from-"), "acme", id="iax"),
        pytest.param("from-trunk", IAX_USER.format("from-trunk     "), None, id="no-trunk"),
    ],
)
def test_trunk_that_still_uses_our_context_blocks_uninstall(context: str, iax: str, words: str | None) -> None:
    """Asterisk has not read its changed files yet: the context would be gone at the next dialplan reload."""
    answers = {
        "pjsip show endpoints": ENDPOINTS,
        "pjsip show endpoint 201": " context                            : from-phones\n",
        "pjsip show endpoint carrier": f" context                            : {context}\n",
        "iax2 show users": iax,
    }
    if words is None:
        check_trunks(answers.__getitem__)
        return
    with pytest.raises(InstallError) as refused:
        check_trunks(answers.__getitem__)
    assert words in str(refused.value)
    assert "module reload" in str(refused.value)


def test_existing_settings_keep_their_policy(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    file = tmp_path / "callsieve" / "callsieve.toml"
    file.parent.mkdir()
    file.write_text('[numbers]\nregion = "GB"\n')
    write(plan_install(place, make_request(tmp_path)))
    settings = parse_settings(file.read_text(), "test")
    assert settings.policy.name == "cautious"
    assert settings.numbers.region == "GB"


def test_daemon_unit_is_always_restarted() -> None:
    unit = ConfigParser(interpolation=None)
    unit.read_string(packaged(OUR_UNIT))
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert (unit["Service"]["Restart"], unit["Service"]["OOMPolicy"]) == ("always", "continue")
    assert unit["Service"]["TimeoutStartSec"] == "infinity"
    wait = unit["Service"]["RestartSec"]
    assert f"starts it again in {wait} s |" in (ROOT / "docs" / "contributing" / "failures.md").read_text()


def unit_of(name: str) -> ConfigParser:
    unit = ConfigParser(interpolation=None, strict=False)  # a line that comes again adds to the one before
    unit.read_string(packaged(name))
    return unit


def test_doctor_unit_uses_the_settings_of_the_service(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    loaded = make_request(tmp_path, "", file).loaded
    text = unit_text("callsieve-doctor.service", loaded, "pbx")
    assert f"\nExecStart={Path(sys.executable).parent}/callsieve doctor --config {file}\n" in text
    service = unit_of("callsieve-doctor.service")["Service"]
    assert not {"User", "Group"} & {*service}
    # StateDirectory= alone would make CallSieve take root's directory for its state.
    environment = {"STATE_DIRECTORY": "/var/lib/callsieve-doctor", **dict([service["Environment"].split("=")])}
    assert load_settings(None, environment).state == SERVICE_STATE
    assert service["SuccessExitStatus"] == "1", "a finding is no failed unit"


def test_people_unit_writes_the_store_of_the_service(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    text = unit_text("callsieve-people.service", make_request(tmp_path, "", file).loaded, "pbx")
    program = Path(sys.executable).parent / "callsieve"
    assert f"\nExecStart={program} import people --from freepbx --yes --quiet --config {file}\n" in text
    service, doctor = (unit_of(f"callsieve-{name}.service")["Service"] for name in ("people", "doctor"))
    assert not {"User", "Group"} & {*service}
    assert service["ReadWritePaths"] == f"-{SERVICE_STATE}"
    assert service["Environment"] == f"CALLSIEVE_STATE={SERVICE_STATE}"
    own = [
        "execstart",
        "execstartpre",
        "successexitstatus",
        "umask",
        "standardoutput",
        "statedirectory",
        "statedirectorymode",
        "readwritepaths",
    ]
    differs = {key for key in {*service, *doctor} if service.get(key) != doctor.get(key)}
    assert differs <= set(own), "as confined as the doctor"


OURS = sorted(path.name for path in asterisk_conf().glob("*.service"))
ROOTS = [name for name in OURS if "User" not in unit_of(name)["Service"]]
# Units without outside connections as the service's user.
INSIDE = (OUR_UNIT, "callsieve-api.service", PUBLIC_UNIT, CALL_BACK_UNIT, HEARING_UNIT)


@pytest.mark.parametrize("name", [name for name in OURS if name not in (*ROOTS, *INSIDE)])
def test_networked_units_run_as_the_service_user_and_confined(name: str) -> None:
    service, lines, daemon = unit_of(name)["Service"], packaged(name).splitlines(), packaged(OUR_UNIT).splitlines()
    for key in ("User", "Group", "UMask", "StateDirectory", "StateDirectoryMode", "ProtectSystem", "SystemCallFilter"):
        (line,) = (line for line in daemon if line.startswith(f"{key}="))
        assert line in lines
    assert service["CapabilityBoundingSet"] == ""


def test_public_page_can_identify_its_proxy() -> None:
    """It cannot recognise its proxy without netlink or in a user namespace."""
    service = unit_of(PUBLIC_UNIT)["Service"]
    assert "AF_NETLINK" in service["RestrictAddressFamilies"].split()
    assert not {"PrivateUsers", "PrivateNetwork", "DynamicUser"} & {*service}


def test_public_page_has_its_own_user_and_no_files(tmp_path: Path) -> None:
    service = unit_of(PUBLIC_UNIT)["Service"]
    assert (service["User"], service["Group"]) == (PUBLIC_USER, PUBLIC_USER)
    assert not {"StateDirectory", "ConfigurationDirectory", "SupplementaryGroups", "ReadWritePaths"} & {*service}
    text = unit_text(PUBLIC_UNIT, make_request(tmp_path, "", tmp_path / "c.toml").loaded, "pbx")
    assert text.splitlines().count(f"ExecStart={Path(sys.executable).parent}/callsieve public page") == 1
    assert "pbx" not in text, "it is not in Asterisk's group"


def test_hearing_has_no_files_and_no_network(tmp_path: Path) -> None:
    service, page = unit_of(HEARING_UNIT)["Service"], unit_of(PUBLIC_UNIT)["Service"]
    assert (service["User"], service["Group"]) == (HEARING_USER, HEARING_USER)
    assert not {"StateDirectory", "ConfigurationDirectory", "SupplementaryGroups", "ReadWritePaths"} & {*service}
    assert (service["RestrictAddressFamilies"], service["PrivateNetwork"]) == ("AF_UNIX", "yes")
    text = unit_text(HEARING_UNIT, make_request(tmp_path, "", tmp_path / "c.toml").loaded, "pbx")
    assert text.splitlines().count(f"ExecStart={Path(sys.executable).parent}/callsieve hearing") == 1
    theirs = {key: value for key, value in page.items() if key not in OWN_KEYS}
    assert {key: service.get(key) for key in theirs} == theirs, "as confined as the public page"


# Own values of this unit. A model generates machine code.
OWN_KEYS = {
    *("execstart", "user", "group", "bindreadonlypaths", "procsubset", "timeoutstopsec", "restrictaddressfamilies"),
    *("ipaddressdeny", "ipaddressallow", "memorydenywriteexecute", "memorymax", "cpuquota"),
}


def test_public_backend_has_no_network_and_no_key() -> None:
    lines = packaged(PUBLIC_BACKEND_UNIT).splitlines()
    assert {"RestrictAddressFamilies=AF_UNIX", "IPAddressDeny=any", "PartOf=callsieve-public.service"} <= {*lines}
    made = next(i for i, line in enumerate(lines) if line.startswith("ExecStartPre=") and "signing key" in line)
    closed = next(i for i, line in enumerate(lines) if line.startswith("InaccessiblePaths=") and "signing.key" in line)
    assert made < lines.index("ExecStart=@CALLSIEVE@ public backend") < closed


def test_call_back_helper_runs_as_asterisk_and_is_off(tmp_path: Path) -> None:
    service = unit_of(CALL_BACK_UNIT)["Service"]
    assert (service["User"], service["CapabilityBoundingSet"], service["ProtectSystem"]) == ("asterisk", "", "strict")
    assert service["RestrictAddressFamilies"] == "AF_UNIX"
    place = make_place(tmp_path, PLAIN)
    own = '[[did]]\nnumber = "+442071838750"\n[[trunk]]\nname = "a"\nchannels = "x"\nown_numbers = ["+442071838751"]\n'
    write(plan_install(place, replace(make_request(tmp_path, own), systemd=True, region="GB")))
    file = settings_file(tmp_path).with_name(CALL_BACK_SETTINGS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    settings = load_helper_settings(file)
    assert (settings.enabled, settings.countries) == (False, ("GB",))
    assert settings.refused == ("+442071838750", "+442071838751"), "nobody calls himself"
    file.write_text("enabled = true\n")
    again = replace(make_request(tmp_path, "", settings_file(tmp_path)), systemd=True)
    write(plan_install(place, again))
    assert file.read_text() == "enabled = true\n", "it is the administrator's"
    assert f"call-back serve --settings {file}" in (place.units / CALL_BACK_UNIT).read_text()


def test_only_units_that_ask_asterisk_run_as_root() -> None:
    assert ROOTS == ["callsieve-doctor.service", "callsieve-people.service"]


@pytest.mark.parametrize("name", [name for name in OURS if name not in ROOTS])
def test_no_unit_reaches_asterisks_control_socket(name: str) -> None:
    """Asterisk creates the directory again at each start, so all of /run is hidden except named paths."""
    service = unit_of(name)["Service"]
    assert service["TemporaryFileSystem"] == "/run:ro"
    opened = " ".join(service.get(key, "") for key in ("BindPaths", "BindReadOnlyPaths", "ReadWritePaths")).split()
    assert not any(Path("/run/asterisk").is_relative_to(path.removeprefix("-")) for path in opened)


# Not for units that identify clients by the kernel: they would see another user and refuse Asterisk.
BLINDING = {"PrivateUsers", "PrivateNetwork", "DynamicUser", "IPAddressDeny"}


def test_daemon_can_identify_clients_in_all_namespaces() -> None:
    service = unit_of(OUR_UNIT)["Service"]
    assert not BLINDING & {*service}
    assert "AF_NETLINK" in service["RestrictAddressFamilies"].split()


# The highest exposure of a unit in `systemd-analyze security`.
MOST_EXPOSED = 2.0
REASONS = {
    # User=, CAP_SET*ID and CAP_DAC_*: root asks Asterisk's console and then acts as the owner of the state directory.
    "callsieve-doctor.service": 2.5,
    "callsieve-people.service": 2.5,
}


@pytest.mark.parametrize("name", OURS)
def test_exposure_of_each_unit_is_within_its_limit(name: str, tmp_path: Path) -> None:
    unit = tmp_path / name
    unit.write_text(packaged(name).replace("@CALLSIEVE@", "/bin/true"))
    most = REASONS.get(name, MOST_EXPOSED)
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={most * 10:.0f}", str(unit)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, (ran.stderr or ran.stdout)[-2000:]


def test_asterisk_conf_has_all_files() -> None:
    names = {path.name for path in asterisk_conf().iterdir()}
    assert {"callsieve.conf", "callsieve-freepbx.conf", "callsieve-manager.conf", "callsieve.service"} <= names
    assert {"screen", "callee", "challenge", "mark"} <= set(asked_for(packaged_dialplan()))


@pytest.mark.parametrize("classic", [False, True])
def test_agi_key_is_in_each_request_and_private(tmp_path: Path, classic: bool) -> None:
    """The classic script needs no key: the Unix socket identifies the client."""
    key = "0123456789abcdef"
    place = make_place(tmp_path, PLAIN)
    write(plan_install(place, replace(make_request(tmp_path, f'[agi]\nkey = "{key}"\n'), classic=classic)))
    path = place.dialplan / "callsieve.conf"
    said = [line for line in path.read_text().splitlines() if f"key={key}," in line]
    asked = [line for line in path.read_text().splitlines() if "AGI(${CALLSIEVE_AGI}" in line]
    assert said == ([] if classic else asked)
    assert stat.S_IMODE(path.stat().st_mode) == (0o644 if classic else 0o640)


# The manager user


def test_manager_secret_is_created_once_and_private(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    wanted = make_request(tmp_path)
    write(plan_install(place, wanted))
    settings = tmp_path / "callsieve" / "callsieve.toml"
    assert "\nsecret = new-secret\n" in place.manager.read_text()
    assert parse_settings(settings.read_text(), "").ami.secret == "new-secret"
    for path in (place.manager, settings):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    place.manager.chmod(0o644)
    (change,) = plan_install(place, with_current_settings(wanted, tmp_path)).changes
    write(InstallPlan((change,)))
    assert stat.S_IMODE(place.manager.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("settings", "there", "secret"),
    [
        pytest.param('[ami]\nusername = "u"\nsecret = "ours"\n', "", "ours", id="settings-win"),
        pytest.param("", "; CallSieve\n[callsieve]\nsecret = theirs\n", "theirs", id="the-file's-is-kept"),
        pytest.param('[ami]\nusername = "u"\nsecret = "a;b"\n', "", "a\\;b", id="a-semicolon-is-escaped"),
        pytest.param("", "; CallSieve\n[callsieve]\nsecret = a\\;b\n", "a\\;b", id="and-unescaped"),
    ],
)
def test_manager_secret_comes_from_settings_or_file(tmp_path: Path, settings: str, there: str, secret: str) -> None:
    place = make_place(tmp_path, {**PLAIN, **({"manager.d/callsieve.conf": there} if there else {})})
    plan = plan_install(place, make_request(tmp_path, settings))
    (text,) = [change.after for change in plan.changes if change.path == place.manager] or [there]
    assert text is not None
    assert f"secret = {secret}\n" in text


def test_settings_get_the_manager_login(tmp_path: Path) -> None:
    place = make_place(tmp_path, {**PLAIN, "manager.conf": "[general]\nenabled=yes\nport => 5099\n"})
    file = tmp_path / "my.toml"
    file.write_text('[agi]\nlisten = "127.0.0.1:4600"')
    file.chmod(0o644)
    write(plan_install(place, make_request(tmp_path, file.read_text(), file)))
    settings = parse_settings(file.read_text(), "")
    assert (settings.ami.username, settings.ami.secret, settings.ami.port) == ("callsieve", "new-secret", 5099)
    assert settings.agi.listen == "127.0.0.1:4600"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.root
@pytest.mark.parametrize(
    ("there", "after"),
    [
        pytest.param(None, (1, 0o640), id="new"),
        pytest.param((0, 0o644), (1, 0o640), id="open-to-all-until-now"),
        pytest.param((4712, 0o644), (1, 0o640), id="readable-by-all-with-another-group"),
        pytest.param((0, 0o600), (1, 0o640), id="roots-own"),
        pytest.param((4712, 0o640), (4712, 0o640), id="group-chosen-by-the-administrator"),
    ],
)
def test_service_can_read_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[int, int] | None, after: tuple[int, int]
) -> None:
    monkeypatch.setattr(changes, "USUAL_GROUP", grp.getgrgid(1).gr_name)
    file = tmp_path / "callsieve" / "callsieve.toml"
    if there is not None:
        file.parent.mkdir()
        file.write_text("")
        os.chown(file, 0, there[0])
        file.chmod(there[1])
    place = make_place(tmp_path, PLAIN)
    write(plan_install(place, make_request(tmp_path, systemd=True)))
    assert f"\nGroup={grp.getgrgid(1).gr_name}\n" in place.unit.read_text()
    assert (file.stat().st_gid, stat.S_IMODE(file.stat().st_mode)) == after


def test_missing_group_of_the_service_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "USUAL_GROUP", "no-such-group")
    place = replace(make_place(tmp_path, PLAIN), group=0)
    plan = plan_install(place, make_request(tmp_path, systemd=True))
    assert any("groupadd --system asterisk; chgrp asterisk" in remark for remark in plan.remarks)
    assert not any("groupadd" in remark for remark in plan_install(place, make_request(tmp_path)).remarks)


@pytest.mark.parametrize(
    ("settings", "manager", "remark"),
    [
        pytest.param("", "[general]\nenabled = no\n", "enabled = yes", id="off"),
        pytest.param("", "[general]\nport = 5038\n", "enabled = yes", id="off-by-default"),
        pytest.param('[ami]\nusername = "u"\n', PLAIN["manager.conf"], "has no username or secret", id="half"),
        pytest.param(
            '[ami]\nusername = "u"\nsecret = "s"\n',
            "[general]\nenabled = yes\nport = 5050\n",
            "needs port = 5050",
            id="another-port",
        ),
        pytest.param("", "[general]\nenabled = yes\n[callsieve]\nsecret = x\n", "manager.conf:3", id="user-exists"),
    ],
)
def test_manual_steps_are_reported(tmp_path: Path, settings: str, manager: str, remark: str) -> None:
    place = make_place(tmp_path, {**PLAIN, "manager.conf": manager})
    file = tmp_path / "callsieve.toml"
    file.write_text(settings)
    plan = plan_install(place, make_request(tmp_path, settings, file))
    assert any(remark in text for text in plan.remarks), plan.remarks


# Refused installations


@pytest.mark.parametrize(
    ("files", "options", "settings", "error"),
    [
        pytest.param({}, {}, "", "with --etc", id="no-asterisk"),
        pytest.param({"extensions.conf": ""}, {}, "", "--no-ami", id="no-manager"),
        pytest.param(PLAIN, {"freepbx": True}, "", "use --freepbx on FreePBX only", id="no-freepbx"),
        pytest.param(
            {**PLAIN, "extensions_custom.conf": ""}, {"freepbx": True}, "", "does not include", id="not-included"
        ),
        pytest.param(PLAIN, {}, '[ami]\nsecret = "a b"', "no spaces", id="secret-with-a-space"),
    ],
)
def test_refused_installation_names_the_reason(
    tmp_path: Path, files: Mapping[str, str], options: Mapping[str, bool], settings: str, error: str
) -> None:
    with pytest.raises(InstallError, match=error):
        plan_install(make_place(tmp_path, files), make_request(tmp_path, settings, **options))


def test_the_classic_script_needs_a_directory(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    with pytest.raises(InstallError, match="--agi-bin"):
        plan_install(InstallPaths(place.etc, 0, None, place.units), make_request(tmp_path, classic=True))


# Writing


def test_file_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    plan = plan_install(place, make_request(tmp_path))
    (place.etc / "extensions.conf").write_text("[new]\n")
    with pytest.raises(InstallError, match="was changed meanwhile"):
        write(plan)
    assert not place.dialplan.exists(), "nothing was written"


def test_symbolic_link_is_kept(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    path, real = place.etc / "extensions.conf", tmp_path / "real.conf"
    path.rename(real)
    path.symlink_to(real)
    real.chmod(0o604)
    write(plan_install(place, make_request(tmp_path)))
    assert path.is_symlink()
    assert MARK in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o604


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.conf"
    path.write_text("old\n")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write(InstallPlan((FileChange(path, "old\n", "new\n"),)))
    assert [file.name for file in tmp_path.iterdir()] == ["x.conf"]
    assert path.read_text() == "old\n"


@pytest.mark.root
def test_owner_is_kept_or_taken_from_the_directory(tmp_path: Path) -> None:
    place = make_place(tmp_path, PLAIN)
    os.chown(place.etc, 4711, 4712)
    os.chown(place.etc / "extensions.conf", 4713, 4714)
    place = place_of(place.etc, None, place.units)
    write(plan_install(place, make_request(tmp_path)))

    def owner(path: Path) -> tuple[int, int]:
        return path.stat().st_uid, path.stat().st_gid

    assert owner(place.etc / "extensions.conf") == (4713, 4714)
    assert owner(place.etc / "extensions.conf.before-callsieve") == (4713, 4714)
    assert owner(place.dialplan / "callsieve.conf") == owner(place.dialplan) == owner(place.manager) == (4711, 4712)
