"""`callsieve own pack`: contents, masking and signature of a pack."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import time
import tracemalloc
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from pypdf import PdfReader

from callsieve.changes.operation import Context, Refused
from callsieve.evidence_packs import operations
from callsieve.evidence_packs.archive import printer_trouble, write_pack
from callsieve.evidence_packs.document import practice_of, texts_of
from callsieve.evidence_packs.operations import MOST_SCREENSHOTS, AttachedFile, PackRequest, platforms
from callsieve.settings import Loaded, Outbound, Settings, parse_settings
from callsieve.signing.keys import signing_key
from callsieve.signing.statements import verify
from reputation.own.register import NumberState, OwnNumber
from reputation.store.audit import audit_rows
from reputation.store.database import open_store
from reputation.store.do_not_call import Complaint, DoNotCallRequest, add_complaint, add_do_not_call
from reputation.store.own_labels import LabelCheck, NewScreenshot, put_screenshot
from reputation.store.own_register import put_own
from reputation.users import Role
from tests.callsieve.program import Program
from tests.reputation import own_campaigns
from tests.reputation.own_campaigns import CONSIDERATE, OWN, campaign, run
from tests.reputation.store_builders import DAY

NOW = 20_500 * DAY + 36_000.0
UNHAPPY = "+442079460123"
REGISTERED = OwnNumber(
    number=OWN, name="Acme Care", purpose="reminders", documents=("LOA 2026-03",), since=NOW - 90 * DAY, added_at=NOW
)


@pytest.fixture(scope="module")
def campaign_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The number has called for 40 days. One complainant is on the do-not-call list."""
    path = tmp_path_factory.mktemp("packs") / "store.db"
    with pytest.MonkeyPatch.context() as patch, open_store(path) as db:
        patch.setattr(own_campaigns, "MIDNIGHT", 20_459 * DAY)
        run(db, campaign(CONSIDERATE, range(40)))
        put_own(db, REGISTERED)
        add_complaint(db, Complaint(OWN, UNHAPPY, NOW - 3 * DAY, "he was angry", True))
        add_do_not_call(db, DoNotCallRequest(UNHAPPY, NOW - 2 * DAY, OWN))
    return path.read_bytes()


@pytest.fixture
def state(tmp_path: Path, campaign_store: bytes) -> Path:
    (tmp_path / "store.db").write_bytes(campaign_store)
    return tmp_path


def context_in(state: Path, settings: Settings | None = None) -> Context:
    loaded = Loaded(settings=settings or Settings(), file=None, state=state)
    return Context("joe", Role.OPERATOR, NOW, loaded)


def pack_of(state: Path, request: PackRequest, settings: Settings | None = None) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(bytes_of(state, request, settings)))


def bytes_of(state: Path, request: PackRequest, settings: Settings | None = None) -> bytes:
    context, out = context_in(state, settings), io.BytesIO()
    with open_store(state / "store.db") as db:
        write_pack(db, context, operations.announce(db, context, request), out)
    return out.getvalue()


def text_of(pack: zipfile.ZipFile) -> str:
    """The document's text without spaces: lines are broken anywhere."""
    pages = PdfReader(io.BytesIO(pack.read("evidence.pdf"))).pages
    return re.sub(r"\s", "", "".join(page.extract_text() for page in pages))


def rows_of(pack: zipfile.ZipFile, name: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(pack.read(name).decode("utf-8-sig"))))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("platform", platforms())
def test_pack_answers_all_questions_of_the_platform(state: Path, platform: str, language: str) -> None:
    text = text_of(pack_of(state, PackRequest(OWN, platform, language)))
    about, say = platforms()[platform], texts_of(language)
    for ask in about.asks:
        assert re.sub(r"\s", "", ask.words(language)) in text
        assert re.sub(r"\s", "", say[f"proof-{ask.proof}"].format(source=ask.source)) in text
    for key in ("h-figures", "h-weeks", "h-complaints", "h-guard", "h-documents", "h-practice", "h-check"):
        assert re.sub(r"\s", "", say[key]) in text, key
    for shown in (OWN, "AcmeCare", "LOA2026-03", "1,600"):
        assert shown in text, shown


