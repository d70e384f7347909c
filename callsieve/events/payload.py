"""Events as receivers are told them: the reason of a decision in words, and numbers masked where that is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from callsieve.events.event import Event, EventKind
from callsieve.web.rendering import mask_numbers
from policies.reasons import why_of
from reputation.numbers import masked

IDS = frozenset({"id", "linkedid", "decision_id", "reference"})
_NUMBER = re.compile(r"\+[0-9]{4,17}")


def as_told(event: Event, *, mask: bool = False) -> Event:
    """The event as a receiver gets it."""
    data: Any = event.data
    if event.kind is EventKind.DECISION_TAKEN:
        why = why_of(str(data["reason"]))
        data = {**data, "reason": str(why), "reason_code": why.code}
    if not mask:
        return replace(event, data=data)
    return replace(event, subject=_masked_id(event.subject), data=_masked(data))


def body_of(event: Event, *, with_id: bool = False) -> bytes:
    """JSON in the form of Standard Webhooks: `type`, `timestamp`, `data`; `with_id`: where no header says that."""
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"id": event.id} if with_id else {}
    return msgspec.json.encode({**head, "type": event.kind.value, "timestamp": at, "data": event.data})


def _masked(value: Any) -> Any:
    """Numbers in all texts, wherever they stand and however they are written."""
    if isinstance(value, str):
        return mask_numbers(value)
    if isinstance(value, Mapping):
        return {key: _masked_id(one) if key in IDS and one else _masked(one) for key, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list | tuple) else value


def _masked_id(text: str) -> str:
    """Receivers find a call by it, so its digits stay; a whole number in it is none of its own."""
    return _NUMBER.sub(lambda found: masked(found[0]), text)
