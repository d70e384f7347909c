"""Transcripts: the recognised words of callers who were asked for their names."""

import sqlite3
from typing import NamedTuple

from reputation.encoding import Instant
from reputation.events import CallerHeard, EventKind, subject_of_call
from reputation.model import Voice
from reputation.store.outbox import add_event
from reputation.store.outcomes import record_late_voice

PUT = """
INSERT INTO transcript (decision_id, at, linkedid, number, text, language, voice) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (decision_id) DO UPDATE SET voice = excluded.voice WHERE voice = 'unclear' AND excluded.voice <> 'unclear'
"""
OF = "SELECT decision_id, at, linkedid, number, text, language, voice FROM transcript WHERE decision_id = ?"


class Transcript(NamedTuple):
    """The recognised words of a caller who was asked for a name. `text`: empty if nothing was understood."""

    decision_id: str
    at: Instant
    linkedid: str
    number: str | None
    text: str
    language: str
    voice: Voice


def record_transcript(db: sqlite3.Connection, transcript: Transcript) -> None:
    """Store the recognised words of a caller, and emit an event with them. Call it in a transaction.

    If the words are already stored, but not whether a person or a recording spoke (`voice`), the voice is added and the
    event is emitted again. The voice becomes evidence only after the call, so it does not affect the rest of this call.
    """
    if not db.execute(PUT, transcript).rowcount:
        return
    heard = CallerHeard(
        decision_id=transcript.decision_id,
        linkedid=transcript.linkedid,
        caller=transcript.number,
        text=transcript.text,
        language=transcript.language,
        voice=transcript.voice,
    )
    record_late_voice(db, transcript.linkedid, transcript.voice)
    add_event(db, EventKind.CALLER_HEARD, subject_of_call(transcript.number, transcript.linkedid), transcript.at, heard)


def transcript_of(db: sqlite3.Connection, decision_id: str) -> Transcript | None:
    """Return what the caller said when this decision asked for a name; None if nothing is stored."""
    row = db.execute(OF, (decision_id,)).fetchone()
    return None if row is None else Transcript(*row)._replace(voice=Voice(row[-1]))
