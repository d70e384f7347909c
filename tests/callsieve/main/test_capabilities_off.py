"""`[capabilities] off`: what goes, what stays, and that all comes back."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi.protocol import AgiSession, Request
from agi.screening import Screening
from callsieve.capability import Capabilities, Capability
from callsieve.daemon.store_supervisor import StoreSupervisor
from callsieve.events.checks import scheduled_checks
from callsieve.install.plan import UNIT_SUFFIXES
from callsieve.main.capabilities import ALL, CAPABILITIES, endpoints_of
from callsieve.main.console_server import PAGES, pages_of
from callsieve.settings import OPTIONAL, Loaded, SettingsError, parse_settings
from callsieve.web.request import Page
from callsieve.wiring import policies_of, site_of
from reputation.events import EventKind
from reputation.users import Role
from tests.callsieve.asking import ENABLED, ApiOffice
from tests.callsieve.browsing import SETTINGS, Console
from tests.callsieve.browsing import Office as ConsoleOffice
from tests.callsieve.program import Program, make_record
from tests.callsieve.web.test_gate import path_of
from tests.office import CALLER, ROOT

ALL_OFF = f"\n[capabilities]\noff = {list(OPTIONAL)}\n".replace("'", '"')
ON = ALL.without(OPTIONAL)
OFF = [capability for capability in CAPABILITIES if capability.is_optional]
NEVER_OFF = {
    *("lists", "identities", "people", "appeals", "policy", "numbers", "reporting", "decide", "calls", "switch"),
    *("doctor", "status", "users", "tokens", "audit", "install", "maintenance", "main"),
}
LINK = re.compile(r'(?:href|action|hx-get|src)="(/[^"?#]*)')


def ids(one: Capability) -> str:
    return one.name


def test_settings_have_a_key_for_each_optional_capability() -> None:
    assert {item.name for item in OFF} == set(OPTIONAL)
    assert {capability.name for capability in CAPABILITIES} - set(OPTIONAL) >= NEVER_OFF


@pytest.mark.parametrize("name", ["exchnge", "lists", ""])
def test_unknown_capability_is_a_settings_error(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(f'[policy]\nname = "observe"\n[capabilities]\noff = ["{name}"]\n', "/etc/c.toml")
    assert str(caught.value).startswith("/etc/c.toml: line 4: capabilities.off: ")
    assert all(item in str(caught.value) for item in OPTIONAL)


@pytest.mark.parametrize("capability", OFF, ids=ids)
def test_disabled_command_names_the_setting_that_enables_it(tmp_path: Path, capability: Capability) -> None:
    program = Program(tmp_path)
    program.config.write_text(program.config.read_text() + ALL_OFF)
    by_units = {unit.command for unit in capability.units}
    for command in capability.commands:
        for words in (command.split(), [*command.split(), "--help"]):
            result = program(*words)
            assert (result.code, result.out) == (78 if command in by_units else 2, "")
            assert len(result.err.splitlines()) == 1
            assert {"[capabilities]", capability.name} <= set(re.findall(r"\[\w+\]|\w+", result.err))


def test_commands_of_enabled_capabilities_remain(tmp_path: Path) -> None:
    program = Program(tmp_path)
    assert "consent" in program.ok("own", "--help")
    program.config.write_text(program.config.read_text() + ALL_OFF)
    shown = program.ok("own", "--help")
    assert ("consent" in shown, "dnc" in shown) == (False, True)
    first_words = re.findall(r"^│ ([a-z-]+) ", program.ok("help", "all"), re.MULTILINE)
    assert {"exchange", "hub", "digest"}.isdisjoint(first_words)
    assert {"own", "list"} <= set(first_words)


def test_broken_settings_leave_commands_on(tmp_path: Path) -> None:
    """The command itself says what is wrong with the settings."""
    program = Program(tmp_path)
    program.config.write_text('[capabilities]\noff = ["exchange", "lists"]\n')
    assert "capabilities.off" in program.fails("exchange", "status")
    assert program("doctor").code != 2


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """With everything off that can be."""
    with ConsoleOffice(tmp_path_factory.mktemp("office"), SETTINGS + ALL_OFF).console() as console:
        yield console


def test_pages_of_disabled_capabilities_are_gone(console: Console) -> None:
    browser = console.browser("administrator")
    gone = [page for page in PAGES if page not in pages_of(ON)]
    for page in gone:
        answer = browser.get(path_of(page)) if page.method == "GET" else browser.post(path_of(page))
        assert answer.status_code in (404, 405), page.path
    assert {"/exchange", "/events", "/own/consents", "/sites"} <= {page.path for page in gone}
    places = {entry.path for item in OFF for entry in item.navigation}
    assert places
    assert places.isdisjoint(LINK.findall(browser.text("/account")))


@pytest.mark.parametrize(
    "capability", [capability_ for capability_ in CAPABILITIES if capability_.has_templates], ids=ids
)
def test_templates_check_before_linking_to_optional_pages(capability: Capability) -> None:
    owners = [(re.compile(_pattern_of(page)), item.name) for item in OFF for page in pages_of(Capabilities((item,)))]
    others = [re.compile(_pattern_of(page)) for page in pages_of(ON)]
    for template in (ROOT / "callsieve" / capability.name / "web" / "templates").glob("*.html"):
        for line in template.read_text().splitlines():
            for link in LINK.findall(re.sub(r"\{\{.*?\}\}", "x", line)):
                owner = next((name for pattern, name in owners if pattern.fullmatch(link)), capability.name)
                is_safe = owner == capability.name or any(other.fullmatch(link) for other in others)
                assert is_safe or f'"{owner}" in on' in line, (template.name, link)


def _pattern_of(page: Page) -> str:
    return re.sub(r"\{[^}]*\}", "[^/]+", page.path)


def test_endpoints_of_disabled_capabilities_are_gone(tmp_path: Path) -> None:
    gone = endpoints_of(Capabilities(tuple(OFF)))
    assert gone
    with ApiOffice(tmp_path, SETTINGS + ENABLED + ALL_OFF).api() as api:
        program = api.program(Role.ADMINISTRATOR)
        for endpoint in gone:
            answer = program.ask(endpoint.method, re.sub(r"\{\w+\}", "x", endpoint.path))
            assert (answer.status, answer.code) == (404, "no-such-endpoint") or answer.status == 405, endpoint.path
        paths = program.get("/openapi.json")["paths"]
    kept = {endpoint_.path for endpoint_ in endpoints_of(ON)}
    assert {path.removeprefix("/api/v1") for path in paths} & {item.path for item in gone} <= kept


def test_documentation_lists_the_optional_capabilities() -> None:
    page = (ROOT / "docs" / "how-to" / "services.md").read_text()
    section = page.partition("### Parts that you do not use")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(OPTIONAL)


def test_every_systemd_unit_belongs_to_a_capability() -> None:
    files = {path.name for path in (ROOT / "asterisk-conf").iterdir() if path.suffix in UNIT_SUFFIXES}
    assert sorted(unit.name for capability in CAPABILITIES for unit in capability.units) == sorted(files)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=ids)
def test_systemd_unit_files_match_the_declared_units(capability: Capability) -> None:
    """A unit whose capability is off ends with 78: systemd then leaves it alone."""
    for unit in capability.units:
        text = (ROOT / "asterisk-conf" / unit.name).read_text()
        assert re.findall(r"^ExecStart=@CALLSIEVE@ (.*)$", text, re.MULTILINE) == [unit.command] * bool(unit.command)
        prevented = re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
        assert prevented == ["78"] * (capability.is_optional and bool(unit.command))


def test_data_of_disabled_capabilities_are_exported_and_erased(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.ok("own", "consent", "add", CALLER, "--proof", "form 12")
    program.add_decisions(make_record("OLDER111", at=time.time() - 91 * 86_400.0))
    was_on = program.config.read_text()
    program.config.write_text(was_on + ALL_OFF)
    assert program("privacy", "export", CALLER).json["tables"]["consent"]
    did = {item["job"]: item["did"] for item in program("housekeeping", "run", "--json").json}
    assert did["retention"] == {"decision": 1}
    program.ok("privacy", "erase", CALLER, "--yes")
    assert not program("privacy", "export", CALLER).json["tables"].get("consent")


def test_enabling_again_restores_everything(tmp_path: Path) -> None:
    """Nothing is migrated: the store has the version that it had."""
    program = Program(tmp_path)
    program.ok("own", "consent", "add", CALLER, "--proof", "form 12")
    was_on, before = program.config.read_text(), program("own", "consent", "list", "--json").json
    version = program.read(lambda db: db.execute("PRAGMA user_version").fetchone())
    program.config.write_text(was_on + ALL_OFF)
    assert program("own", "consent", "list").code == 2
    program.ok("list", "add", "block", CALLER)
    program.config.write_text(was_on)
    assert program("own", "consent", "list", "--json").json == before
    assert program.read(lambda db: db.execute("PRAGMA user_version").fetchone()) == version


async def test_disabled_capabilities_do_not_change_decisions(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.ok("list", "add", "block", CALLER)
    program.ok("own", "consent", "add", "+442071838751", "--proof", "form 12")
    was_on = program.config.read_text()
    for caller in (CALLER, "+12015550123", "anonymous"):
        answers = []
        for settings in (was_on, was_on + ALL_OFF):
            program.config.write_text(settings)
            answers.append(await _answer(program.load(), caller))
        assert answers[0] == answers[1]
        assert (b"CALLSIEVE_ACTION=reject" in answers[0]) is (caller == CALLER)


async def _answer(loaded: Loaded, caller: str) -> bytes:
    """Return what Asterisk is told about a call."""
    session = AgiSession()
    session.receive_data(f"agi_request: screen\nagi_callerid: {caller}\nagi_arg_1: trunk=carrier\n\n".encode())
    request = session.next_event()
    assert isinstance(request, Request)
    store = StoreSupervisor(loaded.store_path)
    await store.start()
    try:
        screening = Screening(site_of(loaded.settings), policies_of(loaded), store, lambda: "7KQ2M4XA", 60.0)
        return await screening.answer(request)
    finally:
        await store.close()


@pytest.mark.parametrize("words", [("events", "send"), ("hub", "run"), ("exchange", "run"), ("own", "watch", "ask")])
def test_disabled_unit_exits_with_status_78(tmp_path: Path, words: tuple[str, ...]) -> None:
    program = Program(tmp_path)
    program.config.write_text(program.config.read_text() + ALL_OFF)
    assert program.process(*words).code == 78


def test_doctor_lists_disabled_capabilities_and_skips_them(tmp_path: Path) -> None:
    program = Program(tmp_path)
    on = {item["name"]: item for item in program("doctor", "--json").json}
    program.config.write_text(program.config.read_text() + ALL_OFF)
    off = {item["name"]: item for item in program("doctor", "--json").json}
    assert (off["capabilities"]["status"], on["capabilities"]["status"]) == ("ok", "ok")
    assert "exchange" in off["capabilities"]["detail"]
    assert {"events", "exchange", "hub"} <= on.keys() - off.keys()


def test_scheduled_checks_of_disabled_capabilities_are_gone() -> None:
    kinds = {kind for check in scheduled_checks(ON) for kind in check.kinds}
    assert EventKind.APPEAL_DUE in kinds
    assert kinds.isdisjoint({EventKind.EXCHANGE_STALE, EventKind.HUB_STALE, EventKind.DIGEST_READY})
