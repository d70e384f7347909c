-- How fetching each feed of the settings goes. `of` is a digest of its address: what a server said of another is nothing.
-- `came_at`: when the server last gave the file, or said that it is still the same. `file`: a digest of that file.
CREATE TABLE feed_fetch (
    name TEXT PRIMARY KEY,
    of TEXT NOT NULL,
    every_seconds REAL NOT NULL,
    asked_at REAL NOT NULL,
    next_at REAL NOT NULL,
    came_at REAL,
    etag TEXT,
    modified TEXT,
    file TEXT,
    signed_at INTEGER,
    failed_at REAL,
    failure TEXT,
    failures INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
