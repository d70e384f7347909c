"""The settings of docs/how-to/look-ups.md, at servers that answer as PhoneBlock, Twilio and Telnyx document it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path

import pytest

from callsieve.lookups.sources import hash_prefix
from callsieve.settings import parse_settings
from tests.callsieve.lookups.looking_up import CALLER, looking
from tests.callsieve.lookups.test_sources import example
from tests.callsieve.outside.servers import answer, serving

GERMAN = "+4930123456"
# PhoneBlock's description of `check-prefix`, with our number among those of its bucket.
BUCKET = {
    "numbers": [
        {"phone": "+49123456789", "votes": 42, "rating": "D_POLL", "archived": False, "label": "(DE) 0123 456789"},
        {
            "phone": GERMAN,
            "votes": 12,
            "rating": "G_FRAUD",
            "whiteListed": False,
            "blackListed": False,
            "archived": False,
            "dateAdded": 1700000000000,
            "lastUpdate": 1710000000000,
            "label": "(DE) 030 123456",
            "location": "Berlin",
        },
    ],
    "range10": [],
    "range100": [],
}
TWILIO = {
    "caller_name": None,
    "country_code": "US",
    "phone_number": CALLER,
    "national_format": "(201) 555-0123",
    "carrier": None,
    "add_ons": {
        "status": "successful",
        "message": None,
        "code": None,
        "results": {"nomorobo_spamscore": {"status": "successful", "request_sid": "XR0", "result": {"score": 1}}},
    },
}
TELNYX = {
    "data": {
        "caller_name": {"caller_name": "", "error_code": "10001"},
        "carrier": {"error_code": None, "name": "", "type": "voip"},
        "country_code": "US",
        "fraud": None,
        "national_format": "(201) 555-0123",
        "phone_number": CALLER,
        "portability": {"line_type": "voip", "spid": "073H"},
        "record_type": "number_lookup",
        "valid_number": False,
    }
}
SECRET = "AC1:s3cr3t"


@pytest.mark.parametrize(
    ("name", "number", "document", "sent", "authorized"),
    [
        ("phoneblock", GERMAN, BUCKET, f"/check-prefix?sha1={hash_prefix(GERMAN)}", f"Bearer {SECRET}"),
        (
            "twilio",
            CALLER,
            TWILIO,
            "/v1/PhoneNumbers/%2B12015550123?AddOns=nomorobo_spamscore",
            f"Basic {b64encode(SECRET.encode()).decode()}",
        ),
        ("telnyx", CALLER, TELNYX, "/v2/number_lookup/%2B12015550123", f"Bearer {SECRET}"),
    ],
)
async def test_documented_source_settings_work_unchanged(
    tmp_path: Path, name: str, number: str, document: object, sent: str, authorized: str
) -> None:
    body = json.dumps(document).encode()
    async with serving(answer(200, body, content_type="application/json")) as server:
        text = re.sub(r"https://[^/\"]+", server.url(""), example(name)) + "private = true\n"
        if name == "phoneblock":
            text += f'url = "{server.url("")}"\n'
        async with looking(tmp_path, parse_settings(text, "callsieve.toml")) as look:
            look.service.sources[0].token = SECRET
            assert await look.ask(number)
            assert look.verdicts(number) == ["spam"]
    [head] = server.requests
    first, *fields = head.splitlines()
    assert first == f"GET {sent} HTTP/1.1"
    assert {line.partition(": ")[2] for line in fields if line.lower().startswith("authorization")} == {authorized}


async def test_phoneblock_never_receives_the_number(tmp_path: Path) -> None:
    """Every byte that it gets."""
    async with serving(answer(200, b'{"numbers": []}')) as server:
        text = f'{example("phoneblock")}private = true\nurl = "{server.url("/api")}"\n'
        async with looking(tmp_path, parse_settings(text, "callsieve.toml")) as look:
            look.service.sources[0].token = "t"
            assert not await look.ask(GERMAN)
    [head] = server.requests
    prefix = hash_prefix(GERMAN)
    assert head.splitlines()[0] == f"GET /api/check-prefix?sha1={prefix} HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in head.splitlines()[1:] if line}
    assert names <= {"host", "accept", "accept-encoding", "user-agent", "authorization", "connection"}
    assert GERMAN[3:] not in head.replace(prefix, "")
