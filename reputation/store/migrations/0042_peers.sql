-- Other companies that publish what their people have against numbers, as the settings name them ([[exchange]]).
-- of: a digest of the key that they sign with. counts_until: what they said counts no longer from then on. sequence and
-- digest: of the index that was taken last. off_at: when it was switched off, and why, as JSON. since: measured from then.
CREATE TABLE peer (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    of TEXT NOT NULL,
    in_settings INTEGER NOT NULL CHECK (in_settings IN (0, 1)),
    weight REAL NOT NULL,
    every_seconds REAL NOT NULL,
    issuer TEXT NOT NULL DEFAULT '',
    sequence INTEGER NOT NULL DEFAULT 0,
    digest TEXT NOT NULL DEFAULT '',
    issued_at REAL,
    counts_until REAL NOT NULL DEFAULT 0,
    numbers INTEGER NOT NULL DEFAULT 0,
    cleared INTEGER NOT NULL DEFAULT 0,
    came_at REAL,
    asked_at REAL,
    next_at REAL NOT NULL DEFAULT 0,
    failed_at REAL,
    failure TEXT,
    failures INTEGER NOT NULL DEFAULT 0,
    off_at REAL,
    off_why TEXT,
    since REAL NOT NULL DEFAULT 0
) STRICT;

-- What they say, by class of calls. Of a number that they have cleared: class '', level 0, and last_week alone. level as in
-- reputation.model.Level; witnesses and answered: at least so many; weeks are counted from that of 1970, from Mondays.
CREATE TABLE peer_number (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    peer INTEGER NOT NULL,
    level INTEGER NOT NULL,
    witnesses INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    first_week INTEGER NOT NULL,
    last_week INTEGER NOT NULL,
    category TEXT NOT NULL,
    PRIMARY KEY (number, auth_class, peer)
) STRICT, WITHOUT ROWID;
