"""The installation steps are the same in docs/how-to/install.md and on the installer's last screen."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from callsieve.install.install import plan_install
from callsieve.install.plan import SYSTEM_UNITS
from callsieve.install.steps import steps_after_install, write
from callsieve.settings import Settings
from tests.callsieve.install.test_install import FREEPBX, PLAIN, make_place, make_request, names_of

ROOT = Path(__file__).resolve().parents[3]
HEADING = re.compile(r"# \d+\. (.*)")
Listed = list[tuple[str, tuple[str, ...]]]


def list_in(page: str) -> Listed:
    """The steps of a page's first block of shell lines: each comment with a number, and the lines below it."""
    block = re.search(r"^```sh\n(# 1\. .*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert block is not None, page
    steps: list[tuple[str, list[str]]] = []
    for line in block[1].splitlines():
        if heading := HEADING.fullmatch(line):
            steps.append((heading[1], []))
        else:
            steps[-1][1].append(line.removeprefix("#    "))
    return [(title, tuple(lines)) for title, lines in steps]


def test_installer_prints_the_remaining_documented_steps(tmp_path: Path) -> None:
    place = make_place(tmp_path, {**PLAIN, "extensions.conf": "[from-trunk]\nexten => 100,1,Dial(PJSIP/201)\n"})
    wanted = make_request(tmp_path, "", None, "from-trunk", systemd=True)
    plan = plan_install(place, wanted)
    assert "callsieve.service" in names_of(plan)
    write(plan)
    steps = steps_after_install(plan, place, wanted.loaded.settings, freepbx=False, new_service=True, reloaded=False)
    assert [(step.title, step.lines) for step in steps] == list_in("docs/how-to/install.md")[-len(steps) :]
    assert len(steps) == 5


def test_people_timer_is_started_on_freepbx_only(tmp_path: Path) -> None:
    place = make_place(tmp_path, FREEPBX)
    wanted = make_request(tmp_path, systemd=True, freepbx=True)
    plan = plan_install(place, wanted)
    for new_service, command in (
        (True, "callsieve callsieve-api callsieve-doctor.timer callsieve-people.timer callsieve-people.path"),
        (False, "callsieve-api callsieve-people.timer callsieve-people.path"),
    ):
        steps = steps_after_install(
            plan, place, wanted.loaded.settings, freepbx=True, new_service=new_service, reloaded=True
        )
        assert f"systemctl enable --now {command}" in steps[0].lines


def test_an_upgrade_names_the_restart(tmp_path: Path) -> None:
    place = make_place(tmp_path, {**PLAIN, "extensions.conf": "[from-trunk]\n"})
    wanted = make_request(tmp_path, "", None, "from-trunk", systemd=True)
    write(plan_install(place, wanted))
    plan = replace(plan_install(replace(place, units=SYSTEM_UNITS), wanted), changes=())
    for outdated, restarts in ((True, True), (False, False)):
        steps = steps_after_install(
            plan, place, Settings(), freepbx=True, new_service=False, reloaded=True, outdated=outdated
        )
        assert ("systemctl restart callsieve" in [line for step in steps for line in step.lines]) is restarts


def test_finished_steps_are_not_listed(tmp_path: Path) -> None:
    place = make_place(tmp_path, {**PLAIN, "extensions.conf": "[from-trunk]\n"})
    wanted = make_request(tmp_path, "", None, "from-trunk", systemd=True)
    write(plan_install(place, wanted))
    (place.etc / "pjsip.conf").write_text("[carrier]\ntype = endpoint\ncontext = callsieve-from-trunk\n")
    nothing = replace(plan_install(replace(place, units=SYSTEM_UNITS), wanted), changes=())
    done = steps_after_install(nothing, place, wanted.loaded.settings, freepbx=False, new_service=False, reloaded=True)
    assert done == []
