"""The control sample: calls that get no warning on purpose, to measure how people treat calls without a warning.

A keyed hash of the linkedid selects the calls. A replay selects the same calls, and no caller can influence the choice.
"""

from hashlib import blake2b
from typing import NamedTuple

from reputation.model import ControlSample
from reputation.wording import Wording


def is_drawn(sample: ControlSample, linkedid: str) -> bool:
    """Return whether the call with this linkedid is in the control sample. `sample`: how calls are drawn."""
    if not sample.every or not linkedid:
        return False
    digest = blake2b(linkedid.encode(errors="replace"), digest_size=8, key=sample.salt).digest()
    return int.from_bytes(digest) % sample.every == 0


class SampledCalls(NamedTuple):
    """How many calls the control sample has, and how many were answered, hung up on at once, or marked as spam."""

    calls: int = 0
    answered: int = 0
    hung_up_on: int = 0
    marked: int = 0

    def words(self, warned: int) -> Wording:
        """Return these counts as a text. `warned`: how many other calls got a warning."""
        return Wording(
            "{calls} of {all} calls that were due for a warning got none, to measure what warnings change: "
            "{answered} answered, {hung_up_on} hung up on at once, {marked} marked as spam",
            {**self._asdict(), "all": warned + self.calls},
        )
