"""From Asterisk's words for how a call ended to ours: one table for its events and for its call detail records (CDR).

A cause or a DialStatus that is not here is FAILED; a CDR with another disposition is none.
"""

from __future__ import annotations

from ami_listener.outcome import CallDisposition

# Q.850 cause of a channel that was hung up before it was answered.
UNANSWERED_BY_CAUSE = {
    16: CallDisposition.NO_ANSWER,
    17: CallDisposition.BUSY,
    18: CallDisposition.NO_ANSWER,
    19: CallDisposition.NO_ANSWER,
    21: CallDisposition.REJECTED,
    26: CallDisposition.NO_ANSWER,  # answered elsewhere
}

# DialStatus of a channel that nobody at its end hung up (app_dial.c), and the disposition of a CDR, of which a back end
# may write the number instead (cdr.h: AST_CDR_NOANSWER and so on are bits).
_BY_WORD = {
    "ANSWERED": CallDisposition.ANSWERED,
    "8": CallDisposition.ANSWERED,
    "NOANSWER": CallDisposition.NO_ANSWER,
    "0": CallDisposition.NO_ANSWER,
    "CANCEL": CallDisposition.NO_ANSWER,
    "ABORT": CallDisposition.NO_ANSWER,
    "BUSY": CallDisposition.BUSY,
    "4": CallDisposition.BUSY,
    "FAILED": CallDisposition.FAILED,
    "2": CallDisposition.FAILED,
    "CONGESTION": CallDisposition.FAILED,
    "16": CallDisposition.FAILED,
}


def disposition_of(word: str) -> CallDisposition | None:
    """Ours for a word of Asterisk's, which writes `NOANSWER` in an event and `NO ANSWER` in a CDR."""
    return _BY_WORD.get(word.replace(" ", "").upper())
