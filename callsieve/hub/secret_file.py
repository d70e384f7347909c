"""Where the secret of this site is, for who looks at it without PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from callsieve.setting_types import SECRET_IN_FILE
from callsieve.settings import Loaded

SECRET: Final = "hub.secret"


def secret_path(loaded: Loaded) -> Path:
    """Where `hub join` writes it."""
    return loaded.state_path(SECRET)


def secret_source(loaded: Loaded) -> str:
    """`file:/path` or `env:NAME`, as the settings say."""
    return loaded.settings.hub.secret or f"{SECRET_IN_FILE}{secret_path(loaded)}"
