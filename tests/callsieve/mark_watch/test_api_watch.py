"""What platforms show of our own numbers, through the API."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from callsieve.mark_watch.operations import MOST_SCREENSHOT_BYTES
from reputation.own.suspicion import Network, Suspicion
from reputation.store.own_health import record_suspicions
from reputation.users import Role
from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import NOW, changes_of

OWN = "+12025550140"
PNG = b"\x89PNG\r\n\x1a\n..."
PATH = f"/own-numbers/{OWN}/looks"


def file_of(content: bytes) -> dict[str, str]:
    return {"name": "hiya.png", "content": b64encode(content).decode()}


def test_label_check_is_recorded_shown_and_undone(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program(Role.OPERATOR)
        program.done("POST", "/own-numbers", {"number": OWN})
        sent = {"platform": "Hiya", "label": "Scam Likely", "marks": 12, "screenshot": file_of(PNG), "next_look": "12h"}
        done = program.done("POST", PATH, sent)
        assert (done["look"]["label"], done["changed"]["before"]) == ("Scam Likely", None)
        digest = hashlib.sha256(PNG).hexdigest()
        shown, pictures = program.get(PATH), program.get(f"/own-numbers/{OWN}/screenshots")
        assert ([item["marks"] for item in shown["items"]], pictures["items"][0]["digest"]) == ([12], digest)
        picture = program.get(f"/own-numbers/{OWN}/screenshots/{digest}")
        assert (picture["kind"], b64decode(picture["content"])) == ("png", PNG)
        program.done("POST", PATH, {"platform": "TNS"})
        assert [item["platform"] for item in program.get("/looks")["items"]] == ["Hiya", "TNS"]
        assert [item["platform"] for item in program.get("/looks", due=True)["items"]] == ["Hiya"]
        program.done("POST", f"/changes/{done['change_id']}/undo")
        assert program.refused("GET", f"/own-numbers/{OWN}/screenshots/{digest}") == (404, "no-such-screenshot")
    assert [what for what, _, _ in changes_of(office)][:2] == ["undo own watch add", "own watch add"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"platform": ""}, (422, "bad-body"), id="no-platform"),
        pytest.param({"platform": "Hiya", "marks": -1}, (422, "bad-body"), id="less-than-none"),
        pytest.param({"platform": "Hiya", "next_look": "soon"}, (422, "bad-time"), id="no-time"),
        pytest.param({"platform": "Hiya", "screenshot": file_of(b"<svg>")}, (422, "bad-type"), id="no-picture"),
        pytest.param(
            {"platform": "Hiya", "screenshot": file_of(PNG + bytes(MOST_SCREENSHOT_BYTES))},
            (422, "file-too-large"),
            id="too-large",
        ),
    ],
)
def test_bad_label_checks_are_refused(tmp_path: Path, body: Any, told: tuple[int, str]) -> None:
    with ApiOffice(tmp_path).api() as api:
        program = api.program(Role.OPERATOR)
        assert program.refused("POST", PATH, {"platform": "Hiya"}) == (422, "not-ours")
        program.done("POST", "/own-numbers", {"number": OWN})
        assert program.refused("POST", PATH, body) == told
        assert program.get("/looks")["items"] == []


def test_suspicions_name_the_network_and_its_platforms(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    found = Suspicion(Network("GB", "EE"), "answered", 0.41, 0.18, 900, 300, 0.9991)
    office.write(record_suspicions, OWN, [found], NOW)
    with office.api() as api:
        (one,) = api.program(Role.OPERATOR).get(f"/own-numbers/{OWN}/suspicions")["items"]
    assert (one["network"]["name"], one["platforms"][0]["platform"]) == ("EE", "Hiya")
