-- Companies whose evidence is taken besides those of the settings, as added by command, API or console.
CREATE TABLE subscription (
    name TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    key TEXT NOT NULL,
    weight REAL NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Of how many callers it was right when that was looked at last.
ALTER TABLE peer ADD COLUMN was_right INTEGER NOT NULL DEFAULT 0;
ALTER TABLE peer ADD COLUMN was_told INTEGER NOT NULL DEFAULT 0;
