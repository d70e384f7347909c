"""From Asterisk's words for how a call ended to ours: one table for its events and for its call detail records (CDR).

A cause or a DialStatus that is not here is FAILED; a CDR with another disposition is none.
"""

from __future__ import annotations

from reputation.model import Disposition

# Q.850 cause of a channel that was hung up before it was answered.
UNANSWERED_BY_CAUSE = {
    16: Disposition.NO_ANSWER,
    17: Disposition.BUSY,
    18: Disposition.NO_ANSWER,
    19: Disposition.NO_ANSWER,
    21: Disposition.REJECTED,
    26: Disposition.NO_ANSWER,  # answered elsewhere
}

# SIP codes for which Asterisk has no cause of its own (127): a person does not want the call (RFC 8197), or a network
# will not carry it (RFC 8688).
UNWANTED, NETWORK_REJECTED = 607, 608

# DialStatus of a channel that nobody at its end hung up (app_dial.c), and the disposition of a CDR, of which a back end
# may write the number instead (cdr.h: AST_CDR_NOANSWER and so on are bits).
_BY_WORD = {
    "ANSWERED": Disposition.ANSWERED,
    "8": Disposition.ANSWERED,
    "NOANSWER": Disposition.NO_ANSWER,
    "0": Disposition.NO_ANSWER,
    "CANCEL": Disposition.NO_ANSWER,
    "ABORT": Disposition.NO_ANSWER,
    "BUSY": Disposition.BUSY,
    "4": Disposition.BUSY,
    "FAILED": Disposition.FAILED,
    "2": Disposition.FAILED,
    "CONGESTION": Disposition.FAILED,
    "16": Disposition.FAILED,
}


def disposition_of(word: str) -> Disposition | None:
    """Ours for a word of Asterisk's, which writes `NOANSWER` in an event and `NO ANSWER` in a CDR."""
    return _BY_WORD.get(word.replace(" ", "").upper())
