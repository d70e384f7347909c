-- The sites of the organisation as the hub knew them at `now`, at a central site: for the console, which does not ask the hub.
CREATE TABLE hub_site (
    name TEXT PRIMARY KEY,
    is_central INTEGER NOT NULL,
    joined_at REAL NOT NULL,
    expelled_at REAL,
    seen_at REAL,
    pushed_at REAL,
    pulled_at REAL,
    outbox INTEGER NOT NULL,
    rows_pushed INTEGER NOT NULL,
    program TEXT NOT NULL,
    offset_seconds REAL NOT NULL,
    now REAL NOT NULL
) STRICT, WITHOUT ROWID;
