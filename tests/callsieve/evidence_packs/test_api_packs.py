"""Evidence packs, through the API."""

from __future__ import annotations

import io
import zipfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import changes_of

OWN = "+442071838750"
LICENCE = {"name": "licence.pdf", "content": b64encode(b"%PDF-1.4").decode()}


def test_pack_is_made_and_audited(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        names = [item["name"] for item in program.get("/evidence-packs/platforms")["items"]]
        assert (names[0], "hiya" in names) == ("carrier", True)
        program.done("POST", "/own-numbers", {"number": OWN, "name": "Example Ltd"})
        made = program.done(
            "POST", f"/own-numbers/{OWN}/pack", {"platform": "hiya", "language": "zh", "files": [LICENCE]}
        )
    with zipfile.ZipFile(io.BytesIO(b64decode(made["content"]))) as pack:
        assert pack.read("documents/licence.pdf") == b"%PDF-1.4"
        assert "manifest.json" in pack.namelist()
    assert made["file_name"].startswith("442071838750-hiya-zh-")
    assert next(what for what, _, _ in changes_of(office)) == "own pack"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"platform": "nobody"}, (422, "unknown-platform"), id="no-platform"),
        pytest.param({"platform": "hiya", "days": 181}, (422, "bad-body"), id="too-long"),
        pytest.param({"platform": "hiya", "language": "fr"}, (422, "bad-body"), id="no-language"),
        pytest.param({"platform": "hiya", "files": [LICENCE, LICENCE]}, (422, "bad-files"), id="the-same-name"),
        pytest.param({"platform": "hiya", "files": [LICENCE | {"name": "../x"}]}, (422, "bad-file"), id="no-name"),
    ],
)
def test_invalid_request_is_refused(tmp_path: Path, body: Any, told: tuple[int, str]) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        assert program.refused("POST", f"/own-numbers/{OWN}/pack", {"platform": "hiya"}) == (404, "not-registered")
        program.done("POST", "/own-numbers", {"number": OWN, "name": "Example Ltd"})
        assert program.refused("POST", f"/own-numbers/{OWN}/pack", body) == told
    assert next(what for what, _, _ in changes_of(office)) == "own add"
