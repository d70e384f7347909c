"""The screening state in every page's header, which is refreshed periodically, and the page of active settings."""

import asyncio
import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from starlette.responses import Response

from callsieve.settings import Loaded
from callsieve.web.request import Page, PageRequest
from policies.files import Position, places_of
from policies.policy import PolicyError
from reputation.users import Role

SECRETS = frozenset({"secret", "key", "password", "token"})
HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class SettingShown:
    """A setting. `line`: its line in the file; None for a default.

    `table`: the header of the setting's table, `[agi]` or `[[trunk]]`. `value`: the value as written in the file.
    """

    table: str
    name: str
    value: str
    line: int | None

    @property
    def text(self) -> str:
        """The lines to write into the file to change the setting."""
        return f"{self.table}\n{self.name} = {self.value}"


@dataclass(frozen=True, slots=True)
class SettingsShown:
    """The settings in the file, and the settings with default values."""

    file: str
    exists: bool
    written: tuple[SettingShown, ...]
    defaults: tuple[SettingShown, ...]


def settings_shown(loaded: Loaded) -> SettingsShown:
    """Return the active settings. Line numbers are missing if the file cannot be read."""
    text, raw, places = "", {}, Position(1)
    with suppress(OSError, ValueError, RecursionError, PolicyError):
        text = loaded.file.read_text(encoding="utf-8") if loaded.file else ""
        raw, places = tomllib.loads(text), places_of(text)
    rows = list(_rows(loaded.settings, raw, places, (), ""))
    written = tuple(sorted((row for row in rows if row.line is not None), key=lambda row: row.line or 0))
    defaults = tuple(row for row in rows if row.line is None)
    return SettingsShown(str(loaded.settings_file), loaded.file is not None, written, defaults)


def _rows(
    table: msgspec.Struct, raw: Mapping[str, Any], places: Position, path: tuple[str | int, ...], header: str
) -> Iterator[SettingShown]:
    for name in table.__struct_fields__:
        value, here = getattr(table, name), raw.get(name)
        if isinstance(value, msgspec.Struct):
            inner = here if isinstance(here, dict) else {}
            yield from _rows(value, inner, places, (*path, name), f"{header}.{name}" if header else name)
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            for place, nested in enumerate(value):
                inner = here[place] if isinstance(here, list) and place < len(here) else {}
                set_here = [row for row in _rows(nested, inner, places, (*path, name, place), f"[{name}]") if row.line]
                yield from set_here
        elif not (isinstance(value, tuple) and not value and not header):  # no trunk, no feed: a table, not a value
            line = places.line_of((*path, name)) if name in raw else None
            yield SettingShown(f"[{header}]", name, _written(name, value), line)


def _written(name: str, value: object) -> str:
    if name in SECRETS and value:
        return f'"{HIDDEN}"'
    return _toml(msgspec.to_builtins(value))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key, ensure_ascii=False)} = {_toml(inner)}" for key, inner in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


async def screening(req: PageRequest) -> Response:
    """Return the screening state and banners as a fragment. Redirect a browser without htmx to the health page."""
    return req.page("_screening_alone.html") if req.is_fragment else req.go("/health")


async def settings(req: PageRequest) -> Response:
    """Show the off switch and the active settings, or only the settings whose key contains the text searched for."""
    text = req.query.get("key", "").strip()[:60]
    shown = await asyncio.to_thread(settings_shown, req.state.loaded)
    written, defaults = (
        tuple(row for row in rows if text.casefold() in f"{row.table}.{row.name}".casefold())
        for rows in (shown.written, shown.defaults)
    )
    return req.page("status/settings.html", settings=replace(shown, written=written, defaults=defaults), text=text)


PAGES = (
    Page("GET", "/screening", screening, Role.VIEWER, is_poll=True),
    Page("GET", "/settings", settings, Role.ADMINISTRATOR),
)
