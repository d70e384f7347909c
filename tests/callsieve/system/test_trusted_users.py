"""Whose requests are obeyed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from callsieve.settings import parse_settings
from callsieve.system.privileges import accepted_users


@pytest.mark.root
def test_owner_of_the_asterisk_configuration_is_trusted(tmp_path: Path) -> None:
    os.chown(tmp_path, 4712, -1)
    settings = parse_settings(
        f'[asterisk]\netc = "{tmp_path}"\n[agi]\nusers = ["4713", "nobody-of-this-name"]\n', "test"
    )
    assert accepted_users(settings) == {0, 4712, 4713}
