"""Our own numbers in the browser: the register with grades, and one number with its figures and days."""

from __future__ import annotations

import re
import sqlite3
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest

from callsieve.lists.views import MOST_SHOWN
from callsieve.own_numbers.guidance import company_of, guidance_page, leaflet_page
from callsieve.settings import Settings
from callsieve.web.security_headers import HEADERS, POLICY, POLICY_HEADER
from reputation.own.register import OwnNumber
from reputation.own.suspicion import Network, Suspicion
from reputation.store.database import open_store
from reputation.store.own_health import grade_all, record_suspicions
from reputation.store.own_labels import LabelCheck, put_label_check
from reputation.store.own_register import put_own
from tests.callsieve.browsing import NOW, Console, Office
from tests.callsieve.web.test_hostile import MARKUP, elements_of
from tests.reputation import own_campaigns
from tests.reputation.own_campaigns import CARELESS, CONSIDERATE, OWN, campaign, run
from tests.reputation.store_builders import DAY

SALES, QUIET = "+442071838751", "+442071838752"


@pytest.fixture(scope="module")
def store_with_campaigns(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two numbers have called for ten days, the second as nobody should and unregistered; the third is due."""
    office = Office(tmp_path_factory.mktemp("office"))
    with pytest.MonkeyPatch.context() as patch, open_store(office.store) as db:
        patch.setattr(own_campaigns, "MIDNIGHT", (NOW // DAY - 10) * DAY)
        run(db, campaign(CONSIDERATE, range(10)))
        run(db, campaign(replace(CARELESS, calls_a_day=60), range(10), SALES, first=2000))
    office.write(put_own, OwnNumber(number=OWN, name="Acme Care", purpose="reminders", since=NOW, added_at=NOW))
    office.write(put_own, OwnNumber(number=QUIET, registered=("the carrier",), since=NOW, next_check_at=NOW + DAY))
    return office.store.read_bytes()


@pytest.fixture
def office(tmp_path: Path, store_with_campaigns: bytes) -> Office:
    office = Office(tmp_path)
    office.store.write_bytes(store_with_campaigns)
    return office


def test_list_shows_grades_unregistered_and_due_numbers(console: Console) -> None:
    page = console.browser("operator").text("/own")
    assert re.findall(r'<strong class="s-unknown">([^<]*)<', page) == ["too few calls"], "of the one without calls"
    for text in (OWN, "Acme Care", "healthy", SALES, "at risk", "the called people would see the number at level"):
        assert text in page, text
    assert "the carrier" in page


def test_long_register_is_paged_and_searched(console: Console, office: Office) -> None:
    otto = console.browser("operator")
    assert 'id="q"' not in otto.text("/own"), "a short one needs no search"

    def desks(db: sqlite3.Connection) -> None:
        for place in range(MOST_SHOWN):
            put_own(db, OwnNumber(number=f"+442071839{place:03d}", name=f"Desk {place}"))

    office.write(desks)
    page = otto.text("/own")
    assert page.count('href="/own/%2B44') == MOST_SHOWN + 2, "with one that is not registered, and one that is due"
    assert f"Only the first {MOST_SHOWN} entries are shown" in page
    found = otto.client.get("/own", params={"q": "desk 499"}).text
    assert "+442071839499" in found
    assert "+442071839498" not in found
    assert "1 / 502" in found
    assert "No number matches." in otto.client.get("/own", params={"q": "nobody"}).text


def test_number_page_has_figures_days_and_the_callees_view(console: Console) -> None:
    otto = console.browser("operator")
    page = otto.text(f"/own/{SALES}")
    for text in ("at risk", "challenge", "answered, but ended within 6 s", "The number is not registered."):
        assert text in page, text
    assert page.count('<rect class="away"') == 10
    assert "No problems with the number." in otto.text(f"/own/{OWN}")
    assert "Marks alone never stop your calls, however many there are." in page
    assert "Marks alone never stop your calls, however many there are." in otto.text(f"/numbers/{OWN}")
    quiet = otto.text(f"/own/{QUIET}")
    assert "too few calls for a grade" in quiet
    assert '<small class="s-unknown">too few calls</small>' in quiet
    for text in ("would see it as", "No problems with the number.", "latest day", "healthy"):
        assert text not in main_of(quiet), text


def test_figures_above_a_limit_are_labelled_in_words(console: Console) -> None:
    otto = console.browser("operator")
    page = otto.text(f"/own/{SALES}")
    row = re.search(r'<th scope="row">answered, but ended within 6 s</th>.*?</tr>', page, re.DOTALL)
    assert row
    assert re.findall(r'>(watch|at risk):</span> <span class="part">[0-9]+ \([0-9]+%\)<', row[0]) == [
        "watch",
        "at risk",
        "at risk",
    ]
    assert "10% · 15%" in row[0]
    days = page.partition('class="bars days"')[2]
    assert days.count('class="limit"') == 20
    assert len(re.findall(r'class="s-warn"><span class="part">watch:</span> <span class="part">[0-9]+%<', days)) >= 10
    assert not re.search(r">(watch|at risk):<", otto.text(f"/own/{OWN}"))


CHINESE = {"accept-language": "zh"}
# What stands there in English whatever the language: names, what somebody typed, or is to type.
NOT_OURS = re.compile(r"CallSieve|CSV|PNG|JPEG|WebP|never|Acme Care|reminders|(?:the )?carrier")


def main_of(page: str) -> str:
    """What a page shows, without the frame that all pages have."""
    return re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("</main>")[0].partition(">")[2])


def test_chinese_pages_contain_no_english_reason(console: Console, office: Office) -> None:
    otto = console.browser("operator")
    pages = [main_of(otto.text(path, headers=CHINESE)) for path in ("/own", f"/own/{SALES}", f"/own/{QUIET}")]
    for page in pages:
        assert re.findall(r"[A-Za-z]{3,}", NOT_OURS.sub("", page)) == [], page
    assert "会看到它的级别为“验证”" in pages[0]
    assert "核对登记内容是否仍然正确：the carrier" in pages[0]
    assert "接通的外呼中" in pages[1]
    assert "28 天内 0 次，至少要 20 次" in pages[2]


def test_stored_grades_are_shown_in_chinese(console: Console, office: Office) -> None:
    otto = console.browser("operator")
    fresh = otto.text("/own", headers=CHINESE)
    with open_store(office.store) as db:
        assert grade_all(db, NOW - 60) == 2
    assert main_of(otto.text("/own", headers=CHINESE)) == main_of(fresh)


@pytest.mark.parametrize("path", ["/own/+442071838799", "/own/42", "/own/x"])
def test_number_that_is_not_ours_has_no_page(console: Console, path: str) -> None:
    assert console.browser("operator").get(path).status_code == 404


def test_texts_of_the_register_are_escaped(console: Console, office: Office) -> None:
    otto = console.browser("operator")
    harmless = [elements_of(otto.text(path)) for path in ("/own", f"/own/{OWN}")]
    for text in MARKUP:
        hostile = {"name": text, "purpose": text, "owner": text, "trunks": (text,), "documents": (text,)}
        office.write(put_own, OwnNumber(number=OWN, since=NOW, registered=(text,), **hostile))  # type: ignore[arg-type]
        found = [elements_of(otto.text(path)) for path in ("/own", f"/own/{OWN}")]
        assert all(after <= before for before, after in zip(harmless, found, strict=True)), text


def test_empty_register_page_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with Office(folder).console() as console:
        page = console.browser("operator").text("/own")
    assert "No number is registered." in page
    assert "No task is due" in page


@pytest.mark.parametrize(
    ("language", "title"), [("en", "How not to be marked as spam"), ("zh", "怎样避免被标记为骚扰电话")]
)
def test_guidance_has_our_figures_in_the_users_language(
    console: Console, office: Office, language: str, title: str
) -> None:
    otto = console.browser("operator")
    otto.done("/preferences", language=language, next="/own")
    page = otto.text("/own/guidance")
    told = office.read(company_of, NOW, office.load().settings)
    assert page == guidance_page(told, language, NOW)
    assert {number.facts.number for number in told.numbers} == {OWN, SALES}
    assert f"<h1>{title}</h1>" in page
    assert otto.text("/own/leaflet") == leaflet_page(language, Settings())
    for name in ("guidance", "leaflet"):
        answer = otto.get(f"/own/{name}?download=yes")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}-{language}.html"'
        assert answer.text == otto.text(f"/own/{name}")
        assert f'href="/own/{name}"' in otto.text("/own")


@pytest.mark.parametrize("path", ["/own/guidance", "/own/leaflet"])
def test_documents_allow_only_their_own_style(console: Console, path: str) -> None:
    answer = console.browser("operator").get(path)
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert answer.headers[POLICY_HEADER] == POLICY.replace("style-src 'self'", f"style-src 'sha256-{digest}'")
    assert "script" not in answer.text
    assert {name: answer.headers[name] for name in HEADERS if name != POLICY_HEADER} == {
        name: value for name, value in HEADERS.items() if name != POLICY_HEADER
    }


def test_suspected_label_is_shown_with_its_platforms(console: Console, office: Office) -> None:
    found = [Suspicion(Network("US"), "answered", 0.41, 0.18, 900, 300, 0.9991)]
    found.append(Suspicion(Network("JP", "KDDI"), "blocked", 0.0, 0.3, 900, 300, 0.9991))
    office.write(record_suspicions, OWN, found, NOW)
    otto = console.browser("operator")
    page = otto.text(f"/own/{OWN}")
    assert "US: 18% of the calls in the last 7 days were answered" in page
    assert "KDDI (JP): networks refused 30% of the calls in the last 7 days" in page
    for text in (
        "First Orion: on the network T-Mobile",
        "Hiya: on phones of Samsung",
        "We found no page that says",
    ):
        assert text in page, text
    link = f"/own/{OWN}?do=watch&platform=First%20Orion"
    assert f'href="{link.replace("+", "%2B").replace("&", "&amp;")}#watch"' in page
    assert 'value="First Orion"' in otto.text(link)
    assert "check on a phone in KDDI (JP)" in otto.text("/own")


def test_platform_labels_are_shown_before_our_grade(console: Console, office: Office) -> None:
    labelled = "+12025550188"
    office.write(put_own, OwnNumber(number=labelled, name="Lamps Ltd", since=NOW, added_at=NOW))
    for platform, label in (("Hiya", MARKUP[0]), ("Carrier", "")):
        office.write(put_label_check, LabelCheck(labelled, platform, NOW - DAY, label))
    browser = console.browser("operator")
    page, register = browser.text(f"/own/{quote(labelled)}"), browser.text("/own")
    assert page.index('id="looks"') < page.index('id="why"')
    heading = page.partition("<h1>")[2].partition("</h1>")[0]
    assert (escape(MARKUP[0]) in heading, "Carrier" in heading) == (True, False)
    rows = register.partition('id="register"')[2]
    assert rows.index(quote(labelled)) < rows.index(quote(OWN))
    assert MARKUP[0] not in page + register
