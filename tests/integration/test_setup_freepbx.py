"""`callsieve setup` on FreePBX installs the module, and prints whether calls are screened.

FreePBX is a stand-in of ours: its files, and an `fwconsole` that does to them what the real one does at a reload.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.setup.freepbx import module_source
from lab import Answering, CallSpec, Carrier, Phone
from lab.php import ensure_php
from lab.screened import ROOT
from tests.integration.bare import Office, bare_office
from tests.integration.test_freepbx_module import ALICE, GENERATED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # a setup runs six commands

EXTENSIONS = (
    "#include extensions_additional.conf\n#include extensions_custom.conf\n[from-carrier]\ninclude => from-trunk\n"
)
FWCONSOLE = """\
#!/bin/sh
echo "$@" >> {log}
case "$*" in
"ma delete callsieve") rm -r {modules}/callsieve ;;
reload)
    if [ -d {modules}/callsieve ]; then {splice} < {generated} > {additional}; else cp {generated} {additional}; fi
    {asterisk} -rx "dialplan reload" ;;
esac
"""


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with bare_office("", tmp_path / "state") as office:
        etc = office.etc
        modules = tmp_path / "html/admin/modules"
        modules.mkdir(parents=True)
        (etc.parent / "amportal.conf").write_text(f"AMPDBNAME=asterisk\nAMPWEBROOT={tmp_path}/html\n")
        (tmp_path / "generated.conf").write_text(GENERATED)
        (etc / "extensions_additional.conf").write_text(GENERATED)
        (etc / "extensions_custom.conf").write_text("")
        (etc / "extensions.conf").write_text(EXTENSIONS)
        (etc / "manager_custom.conf").write_text("")
        with (etc / "manager.conf").open("a") as file:
            file.write("#include manager_custom.conf\n")
        office.asterisk.cli("dialplan reload")
        script = tmp_path / "fwconsole"
        script.write_text(
            FWCONSOLE.format(
                log=tmp_path / "fwconsole.log",
                modules=modules,
                splice=shlex.join([ensure_php(), str(ROOT / "freepbx/tests/splice.php")]),
                generated=tmp_path / "generated.conf",
                additional=etc / "extensions_additional.conf",
                asterisk=shlex.join([*office.asterisk.paths.asterisk, "-C", str(etc / "asterisk.conf")]),
            )
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")  # no espeak-ng: building prompts takes long
        office.daemon.start()
        yield office


def setup(office: Office, *options: str) -> list[str]:
    units = str(office.daemon.state / "units")
    words = ("setup", "--etc", str(office.etc), "--systemd-dir", units, "--yes", *options)
    return office.run(*words, seconds=300).splitlines()


def test_one_command_installs_and_removes_the_module(office: Office, tmp_path: Path) -> None:
    installed = tmp_path / "html/admin/modules/callsieve"
    installed.mkdir()
    (installed / "of-an-earlier-version.php").write_text("")
    said = setup(office, "--policy", "cautious")
    assert any(line.startswith("screened: yes") and "policy: cautious" in line for line in said), "\n".join(said)
    names = {str(path.relative_to(module_source())) for path in module_source().rglob("*")}
    assert names == {str(path.relative_to(installed)) for path in installed.rglob("*")}
    assert (tmp_path / "fwconsole.log").read_text().splitlines() == ["ma install callsieve --autoenable", "reload"]
    with Phone(office.asterisk, "201", Answering()):
        assert Carrier(office.asterisk).call(CallSpec(caller="+12015550100", did=ALICE)).code == 200
    office.daemon.wait_for_log("call ")

    setup(office, "--undo")
    assert not installed.exists()
    shown = office.asterisk.cli("dialplan show")
    assert "Context 'app-callsieve" not in shown
    assert "Context 'callsieve" not in shown


def test_a_freepbx_without_fwconsole_is_unchanged(office: Office, tmp_path: Path) -> None:
    (tmp_path / "fwconsole").unlink()
    said = setup(office)
    assert any(line.startswith("screened: no") for line in said), "\n".join(said)
    assert list((tmp_path / "html/admin/modules").iterdir()) == []
