"""What the name of one of Asterisk's channels tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Container

# `PJSIP/201`: how the phone of an extension is named.
_PHONE = re.compile(r"[A-Za-z0-9]+/\d{2,6}\Z", re.ASCII)


def is_phone_name(endpoint: str) -> bool:
    """Whether an endpoint is named as phones are; where nobody has described a trunk, that is what tells them apart."""
    return _PHONE.match(endpoint) is not None


def endpoint_of(channel: str) -> str:
    """`PJSIP/carrier-0000001a` -> `PJSIP/carrier`."""
    return channel.rpartition("-")[0] or channel


def undescribed_trunk(channel: str, phones: Container[str]) -> str | None:
    """The endpoint of a channel that no `[[trunk]]` describes, where that is none of our `phones` nor named as one."""
    endpoint = endpoint_of(channel)
    return None if endpoint in phones or is_phone_name(endpoint) else endpoint
