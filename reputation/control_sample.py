"""The control sample: which warned calls go without a label, so that something is learnt of callers who are warned of.

The draw is a keyed hash of the linkedid: the same call is drawn the same way in a replay, and no caller can choose.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from reputation.model import ControlSample
from reputation.wording import Wording


def is_drawn(sample: ControlSample, linkedid: str) -> bool:
    """Whether this call is of the sample."""
    if not sample.every or not linkedid:
        return False
    digest = blake2b(linkedid.encode(errors="replace"), digest_size=8, key=sample.salt).digest()
    return int.from_bytes(digest) % sample.every == 0


class SampledCalls(NamedTuple):
    """What became of the calls that were left without their warning: how many there were, how many of them were
    answered, hung up on at once by who answered, and marked as spam by who answered.
    """

    calls: int = 0
    answered: int = 0
    hung_up_on: int = 0
    marked: int = 0

    def words(self, warned: int) -> Wording:
        """The cost of the sample: `warned` calls came with their warning."""
        return Wording(
            "{calls} of {all} warned calls left without the warning on purpose, to learn from them: "
            "{answered} answered, {hung_up_on} hung up on at once, {marked} marked as spam",
            {**self._asdict(), "all": warned + self.calls},
        )
