"""The control sample: which warned calls go without a label, so that something is learnt of callers who are warned of.

The draw is a keyed hash of the linkedid: the same call is drawn the same way in a replay, and no caller can choose.
"""

from __future__ import annotations

from hashlib import blake2b

from reputation.model import ControlSample


def is_drawn(sample: ControlSample, linkedid: str) -> bool:
    """Whether this call is of the sample."""
    if not sample.every or not linkedid:
        return False
    digest = blake2b(linkedid.encode(errors="replace"), digest_size=8, key=sample.salt).digest()
    return int.from_bytes(digest) % sample.every == 0
