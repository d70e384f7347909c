"""`callsieve setup` on a real Asterisk: its trunks go through CallSieve, and everything can be undone."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import CallSpec, Carrier, Phone
from tests.integration.bare import Office, bare_office
from tests.waiting import wait_until

DIALPLAN = """\
[from-carrier]
exten => _[+0-9].,1,Dial(PJSIP/201,20,${CALLSIEVE_DIAL})

[from-internal]
exten => 112,1,Hangup()
"""


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with bare_office(DIALPLAN, tmp_path / "state") as office:
        monkeypatch.setenv("PATH", str(tmp_path))  # no espeak-ng: building prompts takes long, and setup goes on
        yield office


def setup(office: Office, *options: str, code: int = 0) -> str:
    units = str(office.daemon.state / "units")
    return office.run(
        "setup", "--etc", str(office.etc), "--systemd-dir", units, "--yes", *options, code=code, seconds=300
    )


def context_of(office: Office, trunk: str) -> str:
    found = re.search(r"^\s*context\s+: (\S+)", office.asterisk.cli(f"pjsip show endpoint {trunk}"), re.MULTILINE)
    assert found
    return found[1]


def test_setup_screens_the_chosen_trunk_and_can_be_undone(office: Office) -> None:
    before = office.files()
    setup(office, "--trunk", "carrier")
    assert context_of(office, "carrier") == "callsieve-from-carrier"
    assert context_of(office, "carrier2") == "from-carrier"
    office.daemon.start()
    with Phone(office.asterisk, "201"):
        assert Carrier(office.asterisk).call(CallSpec(caller="+12015550100", did="+442071838750")).code == 200
    office.daemon.wait_for_log("call ")
    written = office.files()
    setup(office, "--trunk", "carrier")  # again: nothing is left to change
    assert {path: text for path, text in office.files().items() if written.get(path) != text and "/etc/" in path} == {}

    office.daemon.stop()
    setup(office, "--undo")
    assert context_of(office, "carrier") == "from-carrier"
    after = office.files()
    assert {path for path in before if after.get(path) != before[path]} == set()
    assert {path for path in after if path not in before and "/etc/" in path} == set()


def test_setup_screens_all_trunks_by_default(office: Office) -> None:
    setup(office)
    assert {context_of(office, trunk) for trunk in ("carrier", "carrier2")} == {"callsieve-from-carrier"}
    assert {context_of(office, phone) for phone in ("201", "202")} == {"from-internal"}


def test_a_context_of_a_template_is_overridden_in_the_section(office: Office) -> None:
    path = office.etc / "pjsip.conf"
    text = path.read_text().replace("context = from-carrier\n", "")
    path.write_text(text.replace("[lab-endpoint](!)\n", "[lab-endpoint](!)\ncontext = from-carrier\n"))
    office.asterisk.cli("module reload res_pjsip.so")
    before = path.read_text()
    setup(office, "--trunk", "carrier2")
    assert context_of(office, "carrier2") == "callsieve-from-carrier"
    assert context_of(office, "carrier") == "from-carrier"
    setup(office, "--undo")
    assert path.read_text() == before


def test_files_are_restored_if_asterisk_does_not_load_them(office: Office) -> None:
    """The dialplan has an error of the administrator's, which the reload meets first."""
    extensions = office.etc / "extensions.conf"
    extensions.write_text(extensions.read_text() + '#include "is-not-there.conf"\n')
    before = office.files()
    said = setup(office, "--trunk", "carrier", code=2)
    assert office.files() == before, said
    assert context_of(office, "carrier") == "from-carrier"


def test_a_dry_run_and_an_unknown_trunk_write_nothing(office: Office) -> None:
    before = office.files()
    setup(office, "--dry-run")
    assert office.files() == before
    setup(office, "--trunk", "carier", code=2)
    setup(office, "--policy", "strickt", code=2)
    assert office.files() == before


def test_setup_is_undone_while_asterisk_is_stopped(office: Office) -> None:
    before = (office.etc / "pjsip.conf").read_bytes()
    setup(office, "--trunk", "carrier")
    office.asterisk.terminate()
    setup(office, "--undo")
    assert (office.etc / "pjsip.conf").read_bytes() == before
    assert not (office.etc / "callsieve.d").exists()
    office.asterisk.start()
    assert context_of(office, "carrier") == "from-carrier"


def test_new_settings_describe_every_trunk(office: Office) -> None:
    """Otherwise they would count as phones. A later run adds only a new trunk."""
    office.daemon.config.write_text(office.daemon.config.read_text().partition("[[trunk]]")[0])
    setup(office, "--trunk", "carrier")
    assert "[[trunk]]" not in office.daemon.config.read_text()
    office.daemon.config.write_text(
        f'{office.daemon.config.read_text()}\n[[trunk]]\nname = "a"\nchannels = "PJSIP/carrier-*"\n'
    )
    setup(office, "--trunk", "carrier2")
    described = tomllib.loads(office.daemon.config.read_text())["trunk"]
    assert [(trunk["name"], trunk["channels"]) for trunk in described] == [
        ("a", "PJSIP/carrier-*"),
        ("carrier2", "PJSIP/carrier2-*"),
    ]


def test_a_trunk_described_by_setup_is_named_in_its_calls(office: Office) -> None:
    setup(office, "--trunk", "carrier2")
    assert tomllib.loads(office.daemon.config.read_text())["trunk"][-1]["name"] == "carrier2"
    office.run("policy", "check")
    office.daemon.start()
    with Phone(office.asterisk, "201"):
        assert (
            Carrier(office.asterisk, "carrier2").call(CallSpec(caller="+12015550100", did="+442071838750")).code == 200
        )
    wait_until(lambda: '"trunk": "carrier2"' in office.run("calls", "show", "--json"), "a call that names its trunk")
