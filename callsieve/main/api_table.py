"""The table of all endpoints of the API; each capability has its own."""

from __future__ import annotations

from callsieve.api.endpoint import Endpoint
from callsieve.appeals.api import endpoints as appeals
from callsieve.audit.api import endpoints as audit
from callsieve.call_lists.api import endpoints as call_lists
from callsieve.calls.api import endpoints as calls
from callsieve.decide.api import endpoints as decide
from callsieve.events.api import endpoints as events
from callsieve.evidence_packs.api import endpoints as evidence_packs
from callsieve.exchange.api import endpoints as exchange
from callsieve.identities.api import endpoints as identities
from callsieve.imports.api import endpoints as imports
from callsieve.lists.api import endpoints as lists
from callsieve.mark_watch.api import endpoints as mark_watch
from callsieve.numbers.api import endpoints as numbers
from callsieve.own_numbers.api import endpoints as own_numbers
from callsieve.people.api import endpoints as people
from callsieve.policy.api import endpoints as policy
from callsieve.status.api import endpoints as status
from callsieve.switch.api import endpoints as switch

_PARTS = (
    *(status, switch, decide, calls, numbers, lists, events, audit),
    *(identities, appeals, own_numbers, people, imports, exchange, policy),
    *(mark_watch, evidence_packs, call_lists),
)
ENDPOINTS: tuple[Endpoint, ...] = tuple(one for part in _PARTS for one in part.ENDPOINTS)
