-- What happened that receivers are to be told, in its order. `seq` is never used again: it is where a stream goes on.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at REAL NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX event_at ON event (at);
CREATE INDEX event_subject ON event (subject);

-- Which kinds are written at all, and for whom; receiver '': for who reads the stream.
CREATE TABLE event_wanted (
    kind TEXT NOT NULL,
    receiver TEXT NOT NULL,
    PRIMARY KEY (kind, receiver)
) STRICT, WITHOUT ROWID;

-- What a receiver has not got yet. `failing_since`, `next_at` and `error`: of the first of a subject, once it was tried;
-- `dead_at`: it is not tried any more.
CREATE TABLE event_delivery (
    receiver TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES event (seq) ON DELETE CASCADE,
    attempts INTEGER NOT NULL DEFAULT 0,
    failing_since REAL,
    next_at REAL,
    error TEXT NOT NULL DEFAULT '',
    dead_at REAL,
    PRIMARY KEY (receiver, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_delivery_seq ON event_delivery (seq);

-- How a receiver does: counts since it was first named. `off`: why nothing is sent to it any more.
CREATE TABLE event_receiver (
    name TEXT PRIMARY KEY,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    delivered_at REAL,
    failed_at REAL,
    error TEXT NOT NULL DEFAULT '',
    off TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- States that were told: each change of one is one event.
CREATE TABLE event_state (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- With which weights levels are compared; the store's sums need a part of them only (folding).
CREATE TABLE event_weights (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    weights TEXT NOT NULL
) STRICT;
