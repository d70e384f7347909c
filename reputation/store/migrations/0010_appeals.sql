-- Appeals: what number owners say against a marking, what they show for it, and what was decided.

-- Columns as in reputation.appeals.Appeal.
CREATE TABLE appeal (
    reference TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    contact TEXT NOT NULL,
    opened_at REAL NOT NULL,
    statement TEXT NOT NULL,
    decision_id TEXT,
    state TEXT NOT NULL CHECK (state IN ('open', 'in force', 'upheld', 'denied', 'withdrawn')),
    proven INTEGER NOT NULL CHECK (proven IN (0, 1)),
    in_force_at REAL,
    closed_at REAL,
    reason TEXT NOT NULL,
    category_only INTEGER NOT NULL CHECK (category_only IN (0, 1))
) STRICT, WITHOUT ROWID;
-- What a call asks: is one in force, and when was one upheld.
CREATE INDEX appeal_number ON appeal (number, state, closed_at);
-- A number has one at a time.
CREATE UNIQUE INDEX appeal_live ON appeal (number) WHERE state IN ('open', 'in force');

-- Call records and statements. `place` counts from 1 within an appeal; `digest` is SHA-256: the same twice is one.
CREATE TABLE attachment (
    appeal TEXT NOT NULL REFERENCES appeal (reference) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    added_at REAL NOT NULL,
    added_by TEXT NOT NULL,
    digest TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (appeal, place),
    UNIQUE (appeal, digest)
) STRICT;

-- Codes of call-backs, one at a time: `about` is an appeal, or the number whose owner is to be known. Only what a code
-- is checked by is kept.
CREATE TABLE call_back_code (
    about TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    digest BLOB NOT NULL,
    made_at REAL NOT NULL,
    tries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX call_back_code_number ON call_back_code (number);
CREATE INDEX call_back_code_made ON call_back_code (made_at);

-- Spam marks of a number that never count again, whoever sends them once more: those of `reporter` ('': of everybody)
-- that are dated `until` then or before. The marks themselves stay, so what was decided in error can be undone.
CREATE TABLE tombstone (
    number TEXT NOT NULL,
    reporter TEXT NOT NULL,
    case_id TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (number, reporter, case_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_case ON tombstone (case_id);
CREATE INDEX tombstone_until ON tombstone (until);
