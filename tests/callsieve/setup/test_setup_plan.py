"""`callsieve setup`: whether it asks for a policy. tests/integration/test_setup.py runs it on an Asterisk."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsieve.settings import load_settings
from callsieve.setup.cli.commands import policy_to_activate


@pytest.mark.parametrize(
    ("text", "yes", "chosen"),
    [
        pytest.param(None, False, None, id="asks on a new server"),
        pytest.param('[policy]\nname = "observe"\n', False, None, id="asks while it observes"),
        pytest.param('[policy]\nname = "strict"\n', False, "", id="keeps a policy that acts"),
        pytest.param(None, True, "", id="does not ask with --yes"),
    ],
)
def test_policy_is_asked_for_unless_one_acts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, yes: bool, chosen: str | None
) -> None:
    file = tmp_path / "callsieve.toml"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr("callsieve.settings.CONFIG_FILE", file)
    assert policy_to_activate(load_settings(None), None, yes=yes) == chosen
