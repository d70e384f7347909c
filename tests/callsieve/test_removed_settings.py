"""Settings of older versions: each is a warning that names its successor, never a failed start."""

from __future__ import annotations

import pytest

from callsieve.settings import SettingsError, parse_settings, removed_settings
from reputation.weights import DEFAULT, SUCCESSORS

OLD = """
[reputation]
before_epoch = 0.5
[reputation.marks]
half_life_days = 21.0
[reputation.marks.channels]
web = 0.5
[reputation.behaviour]
hung_up_on = 1.0
[reputation.plan]
telemarketing = 1.0
[reputation.first_call]
most = 0
[reputation.levels]
warn = 4.5
challenge_unseen = 4.5
"""


def test_removed_settings_are_ignored() -> None:
    settings = parse_settings(OLD, "callsieve.toml")
    assert settings.reputation.levels.warn == 4.5
    assert settings.reputation.before_epoch == DEFAULT.before_epoch


def test_removed_settings_are_named_with_successors() -> None:
    found = {setting.key: setting.successor for setting in removed_settings(OLD)}
    assert found == {
        "before_epoch": "",
        **{name: SUCCESSORS[name] for name in ("marks", "behaviour", "plan", "first_call", "levels.challenge_unseen")},
    }


def test_unknown_key_is_an_error() -> None:
    with pytest.raises(SettingsError, match="zeal"):
        parse_settings("[reputation.zeal]\nx = 1\n", "callsieve.toml")
