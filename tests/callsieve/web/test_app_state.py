"""What the console knows without being started again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from callsieve.main.console_server import make_app_state
from callsieve.settings import Loaded, Settings, parse_settings
from callsieve.web import app_state
from callsieve.web.app_state import BackgroundValue
from tests.waiting import until


async def test_settings_file_created_later_is_read(tmp_path: Path) -> None:
    file = tmp_path / "callsieve.toml"

    def load() -> Loaded:
        settings = parse_settings(file.read_text(), str(file)) if file.exists() else Settings()
        return Loaded(settings=settings, file=file if file.exists() else None, state=tmp_path, usual_file=file)

    state = make_app_state(load, time.time)
    assert state.loaded.settings.numbers.region == Settings().numbers.region
    file.write_text('[numbers]\nregion = "NZ"\n')
    state.refresh()
    assert state.loaded.settings.numbers.region == "NZ"
    file.unlink()
    state.refresh()
    assert state.loaded.settings.numbers.region == Settings().numbers.region
    await state.close()


async def test_stale_background_value_is_refreshed_before_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app_state, "WATCHED_SECONDS", 0.05)
    found = iter(range(100))
    value = BackgroundValue(-1, lambda: next(found), every_seconds=0.01)
    assert await value.first(5.0) == 0
    await until(lambda: value._task is not None and value._task.done())
    before = value._value
    assert await value.first(5.0) > before
    await value.close()
