"""The tuple of all families of evidence. Sums, texts, prompts and speakers are derived from this tuple."""

from reputation.families.attestation import ATTESTATION
from reputation.families.block import LISTED_BLOCK, OWN_BLOCK
from reputation.families.caller import CALLER
from reputation.families.counts import PEOPLE
from reputation.families.feeds import FEEDS
from reputation.families.former import FORMER
from reputation.families.identity import IDENTITY
from reputation.families.kind import Speaker
from reputation.families.quiet import QUIET_HOURS
from reputation.families.traps import TRAPS

# In the order in which they are shown.
FAMILIES = (*PEOPLE, CALLER, TRAPS, LISTED_BLOCK, OWN_BLOCK, FEEDS, ATTESTATION, QUIET_HOURS, IDENTITY)
KIND_BY_NAME = {kind.name: kind for kind in (*FORMER, *FAMILIES)}
OUTSIDE = frozenset(kind.name for kind in FAMILIES if kind.speaker is Speaker.OUTSIDE)
MAY_TAG = frozenset(kind.name for kind in FAMILIES if kind.may_tag)
