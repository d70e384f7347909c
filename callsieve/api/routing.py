"""Which endpoint a path is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from callsieve.api.endpoint import Endpoint

ROOT = "/api/v1"
_PART = re.compile(r"\{(\w+)\}")


class Route(NamedTuple):
    """All that can be asked of a path, by method."""

    pattern: re.Pattern[str]
    by_method: dict[str, Endpoint]


class Routes:
    """The table, by path. Where a path fits two, the one without a part in braces is meant."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        by_path: dict[str, Route] = {}
        for one in endpoints:
            pattern = _PART.sub(r"(?P<\1>[^/]+)", re.sub(r"[.]", r"\\.", one.path))
            route = by_path.setdefault(one.path, Route(re.compile(pattern), {}))
            assert one.method not in route.by_method, f"{one.method} {one.path} is there twice"
            route.by_method[one.method] = one
        self._routes = [by_path[path] for path in sorted(by_path, key=lambda path: (path.count("{"), path))]

    def find(self, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route, and the parts of the path. `path`: below ROOT."""
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match:
                return route, match.groupdict()
        return None
