"""The table of all endpoints of the API; each capability has its own."""

from __future__ import annotations

from callsieve.api.endpoint import Endpoint
from callsieve.decide.api import endpoints as decide
from callsieve.lists.api import endpoints as lists

_PARTS = (decide, lists)
ENDPOINTS: tuple[Endpoint, ...] = tuple(one for part in _PARTS for one in part.ENDPOINTS)
