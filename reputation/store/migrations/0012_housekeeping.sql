-- When each job of the housekeeping ran last, for how long, and what it did: counts by what was counted, as JSON.
CREATE TABLE housekeeping (
    job TEXT PRIMARY KEY,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    did TEXT NOT NULL
) STRICT, WITHOUT ROWID;
