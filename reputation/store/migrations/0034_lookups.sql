-- Who is asked about callers whom nobody here knows, and what they answered.
-- is_outside: what it says may count as the word of the outside; not where we report our own marks to it.
-- in_settings: the settings name it. off_at: when it was switched off, and why, as JSON. since: measured from then on.
CREATE TABLE lookup_source (
    name TEXT PRIMARY KEY,
    is_outside INTEGER NOT NULL CHECK (is_outside IN (0, 1)),
    in_settings INTEGER NOT NULL CHECK (in_settings IN (0, 1)),
    off_at REAL,
    off_why TEXT,
    since REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The latest answer of each source about a number. It counts until expires_at, and is kept longer to be measured.
CREATE TABLE lookup_result (
    number TEXT NOT NULL,
    source TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('spam', 'ok', 'nothing')),
    category TEXT,
    at REAL NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (number, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX lookup_result_source ON lookup_result (source);

-- What was asked on a day (UTC, days since 1970): limits hold over restarts. micros: millionths of the currency.
CREATE TABLE lookup_day (
    source TEXT NOT NULL,
    day INTEGER NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0,
    answered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    micros INTEGER NOT NULL DEFAULT 0,
    failure TEXT,
    PRIMARY KEY (source, day)
) STRICT, WITHOUT ROWID;