def test_called_numbers_are_masked_in_every_file(state: Path) -> None:
    with open_store(state / "store.db") as db:
        called = {str(number) for (number,) in db.execute("SELECT dialled FROM outcome WHERE dialled IS NOT NULL")}
    pack = pack_of(state, PackRequest(OWN, "carrier", days=180))
    whole = text_of(pack) + "".join(pack.read(name).decode("utf-8-sig") for name in pack.namelist()[1:])
    found = set(re.findall(r"\d{9,15}", whole.replace(" ", "")))
    digits = {number.lstrip("+") for number in called | {UNHAPPY}}
    assert len(called) > 500
    assert not {digit for digit in digits if any(digit in text for text in found)}
    assert "angry" not in whole, "what we noted is ours"
    header, *calls = rows_of(pack, "calls.csv")
    assert len(calls) > 1000
    assert {row[header.index("result")] for row in calls} == {"answered", "no-answer"}


def test_the_tables_add_up(state: Path) -> None:
    pack = pack_of(state, PackRequest(OWN, "hiya"))
    header, *days = rows_of(pack, "days.csv")
    assert sum(int(row[header.index("calls")]) for row in days) == 1600
    assert rows_of(pack, "complaints.csv")[1][1:3] == ["'+4420******23", "yes"]
    assert rows_of(pack, "complaints.csv")[1][3], "the sender is on the list"


def test_the_manifest_is_signed_and_has_every_file(state: Path) -> None:
    pack = pack_of(state, PackRequest(OWN, "tns", files=[AttachedFile("licence.pdf", b"%PDF-1.4")]))
    statement = verify(pack.read("manifest.json"), signing_key(state).public_key)
    assert (statement.kind, statement.issuer, statement.issued_at) == ("evidence-pack", "Acme Care", int(NOW))
    listed = {file_["name"]: file_["sha256"] for file_ in statement.about["files"]}
    assert sorted([*listed, "manifest.json"]) == sorted(pack.namelist())
    assert listed == {name: sha256(pack.read(name)).hexdigest() for name in listed}
    assert rows_of(pack, "documents.csv")[2][0::3] == ["licence.pdf", listed["documents/licence.pdf"]]


def test_screenshots_of_the_mark_watch_are_included(state: Path) -> None:
    pictures = [b"\x89PNG\r\n\x1a\n" + bytes([place]) for place in range(MOST_SCREENSHOTS + 1)]
    with open_store(state / "store.db") as db:
        for place, picture in enumerate(pictures):
            look = LabelCheck(OWN, "Hiya", NOW - (30 - place) * DAY, "Scam Likely")
            put_screenshot(db, look, NewScreenshot("../../etc/passwd", "png", picture))
    pack = pack_of(state, PackRequest(OWN, "hiya"))
    listed = {
        file_["name"]: file_["sha256"]
        for file_ in verify(pack.read("manifest.json"), signing_key(state).public_key).about["files"]
    }
    shown = [name for name in pack.namelist() if name.startswith("screenshots/")]
    assert [pack.read(name) for name in shown] == pictures[1:], "the latest"
    assert shown[0] == "screenshots/01-2026-01-18.png"
    assert [listed[name] for name in shown] == [sha256(picture_).hexdigest() for picture_ in pictures[1:]]
    assert "01-2026-01-18.png (Hiya)" in rows_of(pack, "documents.csv")[-MOST_SCREENSHOTS][0]


def test_pack_is_reproducible(state: Path) -> None:
    assert bytes_of(state, PackRequest(OWN, "teddy", "zh")) == bytes_of(state, PackRequest(OWN, "teddy", "zh"))


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1", '"x",y', "<b>&amp;</b>", "号码"])
def test_hostile_text_is_escaped(state: Path, text: str) -> None:
    with open_store(state / "store.db") as db:
        put_own(db, replace(REGISTERED, name=text, purpose=text, owner=text, documents=(text,), registered=(text,)))
    pack = pack_of(state, PackRequest(OWN, "tencent", files=[AttachedFile(f"{text}.txt".replace("/", "_"), b"x")]))
    assert text_of(pack).count(re.sub(r"\s", "", text)) >= 5
    for name in pack.namelist():
        if name.endswith(".csv"):
            assert not [cell for row in rows_of(pack, name) for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert rows_of(pack, "documents.csv")[1][0].lstrip("'") == text


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (PackRequest(OWN, "nobody"), "unknown-platform"),
        (PackRequest(OWN, "hiya", "fr"), "unknown-language"),
        (PackRequest(OWN, "hiya", days=0), "bad-days"),
        (PackRequest(OWN, "hiya", days=181), "bad-days"),
        (PackRequest("+442071838759", "hiya"), "not-registered"),
        (PackRequest("nonsense", "hiya"), "bad-number"),
        (PackRequest(OWN, "hiya", files=[AttachedFile("a", b"1"), AttachedFile("a", b"2")]), "bad-files"),
        (PackRequest(OWN, "hiya", files=[AttachedFile("../a", b"1")]), "bad-file"),
        (PackRequest(OWN, "hiya", files=[AttachedFile("..\\a", b"1")]), "bad-file"),
        (PackRequest(OWN, "hiya", files=[AttachedFile("..", b"1")]), "bad-file"),
        (PackRequest(OWN, "hiya", files=[AttachedFile("", b"1")]), "bad-file"),
        (PackRequest(OWN, "hiya", files=[AttachedFile("a\n", b"1")]), "bad-file"),
        (PackRequest(OWN, "hiya", files=[AttachedFile("a", bytes((10 << 20) + 1))]), "bad-file"),
    ],
)
def test_refused_pack_is_not_audited(state: Path, request_: PackRequest, code: str) -> None:
    with open_store(state / "store.db") as db:
        with pytest.raises(Refused) as refused:
            operations.announce(db, context_in(state), request_)
        assert refused.value.code == code
        assert audit_rows(db) == []


