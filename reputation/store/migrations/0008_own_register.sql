-- The register of our own numbers: columns as in reputation.own.register.OwnNumber, lists as JSON.
CREATE TABLE own_register (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    owner TEXT NOT NULL,
    trunks TEXT NOT NULL,
    documents TEXT NOT NULL,
    registered TEXT NOT NULL,
    next_check_at REAL,
    checked_at REAL,
    state TEXT NOT NULL CHECK (state IN ('active', 'resting', 'retired')),
    since REAL NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outcome_own_number ON outcome (own_number, at) WHERE own_number IS NOT NULL;
