-- Who agreed to be called by us: columns as in reputation.store.consents.Consent.
CREATE TABLE consent (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    until REAL,
    proof TEXT NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- Copies of national do-not-call registers. `complete`: all of its numbers are there, and it is the one in force.
CREATE TABLE register_copy (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    file_at REAL NOT NULL,
    imported_at REAL NOT NULL,
    numbers INTEGER NOT NULL,
    complete INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX register_copy_name ON register_copy (name) WHERE complete;
-- Its numbers, E.164 without the plus: millions of rows.
CREATE TABLE register_number (
    number INTEGER NOT NULL,
    copy INTEGER NOT NULL,
    PRIMARY KEY (number, copy)
) STRICT, WITHOUT ROWID;
