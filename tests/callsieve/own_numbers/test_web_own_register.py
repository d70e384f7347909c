"""The register of our own numbers in the browser: registered, changed, rested, retired, undone, and moved as CSV."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callsieve.own_numbers.operations import register_as_csv
from callsieve.web.tokens import form_token
from reputation.model import Direction
from reputation.own.register import REST_SECONDS, NumberState, OwnNumber
from reputation.store.outcomes import record_outcomes
from reputation.store.own_register import own_of, put_own, register_of
from reputation.store.people import own_numbers
from tests.callsieve.browsing import NOW, Browser, Console, Office, Ticking, changes_of, field_of, problem_of, undo_of
from tests.reputation.store_builders import DAY, make_outcome

OWN, OTHER = "+442071838750", "+442071838751"
FILLED = {
    "name": "Acme Care",
    "purpose": "reminders",
    "owner": "Ann",
    "trunks": "carrier\r\n\r\n backup ",
    "documents": "LOA 7",
    "registered": "the carrier\nFree Caller Registry",
    "next_check": "2026-06-30",
}


@pytest.fixture
def otto(console: Console) -> Browser:
    return console.browser("operator")


@pytest.fixture
def put(office: Office) -> Callable[..., OwnNumber]:
    """Registers OWN as it is said here."""

    def put(**about: object) -> OwnNumber:
        own = OwnNumber(**{"number": OWN, "since": NOW - 9 * DAY, "added_at": NOW - 9 * DAY} | about)  # type: ignore[arg-type]
        office.write(put_own, own)
        return own

    return put


def registered_own(office: Office, number: str = OWN) -> OwnNumber | None:
    return office.read(own_of, number)


def test_unregistered_number_is_registered_from_its_link(console: Console, office: Office, otto: Browser) -> None:
    calls = [make_outcome(f"c{n}", NOW - n - 9, by="201", direction=Direction.OUTBOUND) for n in range(3)]
    office.write(record_outcomes, calls, NOW)
    page = otto.text("/own")
    link = f"/own/new?number={OWN.replace('+', '%2B')}"
    assert f'<a class="button small" href="{link}"' in page
    assert f'<a href="{link}">{OWN}</a>' in page, "what is due leads to what does it"
    form = otto.text(link)
    assert field_of(form, "number") == OWN
    assert field_of(form, "next_check") == "180d"
    page = otto.done("/own/add", number="+44 20 7183 8750", **FILLED).text
    assert "The number is registered" in page
    assert "backup" in page
    own = registered_own(office)
    assert own == OwnNumber(
        number=OWN,
        name="Acme Care",
        purpose="reminders",
        owner="Ann",
        trunks=("carrier", "backup"),
        documents=("LOA 7",),
        registered=("the carrier", "Free Caller Registry"),
        next_check_at=own.next_check_at if own else None,
        since=NOW,
        added_at=NOW,
    )
    assert OWN in office.read(own_numbers)
    assert changes_of(office) == [("own add", "otto (console)", OWN)]
    otto.done("/own/undo", id=undo_of(otto.text("/own")))
    assert registered_own(office) is None
    assert OWN not in office.read(own_numbers)


def test_change_form_changes_only_the_given_fields(
    office: Office, otto: Browser, put: Callable[..., OwnNumber]
) -> None:
    before = put(name="Acme", trunks=("carrier",), documents=("a", "b"), next_check_at=NOW + 9.25 * DAY)
    page = otto.text(f"/own/{OWN}")
    fields = {name: field_of(page, name) for name in ("name", "purpose", "owner", "next_check")}
    assert "a\nb</textarea>" in page
    otto.done(
        f"/own/{OWN}/change", **fields | {"owner": "Ben", "trunks": "carrier", "documents": "b", "registered": ""}
    )
    after = registered_own(office)
    assert after is not None
    assert (after.owner, after.documents, after.next_check_at) == ("Ben", ("b",), before.next_check_at)
    assert "owner Ben" in otto.text(f"/own/{OWN}")
    otto.done(f"/own/{OWN}/undo", id=undo_of(otto.text(f"/own/{OWN}")))
    assert registered_own(office) == before
    assert changes_of(office)[0] == ("undo own add", "otto (console)", OWN)


def test_unchanged_form_writes_no_audit_row(office: Office, otto: Browser, put: Callable[..., OwnNumber]) -> None:
    before = put(name="Acme", next_check_at=NOW + 9.25 * DAY)
    fields = {name: field_of(otto.text(f"/own/{OWN}"), name) for name in ("name", "next_check")}
    assert otto.post(f"/own/{OWN}/change", **fields).headers["location"] == f"/own/{OWN}"
    assert registered_own(office) == before
    assert changes_of(office) == []


@pytest.mark.parametrize(
    ("step", "fields", "was", "becomes"),
    [
        pytest.param("rest", {}, {}, {"state": NumberState.RESTING, "since": NOW}, id="rest"),
        pytest.param("retire", {}, {}, {"state": NumberState.RETIRED, "since": NOW}, id="retire"),
        pytest.param(
            "use",
            {},
            {"state": NumberState.RESTING, "since": NOW - REST_SECONDS},
            {"state": NumberState.ACTIVE, "since": NOW},
            id="use-rested",
        ),
        pytest.param(
            "use",
            {"early": "yes"},
            {"state": NumberState.RESTING, "since": NOW - DAY},
            {"state": NumberState.ACTIVE, "since": NOW},
            id="use-early",
        ),
        pytest.param(
            "use", {}, {"state": NumberState.RETIRED}, {"state": NumberState.ACTIVE, "since": NOW}, id="use-retired"
        ),
        pytest.param(
            "check",
            {"next_check": "never"},
            {"next_check_at": NOW},
            {"next_check_at": None, "checked_at": NOW},
            id="check",
        ),
        pytest.param(
            "check", {"next_check": "10d"}, {}, {"next_check_at": NOW + 10 * DAY, "checked_at": NOW}, id="check-again"
        ),
    ],
)
def test_each_step_is_audited_and_undone(
    office: Office,
    otto: Browser,
    put: Callable[..., OwnNumber],
    step: str,
    fields: dict[str, str],
    was: dict[str, object],
    becomes: dict[str, object],
) -> None:
    before = put(name="Acme", registered=("FCR",), **was)
    page = otto.done(f"/own/{OWN}/{step}", **fields)
    after = registered_own(office)
    assert {name: getattr(after, name) for name in becomes} == becomes
    assert (after.name, after.registered) == ("Acme", ("FCR",)) if after else False
    assert (OWN in office.read(own_numbers)) == (after is not None and after.state is not NumberState.RETIRED)
    otto.done(f"/own/{OWN}/undo", id=undo_of(page.text))
    assert registered_own(office) == before
    what = f"own {step}"
    assert changes_of(office) == [(f"undo {what}", "otto (console)", OWN), (what, "otto (console)", OWN)]


def test_removed_number_is_fully_restored_by_undo(office: Office, otto: Browser, put: Callable[..., OwnNumber]) -> None:
    before = put(name="Acme", state=NumberState.RESTING, next_check_at=NOW + DAY)
    page = otto.done(f"/own/{OWN}/remove").text
    assert registered_own(office) is None
    assert "No number is registered." in page
    assert otto.get(f"/own/{OWN}").status_code == 404
    otto.done("/own/undo", id=undo_of(page))
    assert registered_own(office) == before


def test_undo_that_removes_the_page_redirects_to_the_list(office: Office, otto: Browser) -> None:
    page = otto.done("/own/add", number=OWN)
    answer = otto.post(f"/own/{OWN}/undo", id=undo_of(page.text))
    assert answer.headers["location"].startswith("/own?said=undone&change=")


@pytest.mark.parametrize(
    ("path", "fields", "was", "says"),
    [
        pytest.param("add", {"number": "12"}, {}, "too short", id="no-number"),
        pytest.param("add", {"number": OWN}, {}, "is already registered", id="registered-already"),
        pytest.param("add", {"number": OTHER, "name": "a\tb"}, {}, "200", id="two-lines"),
        pytest.param("add", {"number": OTHER, "owner": "x" * 201}, {}, "owner must be one line", id="too-long"),
        pytest.param("add", {"number": OTHER, "trunks": "a|b"}, {}, "20 times", id="a-bar"),
        pytest.param(
            "add", {"number": OTHER, "documents": "\n".join("abcdefghijklmnopqrstu")}, {}, "20 times", id="many"
        ),
        pytest.param(
            "add",
            {"number": OTHER, "next_check": "soon"},
            {},
            "'soon'",
            id="no-time",
        ),
        pytest.param(f"{OWN}/change", {"name": "a|b", "registered": "a|b"}, {}, "registered with may be", id="change"),
        pytest.param(f"{OWN}/check", {"next_check": "2020-01-01"}, {}, "'2020-01-01'", id="check-past"),
        pytest.param(f"{OWN}/rest", {}, {"state": NumberState.RESTING}, "can rest", id="rests-already"),
        pytest.param(f"{OWN}/retire", {}, {"state": NumberState.RETIRED}, "is already retired", id="retired-already"),
        pytest.param(f"{OWN}/use", {}, {}, "is already active", id="active-already"),
        pytest.param(
            f"{OWN}/use",
            {},
            {"state": NumberState.RESTING, "since": NOW - DAY},
            "44 more days",
            id="too-early",
        ),
    ],
)
def test_refused_forms_explain_why_and_change_nothing(
    office: Office,
    otto: Browser,
    put: Callable[..., OwnNumber],
    path: str,
    fields: dict[str, str],
    was: dict[str, object],
    says: str,
) -> None:
    before = put(**was)
    answer = otto.post(f"/own/{path}", **fields)
    assert answer.status_code == 422
    assert says in problem_of(answer.text).replace("&#39;", "'")
    assert office.read(register_of) == [before]
    assert changes_of(office) == []


def test_refused_form_keeps_the_typed_values(otto: Browser, put: Callable[..., OwnNumber]) -> None:
    put(name="Acme")
    typed = FILLED | {"owner": "x" * 201}
    for path, more in (("/own/add", {"number": OTHER}), (f"/own/{OWN}/change", {})):
        page = otto.post(path, **typed | more).text
        for field in ("name", "purpose", "owner", "next_check"):
            assert field_of(page, field) == typed[field], (path, field)
        assert "Free Caller Registry</textarea>" in page
    assert "open><summary>Change the registered details" in page
    page = otto.post(f"/own/{OWN}/check", next_check="soon").text
    assert 'id="check-next" name="next_check" value="soon"' in page
    assert 'id="next_check" name="next_check" value="never"' in page, "the other form is as it was"


@pytest.mark.parametrize("step", ["change", "check", "rest", "use", "retire", "remove"])
def test_unregistered_number_has_no_change_page(office: Office, otto: Browser, step: str) -> None:
    assert otto.post(f"/own/{OWN}/{step}", next_check="180d").status_code == 404
    assert changes_of(office) == []


def test_only_the_last_change_of_the_page_is_undone(
    office: Office, otto: Browser, put: Callable[..., OwnNumber]
) -> None:
    put()
    change = undo_of(otto.done(f"/own/{OWN}/rest").text)
    put(number=OTHER)
    assert otto.post(f"/own/{OTHER}/undo", id=change).status_code == 422
    assert otto.post("/lists/undo", id=change).status_code == 422
    otto.done(f"/own/{OWN}/retire")
    assert "changed again since" in problem_of(otto.post("/own/undo", id=change).text)


def test_undone_change_is_not_offered_for_undo_again(
    office: Office, otto: Browser, put: Callable[..., OwnNumber]
) -> None:
    put()
    page = otto.done(f"/own/{OWN}/rest").text
    change = undo_of(page)
    assert f'value="{change}"' in page
    assert f'value="{change}"' not in otto.done(f"/own/{OWN}/undo", id=change).text
    assert "already undone at " in problem_of(otto.post("/own/undo", id=change).text)


def test_import_is_undone_as_a_whole(office: Office, put: Callable[..., OwnNumber]) -> None:
    office.clock = Ticking()
    before = put(name="Acme")
    csv = f"number,name,state,trunks\n{OWN},Beta,,a|b\n{OTHER},Gamma,resting,\n12,,,\n+442071838752,,restig,\n"
    with office.console() as console:
        ada = console.browser("administrator")
        page = send(ada, csv)
        assert "1 number was added, 1 was" in page
        assert "2 rows" in page
        assert "line 4: &#39;12&#39;" in page
        assert "did you mean resting" in page
        beta, gamma = registered_own(office), registered_own(office, OTHER)
        assert beta is not None
        assert gamma is not None
        assert (beta.name, beta.trunks, gamma.state) == ("Beta", ("a", "b"), NumberState.RESTING)
        page = ada.text("/own")
        left = ada.done("/own/undo", id=undo_of(page)).text
        assert "/own/undo" not in left  # neither for the import nor for its rows
        assert office.read(register_of) == [before]
        ada.done("/own/undo", id=undo_of(send(ada, csv) and ada.text(f"/own/{OTHER}")))
        assert office.read(register_of) == [before]


def send(browser: Browser, csv: str) -> str:
    answer = browser.client.post(
        "/own/import", data={"form_token": form_token(browser.token or "")}, files={"file": ("own.csv", csv.encode())}
    )
    return answer.text


@pytest.mark.parametrize(
    ("csv", "says"),
    [
        pytest.param("", "Choose a file first.", id="nothing"),
        pytest.param("name\nAcme\n", "no column", id="no-column"),
        pytest.param("number\n12\n", "line 2:", id="no-row"),
        pytest.param(f"number,since\n{OWN},2099-01-01\n", "since: &#39;2099-01-01&#39;", id="to-come"),
        pytest.param("number\n", "no row", id="empty"),
    ],
)
def test_file_without_a_usable_row_is_refused(console: Console, office: Office, csv: str, says: str) -> None:
    assert says in problem_of(send(console.browser("administrator"), csv))
    assert changes_of(office) == []


def test_import_reports_truncated_fields(console: Console) -> None:
    page = send(console.browser("administrator"), f"number,documents\n{OWN},a|{' ' * 5000}|b\n")
    assert "1 field" in page


def test_export_equals_the_command_and_can_be_imported(
    console: Console, office: Office, put: Callable[..., OwnNumber]
) -> None:
    put(name="=Acme, Ltd", trunks=("a", "b"))
    ada = console.browser("administrator")
    answer = ada.get("/own/export.csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="callsieve-own-numbers-')
    assert answer.text == register_as_csv(office.read(register_of))
    ada.done(f"/own/{OWN}/remove")
    send(ada, answer.text)
    again = registered_own(office)
    assert again is not None
    assert (again.name, again.trunks) == ("=Acme, Ltd", ("a", "b"))


def test_due_items_link_to_their_form(otto: Browser, put: Callable[..., OwnNumber]) -> None:
    put(next_check_at=NOW + DAY, registered=("FCR",))
    put(number=OTHER, state=NumberState.RESTING, since=NOW - 40 * DAY)
    page = otto.text("/own")
    for number, form in ((OWN, "check"), (OTHER, "use")):
        path = f"/own/{number.replace('+', '%2B')}?do={form}"
        assert f'href="{path}#{form}"' in page
        assert f'id="{form}" open' in otto.text(path)


def test_retired_number_that_calls_out_is_listed(office: Office, otto: Browser, put: Callable[..., OwnNumber]) -> None:
    put(state=NumberState.RETIRED)
    office.write(record_outcomes, [make_outcome("c1", NOW - 9, by="201", direction=Direction.OUTBOUND)], NOW)
    page = otto.text("/own")
    path = f"/own/{OWN.replace('+', '%2B')}?do=use#use"
    assert f'<a href="{path}">{OWN}</a>' in page
    assert f'<a class="button small" href="{path}" aria-label="Use {OWN} again">Use the number again…</a>' in page
    assert "(calls: 1)" in page
    assert "/own/new?number=" not in page
    assert 'id="use" open' in otto.text(path)


def test_refusals_use_the_language_of_the_visitor(otto: Browser, put: Callable[..., OwnNumber]) -> None:
    put(state=NumberState.RESTING, since=NOW - DAY)
    otto.done("/preferences", language="zh", next="/own")
    assert problem_of(otto.post(f"/own/{OWN}/use").text) == f"{OWN} 还须暂停使用 44 天"
    assert problem_of(otto.post("/own/add", number=OTHER, name="x" * 201).text) == "名称只能是一行，最多 200 个字符"