@pytest.mark.parametrize(
    ("own", "code"),
    [(replace(REGISTERED, name=""), "no-name"), (replace(REGISTERED, state=NumberState.RETIRED), "retired")],
)
def test_unnamed_or_retired_number_is_refused(state: Path, own: OwnNumber, code: str) -> None:
    with open_store(state / "store.db") as db:
        put_own(db, own)
        with pytest.raises(Refused) as refused:
            operations.announce(db, context_in(state), PackRequest(OWN, "hiya"))
    assert refused.value.code == code


def test_stated_practice_follows_the_settings() -> None:
    acting = Outbound(observe=False, needs_consent=True)
    assert {"p-acts", "p-consent", "p-no", "p-hours-law"} <= set(practice_of(acting))
    nothing = Outbound(do_not_call=False, local_rules=False, registers=False, calls_per_person_day=0)
    assert practice_of(nothing) == ("p-record", "p-grade", "p-observes", "p-hours")


def test_platform_data_has_sources_and_translations() -> None:
    assert next(iter(platforms())) == "carrier"
    assert len(platforms()) == 11
    for platform in platforms().values():
        assert platform.asks
        for ask in platform.asks:
            assert bool(ask.source) == (ask.proof != "unverified"), (platform.name, ask.en)
    assert texts_of("en").keys() == texts_of("zh").keys()
    for key, text in texts_of("en").items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", texts_of("zh")[key])), key


# Repeats a call every second to other numbers, before the 28 days of the figures.
COPY = """
INSERT INTO outcome ({columns})
SELECT {values} FROM (SELECT * FROM outcome WHERE own_number IS NOT NULL LIMIT 1), json_each(?)
"""
COPIED = {
    "linkedid": "'copy-' || value",
    "at": f"{NOW - 29 * DAY} + value",
    "dialled": "'+44207946' || (1000 + value % 9000)",
}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_calls(state: Path) -> None:
    def peak(calls: range) -> int:
        with open_store(state / "store.db") as db:
            columns = [name for _, name, *_ in db.execute("PRAGMA table_info(outcome)")]
            values = ", ".join(COPIED.get(name, name) for name in columns)
            db.execute(COPY.format(columns=", ".join(columns), values=values), (str(list(calls)),))
            context = context_in(state)
            pack = operations.announce(db, context, PackRequest(OWN, "carrier"))
            with (state / "pack.zip").open("wb") as out:
                tracemalloc.start()
                try:
                    write_pack(db, context, pack, out)
                    return tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()

    some = peak(range(1_000))
    # Nine thousand calls in a list are more.
    assert peak(range(1_000, 10_000)) < some + (1 << 20)
    with zipfile.ZipFile(state / "pack.zip") as pack:
        assert len(rows_of(pack, "calls.csv")) > 10_000


