-- How calls end, what is learnt from it, and what people say. All of it is keyed so that the same calls and marks, in
-- any order and applied twice, leave the same rows. `callee`, `person` and `reporter` are extensions; a callee may
-- also be a DID or a group.

-- Raw outcomes: columns as in reputation.model.OutcomeRecord, `rung` as JSON. `waits_since` is set while the decision
-- about the call may still be on its way to the journal: until then nothing is learnt from it.
CREATE TABLE outcome (
    linkedid TEXT PRIMARY KEY,
    at REAL NOT NULL,
    direction TEXT NOT NULL,
    disposition TEXT NOT NULL,
    caller TEXT,
    caller_kind TEXT NOT NULL,
    did TEXT,
    dialled TEXT,
    own_number TEXT,
    trunk TEXT,
    answered_by TEXT,
    grp TEXT,
    queue TEXT,
    rung TEXT NOT NULL,
    forked INTEGER NOT NULL,
    ring_seconds REAL NOT NULL,
    talk_seconds REAL NOT NULL,
    cause INTEGER,
    sip_code INTEGER,
    ended_by TEXT,
    voicemail_left INTEGER NOT NULL,
    transferred INTEGER NOT NULL,
    parked INTEGER NOT NULL,
    conference INTEGER NOT NULL,
    challenge TEXT,
    complete INTEGER NOT NULL,
    source TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    decision_id TEXT,
    action TEXT,
    waits_since REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX outcome_at ON outcome (at);
CREATE INDEX outcome_caller ON outcome (caller, at) WHERE caller IS NOT NULL;
CREATE INDEX outcome_dialled ON outcome (dialled, at) WHERE dialled IS NOT NULL;
CREATE INDEX outcome_waiting ON outcome (waits_since) WHERE waits_since IS NOT NULL;

-- Whose phone a call reached: who answered, or where nobody did all whose phones rang. For "the last caller was spam".
-- `number` is NULL for a caller who has none.
CREATE TABLE reached (
    person TEXT NOT NULL,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    number TEXT,
    PRIMARY KEY (person, at, linkedid)
) STRICT, WITHOUT ROWID;
CREATE INDEX reached_number ON reached (number) WHERE number IS NOT NULL;
CREATE INDEX reached_at ON reached (at);

-- What a challenged caller did, by call, until the call's outcome has it.
CREATE TABLE challenge_result (
    linkedid TEXT PRIMARY KEY,
    result TEXT NOT NULL CHECK (result IN ('passed', 'wrong', 'silent')),
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signal (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    callee TEXT NOT NULL,
    category TEXT NOT NULL,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, callee, category)
) STRICT, WITHOUT ROWID;
CREATE INDEX signal_at ON signal (at);

-- The denominator: who answered, whether or not they marked.
CREATE TABLE answered (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    callee TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, callee)
) STRICT, WITHOUT ROWID;
CREATE INDEX answered_at ON answered (at);

-- Relationship: the latest talk of 30 s or more *to* the number.
CREATE TABLE talk (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (number, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX talk_at ON talk (at);

-- The first and the latest talk of 30 s or more *from* the number: a second talk on another day is a signal.
CREATE TABLE inbound_talk (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    callee TEXT NOT NULL,
    first_at REAL NOT NULL,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, callee)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbound_talk_at ON inbound_talk (at);

-- Every one-ring call, not the latest alone: whether a talk came within a day of one must not depend on the order.
CREATE TABLE one_ring (
    number TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (number, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX one_ring_at ON one_ring (at);

-- '' stands for what is not known, so that equal times can be told apart by text.
CREATE TABLE mark (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    reporter TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('spam', 'ok', 'retracted')),
    at REAL NOT NULL,
    channel TEXT NOT NULL,
    grp TEXT NOT NULL,
    category TEXT NOT NULL,
    reason TEXT NOT NULL,
    linkedid TEXT NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, reporter)
) STRICT, WITHOUT ROWID;
CREATE INDEX mark_reporter ON mark (reporter, at);
CREATE INDEX mark_at ON mark (at);

-- A person's own entry may come from a mark: 'mark', or 'mark-over-allow' where an entry of the allowlist was there.
ALTER TABLE personal_entry ADD COLUMN source TEXT NOT NULL DEFAULT 'person'
    CHECK (source IN ('person', 'mark', 'mark-over-allow'));
