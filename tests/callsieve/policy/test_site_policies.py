"""Policies of other sites as the console, programs and the doctor have them. How they come: tests/callsieve/hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callsieve.doctor.finding import CheckContext
from callsieve.health import CheckStatus
from callsieve.hub.administration import SiteLogin, write_secret
from callsieve.hub.checks import is_exchanged
from callsieve.hub.operations import secret_path
from callsieve.policy.central import note_arrived
from callsieve.site_policies import digest_of, site_policy_files
from reputation.store.hub.link import note_pulled, set_link
from reputation.store.site import PublishedPolicy, all_published, put_published
from tests.callsieve.asking import ENABLED, ApiOffice
from tests.callsieve.browsing import NOW, SETTINGS, Console, Office

HUB = '\n[hub]\naddress = "postgresql://hub.example.com/callsieve"\nsite = "berlin"\nfollow = ["head-office"]\n'
OFFICE = "head-office:office"
TEXT = 'extends = "strict"\n# of head office\n'


def tell(office: Office, text: str = TEXT) -> None:
    """As the hub's process does."""
    policy = PublishedPolicy(OFFICE, text, "new rules", NOW - 60)
    office.write(put_published, policy)
    note_arrived(office.load(), [policy])


@pytest.fixture
def branch(tmp_path: Path) -> Office:
    return Office(tmp_path, SETTINGS + HUB)


@pytest.fixture
def console(branch: Office) -> Iterator[Console]:
    tell(branch)
    with branch.console() as console:
        yield console


def test_an_administrator_compares_and_accepts(branch: Office, console: Console) -> None:
    ada = console.browser("administrator")
    page = ada.get("/policies").text
    assert f"/policies/compare?from=cautious&amp;to={OFFICE}.new" in page
    assert ada.get(f"/policies/compare?from=cautious&to={OFFICE}.new").status_code == 200
    assert "of head office" in ada.get(f"/policies/draft?from={OFFICE}.new").text
    old = ada.post("/policies/accept", name=OFFICE, digest=digest_of("something else"))
    assert old.status_code == 422
    assert site_policy_files(branch.load()) == {f"{OFFICE}.new"}
    assert ada.post("/policies/accept", name=OFFICE, digest=digest_of(TEXT)).status_code == 303
    assert site_policy_files(branch.load()) == {OFFICE}
    assert ada.post("/policies/activate", name=OFFICE).status_code == 303
    assert OFFICE in ada.get("/policies").text


def test_publishing_site_publishes_and_withdraws_a_policy(branch: Office, console: Console) -> None:
    ada = console.browser("administrator")
    assert ada.post("/policies/publish", **{"as": "office", "note": "first"}).status_code == 303
    assert [(item.name, item.note) for item in branch.read(all_published)] == [
        (OFFICE, "new rules"),
        ("office", "first"),
    ]
    assert ada.post("/policies/withdraw", name="office").status_code == 303
    assert ada.post("/policies/withdraw", name=OFFICE).status_code == 422
    assert [item.name for item in branch.read(all_published)] == [OFFICE]


def test_broken_published_policy_is_shown_with_its_problem(branch: Office, console: Console) -> None:
    name, text = "head-office:night", 'extends = "strict"\nobsrve = true\n'
    branch.write(put_published, PublishedPolicy(name, text, "", NOW))
    page = console.browser("viewer").get("/policies").text
    assert "unknown key obsrve" in page
    assert f"/policies/named/{name}" not in page  # there is no file of it


def test_api_accepts_and_publishes_policies(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path, ENABLED + SETTINGS + HUB)
    tell(office)
    with office.api() as api:
        program = api.program()
        done = program.done("POST", f"/policies/{OFFICE}/accept")
        assert (done["policy"], done["in_force_for"]) == (OFFICE, [])
        assert program.done("POST", f"/policies/{OFFICE}/activate")["policy"] == OFFICE
        found = {item["name"]: (item["site"], item["in_force_for"]) for item in program.get("/policies")["items"]}
        assert found[OFFICE] == ("head-office", ["all calls"])
        assert program.refused("POST", f"/policies/{OFFICE}/accept") == (409, "accepted-already")
        assert program.refused("POST", "/policies/paris:office/accept") == (404, "no-such-policy")
        assert program.done("POST", "/policies/strict/publish", {"publish_as": "night"})["policy"] == "night"
        assert program.refused("POST", "/policies/strict/publish", {}) == (422, "unusable-name")
        assert program.done("POST", "/policies/night/withdraw")["policy"] == "night"
        assert program.refused("POST", "/policies/night/withdraw") == (404, "not-published")


def test_doctor_names_unusable_published_policies(branch: Office) -> None:
    loaded = branch.load()
    branch.write(set_link, "berlin", "main", "hub")
    branch.write(note_pulled, NOW)
    write_secret(secret_path(loaded), SiteLogin("role", "password"))
    answers: dict[str, str] = {}
    context = CheckContext(loaded, answers.__getitem__, NOW + 1)
    assert is_exchanged(context).status is CheckStatus.OK
    tell(branch, "obsrve = true\n")
    finding = is_exchanged(context)
    assert finding.status is CheckStatus.WARN
    assert not isinstance(finding.detail, str)
    assert finding.detail.places == {"names": OFFICE}
