-- What the outbound guard decided: columns as in reputation.own.outbound_types.OutboundRecord.
CREATE TABLE outbound_decision (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    callee TEXT,
    day INTEGER,
    own_number TEXT,
    person TEXT,
    action TEXT NOT NULL,
    would_be TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    until REAL,
    elapsed_ms REAL NOT NULL
) STRICT;
CREATE INDEX outbound_decision_at ON outbound_decision (at);
CREATE INDEX outbound_decision_callee ON outbound_decision (callee, day) WHERE callee IS NOT NULL;
CREATE INDEX outbound_decision_own ON outbound_decision (own_number, at) WHERE own_number IS NOT NULL;
