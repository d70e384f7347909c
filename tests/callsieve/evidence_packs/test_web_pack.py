"""Evidence packs in the browser: form, file, refusals and audit."""

from __future__ import annotations

import io
import zipfile

import pytest

from callsieve.evidence_packs.operations import platforms
from callsieve.signing.keys import signing_key
from callsieve.signing.statements import verify
from reputation.own.register import OwnNumber
from reputation.store.audit import audit_rows
from reputation.store.own_register import put_own
from tests.callsieve.browsing import NOW, Browser, Console, Office, problem_of
from tests.reputation.own_campaigns import OWN

PAGE = f"/own/{OWN}/pack"


@pytest.fixture
def otto(console: Console, office: Office) -> Browser:
    office.write(put_own, OwnNumber(number=OWN, name="Acme <b>Care", since=NOW, added_at=NOW))
    return console.browser("operator")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_form_has_every_platform(otto: Browser, language: str) -> None:
    page = otto.text(PAGE, headers={"accept-language": language})
    assert [name for name in platforms() if f'<option value="{name}"' in page] == list(platforms())
    assert ("电话邦</option>" in page) == (language == "zh")
    assert f'href="/own/%2B{OWN[1:]}/pack"' in otto.text(f"/own/{OWN}")


def test_pack_is_made_signed_and_audited(otto: Browser, office: Office) -> None:
    answer = otto.post(PAGE, platform="dianhuabang", language="zh", days="30")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert f'filename="{OWN[1:]}-dianhuabang-zh-' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as pack:
        statement = verify(pack.read("manifest.json"), signing_key(office.state).public_key)
        assert {file_["name"] for file_ in statement.about["files"]} == set(pack.namelist()) - {"manifest.json"}
    assert (statement.issuer, statement.issued_at) == ("Acme <b>Care", int(NOW))
    (row,) = office.read(audit_rows)
    assert (row.who, row.what, row.number, row.name) == ("otto (console)", "own pack", OWN, "dianhuabang")


@pytest.mark.parametrize(
    "wrong",
    [{"platform": "<b>nobody"}, {"language": "fr"}, {"days": "0"}, {"days": "9999"}, {"days": "x"}, {"days": ""}],
)
def test_refused_pack_shows_the_problem_and_is_not_audited(
    otto: Browser, office: Office, wrong: dict[str, str]
) -> None:
    answer = otto.post(PAGE, **{"platform": "hiya", "language": "en", "days": "30"} | wrong)
    assert answer.status_code == 422
    assert problem_of(answer.text)
    assert "<b>" not in answer.text
    assert office.read(audit_rows) == []


def test_number_without_a_name_is_refused(otto: Browser, office: Office) -> None:
    office.write(put_own, OwnNumber(number=OWN, since=NOW, added_at=NOW))
    assert "without a name" in otto.text(PAGE)
    assert otto.post(PAGE, platform="hiya", language="en", days="30").status_code == 422
    assert otto.get("/own/+442071838799/pack").status_code == 404
