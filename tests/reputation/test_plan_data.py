"""The shipped numbering plans: the purposes of each country's ranges, and that evidence needs a source."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reputation.plan.loader import shipped_plans
from reputation.plan.rows import NumberPlan, PlanFile, Purpose

PLAN = NumberPlan(shipped_plans())
NUMBERS = Path(__file__).parents[2] / "docs" / "reference" / "numbers.md"
NOW = "2026-11-27"


def at(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("number", "day", "purpose"),
    [
        pytest.param("+8695588", NOW, "bank", id="cn-icbc"),
        pytest.param("+8695338", NOW, "service", id="cn-courier"),
        pytest.param("+86951234", NOW, "call-centre", id="cn-call-centre-of-six-digits"),
        pytest.param("+8695123456", NOW, "call-centre", id="cn-call-centre-with-more-digits"),
        pytest.param("+8695110", NOW, "government", id="cn-coast-guard"),
        pytest.param("+8696123", NOW, "service", id="cn-province"),
        pytest.param("+8610086", NOW, "service", id="cn-carrier"),
        pytest.param("+8612345", NOW, "government", id="cn-citizens"),
        pytest.param("+864006123456", NOW, "service", id="cn-400"),
        pytest.param("+869557012345", NOW, None, id="cn-landline-of-zhongwei-is-no-955"),
        pytest.param("+8613800138000", NOW, None, id="cn-mobile"),
        pytest.param("+33162123456", NOW, "telemarketing", id="fr-0162"),
        pytest.param("+33162123456", "2022-12-31", None, id="fr-0162-before-it-began"),
        pytest.param("+33162123456", "2023-01-01", "telemarketing", id="fr-0162-on-its-first-day"),
        pytest.param("+33948123456", NOW, "telemarketing", id="fr-0948"),
        pytest.param("+33947512345", NOW, "telemarketing", id="fr-guadeloupe"),
        pytest.param("+590947512345", NOW, "telemarketing", id="gp"),
        pytest.param("+594947612345", NOW, "telemarketing", id="gf"),
        pytest.param("+596947712345", NOW, "telemarketing", id="mq"),
        pytest.param("+262947912345", NOW, "telemarketing", id="re"),
        pytest.param("+33939123456", NOW, "service", id="fr-platform"),
        pytest.param("+33970123456", NOW, "voip", id="fr-09"),
        pytest.param("+33899123456", NOW, None, id="fr-0899-is-not-in-the-plan"),
        pytest.param("+33893123456", NOW, "premium", id="fr-0893"),
        pytest.param("+333639", NOW, "service", id="fr-3639"),
        pytest.param("+33142685300", NOW, None, id="fr-paris"),
        pytest.param("+911401234567", NOW, "telemarketing", id="in-140"),
        pytest.param("+911600112345", "2025-01-01", "government", id="in-1600-of-government-first"),
        pytest.param("+911600112345", NOW, "service", id="in-1600-of-banks-and-government"),
        pytest.param("+911601112345", NOW, "bank", id="in-1601"),
        pytest.param("+911123456789", NOW, None, id="in-delhi"),
        pytest.param("+447012345678", NOW, "personal", id="gb-070"),
        pytest.param("+449098790000", NOW, "premium", id="gb-090"),
        pytest.param("+442079460123", NOW, "unallocated", id="gb-drama"),
        pytest.param("+447700900461", NOW, "unallocated", id="gb-drama-mobile"),
        pytest.param("+443001234567", NOW, "service", id="gb-0300"),
        pytest.param("+44118123", NOW, "premium", id="gb-118-directory"),
        pytest.param("+441183012345", NOW, None, id="gb-reading-is-no-118"),
        pytest.param("+442071838750", NOW, None, id="gb-london"),
        pytest.param("+19001234567", NOW, "premium", id="us-900"),
        pytest.param("+15212345678", NOW, "personal", id="us-521"),
        pytest.param("+14562345678", NOW, "unallocated", id="us-456"),
        pytest.param("+12112345678", NOW, "unallocated", id="us-n11"),
        pytest.param("+12932345678", NOW, "unallocated", id="us-second-digit-9"),
        pytest.param("+12002345678", NOW, "unallocated", id="us-200"),
        pytest.param("+12002345678", "2027-11-28", None, id="us-200-when-the-metadata-is-old"),
        pytest.param("+18002345678", NOW, "service", id="us-toll-free"),
        pytest.param("+12015550123", NOW, None, id="us-fiction-is-not-carried"),
        pytest.param("+12017421834", NOW, None, id="us-jersey-city"),
        pytest.param("+18762345678", NOW, None, id="jamaica"),
        pytest.param("+499001234567", NOW, "do-not-originate", id="de-0900"),
        pytest.param("+499001234567", "2022-11-30", None, id="de-0900-before"),
        pytest.param("+49115", NOW, "government", id="de-115"),
        pytest.param("+493012345678", NOW, None, id="de-berlin"),
        pytest.param("+34400123456", NOW, "telemarketing", id="es-400"),
        pytest.param("+34900123456", NOW, "service", id="es-900"),
        pytest.param("+553031234567", "2024-06-01", "telemarketing", id="br-0303-while-it-had-to-be"),
        pytest.param("+553031234567", NOW, "call-centre", id="br-0303-since-it-is-optional"),
        pytest.param("+3908441234", NOW, "telemarketing", id="it-0844"),
        pytest.param("+390612345678", NOW, None, id="it-rome"),
        pytest.param("+61255501234", NOW, "unallocated", id="au-fiction"),
        pytest.param("+61280001234", NOW, None, id="au-sydney"),
        pytest.param("+812012345678", NOW, "machine", id="jp-020"),
        pytest.param("+815012345678", NOW, "voip", id="jp-050"),
        pytest.param("+812041234567", NOW, None, id="jp-0204"),
        pytest.param("+358401234567", NOW, None, id="a-country-without-a-plan"),
    ],
)
def test_a_number_has_the_purpose_of_its_range(number: str, day: str, purpose: str | None) -> None:
    row = PLAN.row_of(number, at(day))
    assert (row and row.purpose.value) == purpose


def test_shipped_plans_include_five_countries() -> None:
    assert {plan.country for plan in PLAN.files} >= {"CN", "FR", "IN", "GB", "US"}


@pytest.mark.parametrize("plan", shipped_plans(), ids=lambda plan: plan.country)
class TestEachCountry:
    def test_each_row_of_evidence_has_a_source(self, plan: PlanFile) -> None:
        assert all(row.source is not None for row in plan.rows if row.is_evidence)

    def test_every_source_is_used(self, plan: PlanFile) -> None:
        used = {row.source for row in plan.rows} | {row.law for row in plan.rows}
        assert set(plan.sources) <= used

    def test_unallocated_rows_from_metadata_end_within_a_year(self, plan: PlanFile) -> None:
        for row in plan.rows:
            by_metadata = row.source is not None and row.source.name == "libphonenumber"
            if row.purpose is Purpose.UNALLOCATED and by_metadata and not row.prefix.endswith("11"):
                assert row.source is not None
                assert row.valid_until is not None
                assert (row.valid_until - row.source.read).days <= 366


@pytest.mark.parametrize("prefix", ["+91140", "+911600", "+911601"])
def test_indian_service_series_cite_their_law(prefix: str) -> None:
    row = PLAN.row_of(prefix + "1234567890"[: 13 - len(prefix)], at(NOW))
    assert row is not None
    assert row.law is not None
    assert row.law.name == "tcccpr-2025"


def test_the_page_names_every_purpose() -> None:
    section = NUMBERS.read_text(encoding="utf-8").split("## Purposes of ranges\n")[1]
    assert {f"| `{purpose}` |" for purpose in Purpose} == set(re.findall(r"^\| `[a-z-]+` \|", section, re.MULTILINE))