@pytest.fixture
def program_with_calls(callsieve: Program) -> Program:
    with pytest.MonkeyPatch.context() as patch, open_store(callsieve.store) as db:
        patch.setattr(own_campaigns, "MIDNIGHT", (time.time() // DAY - 5) * DAY)
        run(db, campaign(CONSIDERATE, range(4)))
    callsieve.ok("own", "add", OWN, "--name", "Acme Care")
    return callsieve


def test_own_pack_writes_a_zip_file(program_with_calls: Program) -> None:
    licence = program_with_calls.folder / "licence.pdf"
    licence.write_bytes(b"%PDF-1.4")
    out = program_with_calls.folder / "pack.zip"
    typed = ("own", "pack", OWN, "--for", "baidu", "--language", "zh", "--document", licence, "--out")
    program_with_calls.ok(*typed, out)
    with zipfile.ZipFile(out) as pack:
        assert pack.read("documents/licence.pdf") == b"%PDF-1.4"
        (program_with_calls.folder / "manifest.json").write_bytes(pack.read("manifest.json"))
    assert program_with_calls("signing", "verify", program_with_calls.folder / "manifest.json").code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    (row,) = [row for row in program_with_calls.read(audit_rows) if row.what == "own pack"]
    assert (row.number, row.name) == (OWN, "baidu")
    assert program_with_calls(*typed, out).code == 2, "this file exists already"
    program_with_calls.ok(*typed, program_with_calls.folder)
    assert list(program_with_calls.folder.glob(f"{OWN[1:]}-baidu-zh-*.zip"))
    wrong = program_with_calls("own", "pack", OWN, "--for", "baidoo")
    assert (wrong.code, "baidu" in wrong.err) == (2, True)
    licence.write_bytes(b"")
    assert program_with_calls(*typed, program_with_calls.folder / "other.zip").code == 2


COMPANY = """
[company]
address = "12 High Street"
registration = "Companies House 01234567"
signatory = "Jo Carol"
traceback = "traceback@example.org"

[[trunk]]
name = "carrier"
channels = "PJSIP/carrier-*"
attestation = "A"
"""
CALL_ID = "5c1f@192.0.2.7"


@pytest.fixture
def state_with_call_ids(state: Path) -> Path:
    """Our calls went out over a trunk that tells Call-IDs."""
    with open_store(state / "store.db") as db:
        db.execute("UPDATE outcome SET trunk = 'carrier', call_id = ?", (CALL_ID,))
        db.commit()
    return state


def test_first_page_introduces_the_company_to_the_carrier(state_with_call_ids: Path) -> None:
    files = (AttachedFile("loa.pdf", b"%PDF-1.7", "authorisation"),)
    pack = pack_of(state_with_call_ids, PackRequest(OWN, "carrier", files=files), parse_settings(COMPANY, "test"))
    first = re.sub(r"\s", "", PdfReader(io.BytesIO(pack.read("evidence.pdf"))).pages[0].extract_text())
    for shown in ("12HighStreet", "CompaniesHouse01234567", "JoCarol", "traceback@example.org", "loa.pdf", "carrier:A"):
        assert shown in first, shown
    assert "manifest.json" in first
    heads, *calls = rows_of(pack, "calls.csv")
    assert {call[heads.index("attestation")] for call in calls} == {"A"}
    assert "call_id" not in heads
    assert re.sub(r"\s", "", texts_of("en")["h-letter"]) in text_of(pack)


def test_unmasked_numbers_go_to_a_named_carrier_only(state_with_call_ids: Path) -> None:
    with open_store(state_with_call_ids / "store.db") as db:
        called = {str(number) for (number,) in db.execute("SELECT dialled FROM outcome WHERE dialled IS NOT NULL")}
    pack = pack_of(state_with_call_ids, PackRequest(OWN, "carrier", unmasked_for="Example Carrier"))
    heads, *calls = rows_of(pack, "calls.csv")
    assert {call[heads.index("called")].lstrip("'") for call in calls} <= called
    assert {call[heads.index("call_id")] for call in calls} == {CALL_ID}
    assert "ExampleCarrier" in text_of(pack)
    assert json.loads(pack.read("manifest.json"))["statement"]["about"]["unmasked_for"] == "Example Carrier"
    with open_store(state_with_call_ids / "store.db") as db:
        assert "Example Carrier" in str([row.after for row in audit_rows(db, OWN) if row.what == "own pack"])
    with pytest.raises(Refused, match="carrier"):
        bytes_of(state_with_call_ids, PackRequest(OWN, "hiya", unmasked_for="Hiya"))


@pytest.mark.parametrize("name", ["licence.pdf", "licence.PDF", "shop.png", "shop.jpeg"])
def test_file_of_another_type_is_refused(state: Path, name: str) -> None:
    with pytest.raises(Refused) as refused:
        bytes_of(state, PackRequest(OWN, "hiya", files=(AttachedFile(name, b"our licence"),)))
    assert refused.value.code == "other-kind"


def test_document_is_html_without_weasyprint(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    pack = pack_of(state, PackRequest(OWN, "hiya"))
    assert "evidence.pdf" not in pack.namelist()
    page = pack.read("evidence.html").decode()
    assert page.startswith("<!doctype html>")
    assert OWN in page
    assert printer_trouble() is not None
