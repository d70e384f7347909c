"""The console's page of numbering plans: what is in force, what an administrator added, and its way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.changes.operation import Context
from callsieve.numbering.operations import UpdateRequest, update
from callsieve.plan_files import plan_folder
from reputation.users import Role
from tests.callsieve.browsing import NOW, Console, Office

OWN_ROWS = """\
adds_to = "US"
calling_code = 1
read = 2024-11-27

[[range]]
prefix = "+12015550199"
purpose = "call-centre"
note = "<our> partner"
"""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    context = Context("ada", Role.ADMINISTRATOR, NOW, made.load(), "ada")
    made.write(update, context, UpdateRequest(OWN_ROWS.encode(), "own.toml"))
    return made


def shown(console: Console, path: str, role: str = "operator") -> str:
    answer = console.browser(role).get(path)
    assert answer.status_code == 200
    return answer.text


def test_every_plan_links_to_its_ranges_and_sources(office: Office) -> None:
    with office.console() as console:
        page = shown(console, "/plans")
        assert '<a href="/plans?country=IN">IN</a>' in page
        assert page.count('href="/plans?country=US"') == 2, "its plan, and rows of our own"
        india = shown(console, "/plans?country=IN")
        assert "<code>+91140*</code>" in india
        assert '<a href="https://gazettetracker.com/g/CG-DL-E-18022025-261096"' in india, "the law"
        assert "<code>+1900*</code>" in shown(console, "/plans?country=CA"), "Canada's numbers are in that plan"
        assert '<h2 id="plans">' in shown(console, "/plans?country=ZZ"), "of no country there are all"


def test_own_rows_are_escaped_and_masked_for_viewers(office: Office) -> None:
    with office.console() as console:
        page = shown(console, "/plans?country=US")
        assert "<code>+12015550199*</code>" in page
        assert "&lt;our&gt; partner" in page
        assert "5550199" not in shown(console, "/plans?country=US", "viewer")


def test_unusable_plan_file_is_named(office: Office) -> None:
    (plan_folder(office.load()) / "fr.toml").write_text("country = 1")
    with office.console() as console:
        page = shown(console, "/plans")
        assert 'role="alert"' in page
        assert "fr.toml" in page


def test_only_an_administrator_undoes_a_plan(office: Office) -> None:
    path = plan_folder(office.load()) / "us-own.toml"
    assert path.is_file()
    with office.console() as console:
        assert "/plans/undo" not in shown(console, "/plans")
        browser = console.browser("administrator")
        page = browser.get("/plans").text
        number = page.split('name="id" value="')[1].split('"')[0]
        assert console.browser("operator").post("/plans/undo", id=number).status_code == 403
        assert browser.post("/plans/undo", id=number).status_code == 303
    assert not path.exists()


def test_number_page_names_the_source_of_its_range(office: Office) -> None:
    with office.console() as console:
        page = shown(console, "/numbers/%2B33162123456")
        assert '<a href="/plans?country=FR">+33162*</a>' in page
        assert "https://www.rtl.fr/" in page
        assert "shown only, not evidence" in shown(console, "/numbers/%2B12015550199")
