-- What a site keeps of the hub that it shares evidence through (callsieve/hub). Instants ending in `_us` are microseconds.

-- How this site takes part; no row: it does not. `hub`: which database. Rows and notices of it are here up to their cursors;
-- `applying`: the transaction that is open writes what the hub gave, which is not captured. `clock_us`: of what was acknowledged.
CREATE TABLE hub_link (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    site TEXT NOT NULL,
    organisation TEXT NOT NULL,
    hub TEXT NOT NULL,
    row_xid INTEGER NOT NULL DEFAULT 0,
    row_id INTEGER NOT NULL DEFAULT 0,
    notice_xid INTEGER NOT NULL DEFAULT 0,
    notice_id INTEGER NOT NULL DEFAULT 0,
    clock_us INTEGER NOT NULL DEFAULT 0,
    applying INTEGER NOT NULL DEFAULT 0 CHECK (applying IN (0, 1)),
    program TEXT NOT NULL DEFAULT '',
    pushed_at REAL,
    pulled_at REAL,
    failed_at REAL,
    failure TEXT NOT NULL DEFAULT '',
    refused INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Which rows of ours the hub has not got as they are now, each once: its state is read when it is sent.
CREATE TABLE hub_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    number TEXT NOT NULL,
    key TEXT NOT NULL,
    UNIQUE (number, kind, key)
) STRICT;

-- Kinds of which all rows are still to be put there, and after which number that goes on.
CREATE TABLE hub_fill (
    kind TEXT PRIMARY KEY,
    after TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which version of a row is here or, of our own, there. `digest`: of what was said (hub/checksum.py). `state`, of what an administrator of another site said: 0 nothing,
-- 1 it is in force here, 2 ours says otherwise; `payload` then is what was said.
CREATE TABLE hub_row (
    number TEXT NOT NULL,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    payload TEXT,
    PRIMARY KEY (number, kind, origin, key)
) STRICT, WITHOUT ROWID;

-- Numbers that were erased here, until the hub knows.
CREATE TABLE hub_erasure (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
