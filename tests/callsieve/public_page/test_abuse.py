"""What strangers try on the public page: guessing, flooding, forged forms, hostile text."""

from __future__ import annotations

import sqlite3

import pytest

from agi.answers import CALLEES_BLOCKLIST_RULE
from callsieve.changes.operation import Context, Refused
from callsieve.public_page.operations import MOST_A_DAY, MOST_OPEN, PublicAppealRequest, file
from callsieve.web.throttle import FILED_A_DAY, Count
from reputation.site_names import new_id
from reputation.store.appeals import all_appeals
from reputation.users import Role
from tests.callsieve.browsing import NOW, Office
from tests.callsieve.console_calls import CALLER, add_calls, make_decision
from tests.callsieve.public_page.pages import ADDRESS, FILED, Stranger, page_of

REFERENCE = "7KQ2M4XA"
HELD_BY_CALLEE = "7KQ2M4XB"
ALLOWED = "7KQ2M4XC"
WITHHELD = "7KQ2M4XD"
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "%(x)s %s {} {{ 7*7 }}", "\u202ereversed"]


@pytest.fixture(autouse=True)
def calls(office: Office) -> None:
    add_calls(
        office,
        make_decision(REFERENCE),
        make_decision(HELD_BY_CALLEE, rule=CALLEES_BLOCKLIST_RULE, action="reject"),
        make_decision(ALLOWED, action="allow"),
        make_decision(WITHHELD, caller=None),
    )


def test_all_unusable_references_get_the_same_answer(office: Office) -> None:
    answers = set()
    for typed in ("ZZZZZZZZ", HELD_BY_CALLEE, ALLOWED, WITHHELD, CALLER, "", "' OR 1=1 --", "x" * 5000):
        with page_of(office) as stranger:
            answer = stranger.post("/reference", reference=typed)
        answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    assert next(iter(answers))[0] == 422


def test_wrong_references_are_throttled_and_right_ones_not(stranger: Stranger) -> None:
    codes = [stranger.post("/reference", reference=new_id()).status_code for _ in range(7)]
    assert codes == [422] * 5 + [429] * 2
    assert stranger.post("/reference", reference=REFERENCE).status_code == 200
    assert stranger.post("/reference", reference=new_id()).status_code == 429
    assert stranger.post("/appeal", reference=REFERENCE, **FILED).status_code == 303


def test_filing_with_a_wrong_reference_counts_as_guessing(stranger: Stranger) -> None:
    codes = [stranger.post("/appeal", reference=new_id(), **FILED).status_code for _ in range(6)]
    assert codes == [422] * 5 + [429]


def test_counter_keeps_few_keys() -> None:
    count = Count(1, 60.0)
    for n in range(20_000):
        assert count.take(str(n), NOW)
    assert not count.take("19999", NOW)
    assert len(count._by_key) == 10_000
    assert count.take("19999", NOW - 5)


def test_ten_thousand_filings_leave_a_hundred_appeals(office: Office) -> None:
    more = [new_id() for _ in range(200)]
    add_calls(office, *(make_decision(item, caller=f"+12015550{n:03}") for n, item in enumerate(more)))
    context = Context("public", Role.VIEWER, NOW, office.load())

    def flood(db: sqlite3.Connection) -> set[str]:
        codes = set()
        for n in range(10_000):
            request = PublicAppealRequest(more[n % 200], "Carol", "carol@example.com", "x" * 2000, f"link {n}")
            try:
                file(db, context, request)
            except Refused as refused:
                codes.add(refused.code)
        return codes

    assert office.write(flood) == {"too-many-appeals"}
    assert len(office.read(all_appeals)) == min(MOST_OPEN, MOST_A_DAY)


def test_network_files_three_appeals_a_day_at_most(stranger: Stranger, office: Office) -> None:
    more = [new_id() for _ in range(FILED_A_DAY + 1)]
    add_calls(office, *(make_decision(item, caller=f"+120155501{n:02}") for n, item in enumerate(more)))
    codes = [stranger.post("/appeal", reference=item, **FILED).status_code for item in more]
    assert codes == [303] * FILED_A_DAY + [429]


def test_second_appeal_does_not_reveal_the_number(stranger: Stranger) -> None:
    stranger.filed(REFERENCE)
    answer = stranger.post("/appeal", reference=REFERENCE, **FILED)
    assert answer.status_code == 422
    assert CALLER not in answer.text


def test_requests_of_a_network_are_limited_a_minute(stranger: Stranger, office: Office) -> None:
    codes = {stranger.get("/").status_code for _ in range(120)}
    assert (codes, stranger.get("/").status_code) == ({200}, 429)
    office.clock.now += 61
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
    ids=["origin", "fetch-site", "no-origin"],
)
def test_a_form_of_another_site_is_refused(stranger: Stranger, office: Office, headers: dict[str, str]) -> None:
    assert stranger.sent("/appeal", headers, reference=REFERENCE, **FILED).status_code == 403
    assert office.read(all_appeals) == []


def test_unknown_host_header_is_refused(stranger: Stranger) -> None:
    answer = stranger.get("/", host="evil.example")
    assert (answer.status_code, "evil.example" in answer.text) == (400, False)


def test_links_use_our_address_despite_the_host_header(stranger: Stranger) -> None:
    path = stranger.filed(REFERENCE)
    assert f"{ADDRESS}/status/" in stranger.get(path, host="localhost").text


def test_oversized_form_is_refused(stranger: Stranger) -> None:
    assert stranger.post("/appeal", reference=REFERENCE, **{**FILED, "statement": "x" * 40_000}).status_code == 413


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_escaped(stranger: Stranger, office: Office, text: str) -> None:
    fields = {"name": text, "contact": "", "statement": text}
    answer = stranger.post("/appeal", reference=REFERENCE, **fields)
    assert answer.status_code == 422
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    stranger.post("/appeal", reference=REFERENCE, name="Carol", contact="c@example.com", statement=text)
    with office.console() as console:
        for appeal in office.read(all_appeals):
            assert "<script>alert" not in console.browser("operator").text(f"/appeals/{appeal.reference}")


def test_every_answer_forbids_scripts_and_cookies(stranger: Stranger) -> None:
    for answer in (stranger.get("/"), stranger.get("/nowhere"), stranger.get("/public.css"), stranger.get("/status/x")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "set-cookie" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert stranger.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", ["x", "A" * 43, "../../etc/passwd", "%00"])
def test_wrong_status_link_is_not_found(stranger: Stranger, token: str) -> None:
    assert stranger.get(f"/status/{token}").status_code == 404
