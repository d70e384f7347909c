"""The guidance page and the leaflet: both languages say the same things, and the figures are the company's own."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest

from callsieve.own_numbers.guidance import (
    LANGUAGES,
    MEASURES_BY_RULE,
    GuidanceFigures,
    figures_of,
    guidance_page,
    leaflet_page,
    texts_of,
)
from callsieve.settings import Actions, Settings
from reputation.model import Level, Reputation
from reputation.own.daily_counts import HealthFacts, OwnDay
from reputation.own.grades import Grade
from reputation.own.health import health_of
from reputation.store.database import open_store
from reputation.store.own_days import WeeklyRepeats, weekly_repeats
from tests.callsieve.program import Program
from tests.office import SETTINGS
from tests.reputation import own_campaigns
from tests.reputation.own_campaigns import CARELESS, OWN, campaign, run
from tests.reputation.store_builders import DAY, NOW

DAYS = OwnDay(
    OWN,
    100,
    attempts=1000,
    answered=400,
    short=60,
    unanswered=580,
    failed=20,
    abandoned=40,
    outside=10,
    people=800,
    repeated=12,
    most=5,
    called_back=33,
)
FACTS = HealthFacts(
    number=OWN, today=100, days=(DAYS,), people={28: 800}, unwanted={28: 7}, view=Reputation(3.1, Level.WARN)
)
COMPANY = GuidanceFigures([health_of(FACTS)], registered=1, due=0, do_not_call=9)


class Elements(HTMLParser):
    """Every element is closed in order, but those that have no end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def fields_in(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts() -> None:
    english, chinese = texts_of("en"), texts_of("zh")
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert fields_in(text) == fields_in(chinese[key]), key
        assert re.search(r"[\u4e00-\u9fff]", chinese[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_rule_has_its_texts_and_its_figures(language: str) -> None:
    texts, figures = texts_of(language), figures_of(COMPANY)
    assert set(figures) == set(MEASURES_BY_RULE)
    for rule in MEASURES_BY_RULE:
        assert texts[rule]
        assert texts[f"{rule}-why"]
        assert fields_in(texts[f"{rule}-you"]) | fields_in(texts[f"{rule}-why"]) <= set(figures[rule])


def test_guidance_contains_the_companys_figures() -> None:
    page = guidance_page(COMPANY, "en", NOW)
    for said in (
        "10 of 1,000 calls (1.0%) were outside calling hours.",
        "In 12 cases a person was called three times or more on one day; at most 5 times.",
        "In 40 of 1,000 calls (4.0%) you hung up too early.",
        "60 of 400 answered calls (15%) were over within six seconds.",
        "400 of 1,000 calls (40%) were answered; 20 numbers",
        "7 people have complained, or asked not to be called; 9 are on the list.",
        "People called back 33 times.",
        "1 of 1 numbers used for calls are registered here; 0 are due",
        f"{OWN}: a warning before they talk (+13)",
        "at risk",
    ):
        assert said in page
    assert 'class="you risk"' in page
    assert "10 次（1.0%）" in guidance_page(COMPANY, "zh", NOW)


def test_too_few_calls_get_no_grade_and_no_advice() -> None:
    few = health_of(replace(FACTS, days=(DAYS._replace(attempts=19, answered=19),), view=None))
    page = guidance_page(GuidanceFigures([few]), "en", NOW).partition("</style>")[2]
    assert "too few calls" in page
    assert "healthy" not in page
    assert "docs/" not in page, "who leads people who call has no documentation of ours"


def test_figures_are_summed_over_all_numbers() -> None:
    two = replace(COMPANY, numbers=[*COMPANY.numbers, *COMPANY.numbers])
    assert figures_of(two)["short"] == {"short": "120", "share": "15%", "calls": "2,000", "answered": "800"}
    assert figures_of(GuidanceFigures([]))["hours"]["share"] == "0%"


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_load_nothing_from_elsewhere(language: str) -> None:
    for page in (
        guidance_page(COMPANY, language, NOW),
        guidance_page(GuidanceFigures([]), language, NOW),
        leaflet_page(language, Settings(actions=Actions(appeal=True))),
    ):
        elements = Elements(page)
        assert elements.open == []
        assert {"script", "link", "img"}.isdisjoint(elements.seen)
        assert "http" not in page
        assert f'<html lang="{language}">' in page
        assert "{" not in page.partition("</style>")[2]


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callsieve = Program(tmp_path)
    monkeypatch.setattr(own_campaigns, "MIDNIGHT", (time.time() // DAY - 5) * DAY)
    callsieve.ok("own", "add", OWN, "--next-check", "1h")
    callsieve.ok("own", "dnc", "add", "+12017421834")
    with open_store(callsieve.store) as db:
        run(db, campaign(CARELESS, range(5)))
    out = tmp_path / "page.html"
    assert callsieve.ok("own", "guidance", "--out", out) == f"{out}: open it in a browser.\n"
    page = out.read_text()
    assert "1 of 1 numbers" in page
    assert "1 are on the list" in page
    assert Grade.AT_RISK.words in page
    assert "add --force" in callsieve.fails("own", "guidance", "--out", out)
    callsieve.ok("own", "guidance", "--out", out, "--language", "zh", "--leaflet", "--force")
    assert out.read_text() == leaflet_page("zh", Settings())
    assert "did you mean en" in callsieve.fails("own", "guidance", "--language", "enn")
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "From 9 to 20 h"),
        (["--leaflet"], "between 9 and 20 h"),
        (["--leaflet", "--language", "zh"], "9 点到 20 点"),
    ],
)
def test_hours_come_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    callsieve = Program(tmp_path, SETTINGS + "[outbound]\nfirst_hour = 9\nlast_hour = 20\n")
    monkeypatch.setattr(own_campaigns, "MIDNIGHT", (time.time() // DAY - 1) * DAY)
    with open_store(callsieve.store) as db:
        run(db, campaign(CARELESS, range(1)))
    callsieve.ok("own", "guidance", "--out", tmp_path / "page.html", *arguments)
    assert says in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(("appeal", "promised"), [("false", False), ("true", True)])
def test_the_leaflet_promises_only_what_callers_hear(tmp_path: Path, appeal: str, promised: bool) -> None:
    callsieve = Program(tmp_path, f"{SETTINGS}[actions]\nappeal = {appeal}\n")
    for language, words in (("en", ("reference", "three working days")), ("zh", ("编号", "三个工作日"))):
        out = tmp_path / f"{language}.html"
        callsieve.ok("own", "guidance", "--leaflet", "--language", language, "--out", out)
        assert [word in out.read_text() for word in words] == [promised, promised]


def test_the_leaflet_needs_no_store(tmp_path: Path) -> None:
    callsieve = Program(tmp_path)
    callsieve.ok("own", "guidance", "--leaflet", "--out", tmp_path / "leaflet.html")
    assert not callsieve.store.exists()


@pytest.mark.parametrize(
    ("days", "often"),
    [
        pytest.param({100: 1, 103: 1, 106: 1}, 1, id="three-within-seven-days"),
        pytest.param({100: 1, 103: 1, 107: 1}, 0, id="three-within-eight"),
        pytest.param({100: 3}, 1, id="three-on-a-day"),
        pytest.param({80: 3, 107: 1}, 0, id="long-ago"),
    ],
)
def test_callees_called_repeatedly_within_a_week_are_counted(tmp_path: Path, days: dict[int, int], often: int) -> None:
    with open_store(tmp_path / "store.db") as db:
        rows = [(OWN if day % 2 else "+442071838751", "+12017421834", day, calls) for day, calls in days.items()]
        db.executemany("INSERT INTO own_called (number, callee, day, calls) VALUES (?, ?, ?, ?)", rows)
        db.execute("INSERT INTO own_called (number, callee, day, calls) VALUES (?, '+12017421835', 107, 1)", (OWN,))
        assert weekly_repeats(db, 108) == WeeklyRepeats(often, 2)
