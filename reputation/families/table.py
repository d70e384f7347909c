"""The tuple of all families of evidence. Sums, words, prompts and who speaks are derived from it."""

from __future__ import annotations

from reputation.families.attestation import ATTESTATION
from reputation.families.behaviour import BEHAVIOUR
from reputation.families.block import LISTED_BLOCK, OWN_BLOCK
from reputation.families.caller import CALLER
from reputation.families.carrier_label import CARRIER_LABEL
from reputation.families.feeds import FEEDS
from reputation.families.first_call import FIRST_CALL
from reputation.families.identity import IDENTITY
from reputation.families.kind import Speaker
from reputation.families.marks import MARKS
from reputation.families.peers import PEERS
from reputation.families.plan import PLAN
from reputation.families.quiet import QUIET_HOURS
from reputation.model import Level

# In the order in which they are told.
FAMILIES = (
    MARKS,
    BEHAVIOUR,
    CALLER,
    LISTED_BLOCK,
    OWN_BLOCK,
    FEEDS,
    ATTESTATION,
    QUIET_HOURS,
    PLAN,
    CARRIER_LABEL,
    PEERS,
    FIRST_CALL,
    IDENTITY,
)
KIND_BY_NAME = {kind.name: kind for kind in FAMILIES}
OUTSIDE = frozenset(kind.name for kind in FAMILIES if kind.speaker is Speaker.OUTSIDE)
TAG_ONLY = frozenset(kind.name for kind in FAMILIES if kind.highest is Level.TAG)
MAY_TAG = frozenset(kind.name for kind in FAMILIES if kind.may_tag)
