"""What the console knows without being started again."""

from __future__ import annotations

import time
from pathlib import Path

from callsieve.main.console_app import make_app_state
from callsieve.settings import Loaded, Settings, parse_settings


async def test_a_settings_file_that_is_made_later_is_read(tmp_path: Path) -> None:
    file = tmp_path / "callsieve.toml"

    def load() -> Loaded:
        settings = parse_settings(file.read_text(), str(file)) if file.exists() else Settings()
        return Loaded(settings=settings, file=file if file.exists() else None, state=tmp_path, usual_file=file)

    state = make_app_state(load, time.time)
    assert state.loaded.settings.numbers.region == Settings().numbers.region
    file.write_text('[numbers]\nregion = "NZ"\n')
    assert state.loaded.settings.numbers.region == "NZ"
    file.unlink()
    assert state.loaded.settings.numbers.region == Settings().numbers.region
    await state.close()
