"""Facts that follow from the names of Asterisk channels. Pure functions."""

import re
from collections.abc import Container

# `PJSIP/201`: how the phone of an extension is named.
_PHONE = re.compile(r"[A-Za-z0-9]+/\d{2,6}\Z", re.ASCII)


def is_phone_name(endpoint: str) -> bool:
    """Return whether an endpoint has a name like a phone: a technology and two to six digits (`PJSIP/201`)."""
    return _PHONE.match(endpoint) is not None


def endpoint_of(channel: str) -> str:
    """Return the endpoint of a channel: `PJSIP/carrier-0000001a` -> `PJSIP/carrier`."""
    return channel.rpartition("-")[0] or channel


def undescribed_trunk(channel: str, phones: Container[str]) -> str | None:
    """Return the endpoint if it seems to be a trunk: not in `phones`, and not named like a phone; otherwise None."""
    endpoint = endpoint_of(channel)
    return None if endpoint in phones or is_phone_name(endpoint) else endpoint
