"""An event of each kind with invented numbers: what `callsieve events test` sends, and what the documentation shows."""

from __future__ import annotations

import msgspec

from callsieve.events.event import Event, EventData, EventKind
from reputation.events import (
    AppealDecided,
    AppealDue,
    AppealOpened,
    CallEnded,
    DaemonTrouble,
    DecisionTaken,
    DigestReady,
    EmergencyClosed,
    EmergencyOpened,
    ExchangeStale,
    FeedStale,
    GradeChanged,
    HubStale,
    LabelChanged,
    LevelChanged,
    NumberMarked,
    NumberSuspected,
    PolicyChanged,
    new_event_id,
)

CALLER, DID = "+12015550123", "+442071838750"
AT = 1_795_780_800.0  # 2026-11-27 12:00 UTC

DATA: dict[EventKind, EventData] = {
    EventKind.DECISION_TAKEN: DecisionTaken(
        id="8M3Q0ZKC",
        linkedid="1795780799.17",
        caller=CALLER,
        caller_kind="number",
        did=DID,
        trunk="carrier",
        callee=None,
        action="warn",
        would_be="warn",
        rule="some-evidence",
        reason='{"code": "some-evidence"}',
        level="warn",
        log_odds=2.61,
        policy="cautious",
    ),
    EventKind.CALL_ENDED: CallEnded(
        linkedid="1795780799.17",
        direction="inbound",
        disposition="answered",
        caller=CALLER,
        caller_kind="number",
        did=DID,
        dialled=None,
        own_number=None,
        trunk="carrier",
        answered_by="201",
        rung=("201",),
        started_at=AT - 20.0,
        ring_seconds=8.0,
        talk_seconds=12.0,
        ended_by="callee",
        voicemail_left=False,
        challenge=None,
        complete=True,
        decision_id="8M3Q0ZKC",
        action="warn",
    ),
    EventKind.NUMBER_MARKED: NumberMarked(
        number=CALLER,
        auth_class="unknown",
        verdict="spam",
        reporter="201",
        channel="extension",
        category=None,
        reason="",
        linkedid="1795780799.17",
    ),
    EventKind.LEVEL_CHANGED: LevelChanged(
        number=CALLER, auth_class="unknown", before="tag", level="warn", log_odds=2.61
    ),
    EventKind.APPEAL_OPENED: AppealOpened(reference="AP9E4100", number=CALLER, decision_id="8M3Q0ZKC"),
    EventKind.APPEAL_DUE: AppealDue(reference="AP9E4100", number=CALLER, due_at=AT + 43_200.0),
    EventKind.APPEAL_DECIDED: AppealDecided(reference="AP9E4100", number=CALLER, ruling="upheld", category_only=False),
    EventKind.GRADE_CHANGED: GradeChanged(number=DID, before="healthy", grade="watch", reasons=("listed",)),
    EventKind.LABEL_CHANGED: LabelChanged(number=DID, platform="Hiya", before="", label="Scam Likely", marks=12),
    EventKind.SUSPECTED: NumberSuspected(
        number=DID, country="GB", network="EE", by="answered", before=0.41, lately=0.18, confidence=0.9991
    ),
    EventKind.FEED_STALE: FeedStale(
        feed="ftc", status="stale", detail="it used to come every 7 d", imported_at=AT - 1_814_400.0
    ),
    EventKind.EXCHANGE_STALE: ExchangeStale(
        company="partner", status="stale", detail="nothing came for 2 d", came_at=AT - 172_800.0
    ),
    EventKind.HUB_STALE: HubStale(
        status="stale", detail="nothing was exchanged for 10 min", waiting=12, exchanged_at=AT - 620.0
    ),
    EventKind.POLICY_CHANGED: PolicyChanged(policy="head-office:office", state="waiting", before="", by="hub"),
    EventKind.DAEMON_TROUBLE: DaemonTrouble(trouble="the store did not answer lately", running=True),
    EventKind.EMERGENCY_OPENED: EmergencyOpened(by="Asterisk"),
    EventKind.EMERGENCY_CLOSED: EmergencyClosed(by="time"),
    EventKind.DIGEST_READY: DigestReady(day="2026-11-26"),
}


def sample_of(kind: EventKind, at: float = AT) -> Event:
    """An event of this kind, with an id of its own."""
    data = msgspec.to_builtins(DATA[kind])
    return Event(new_event_id(at), kind, str(data.get("number") or data.get("caller") or "sample"), at, data)
