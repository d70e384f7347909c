"""The settings of a person's phone, through the API: what FreePBX's tab of an extension shows and changes."""

from __future__ import annotations

from pathlib import Path

from tests.callsieve.asking import ApiOffice
from tests.callsieve.browsing import changes_of

CAROL = {"extension": "301", "name": "Carol"}


def test_phone_settings_are_changed_and_shown(tmp_path: Path) -> None:
    office = ApiOffice(tmp_path)
    with office.api() as api:
        program = api.program()
        program.done("POST", "/imports/people/directory", {"people": [CAROL]})
        path = "/people/301/settings"
        assert program.get(path) == {"person": "301", "quiet": False, "whispers": True, "expects_until": None}
        assert program.done("PATCH", path, {"whispers": False})["whispers"] is False
        changed = program.done("PATCH", path, {"quiet": True, "expects": True})
        assert (changed["quiet"], changed["whispers"]) == (True, False)
        assert changed["expects_until"] is not None
        program.done("PATCH", path, {"quiet": False, "whispers": True, "expects": False})
        assert program.get(path) == {"person": "301", "quiet": False, "whispers": True, "expects_until": None}
        assert program.refused("PATCH", "/people/999/settings", {"quiet": True}) == (404, "unknown-person")
        assert program.refused("GET", "/people/999/settings") == (404, "unknown-person")
    made = [what for what, _, _ in changes_of(office)]
    assert {"quiet-on", "quiet-off", "whispers-on", "whispers-off", "expecting", "not-expecting"} <= set(made)
