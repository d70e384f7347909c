-- Where calls of our own numbers fare worse than they did, as it was found last: the first time, and the latest.
CREATE TABLE own_suspicion (
    number TEXT NOT NULL,
    country TEXT NOT NULL,
    network TEXT NOT NULL,
    by TEXT NOT NULL,
    since REAL NOT NULL,
    at REAL NOT NULL,
    before REAL NOT NULL,
    lately REAL NOT NULL,
    calls_before INTEGER NOT NULL,
    calls_lately INTEGER NOT NULL,
    confidence REAL NOT NULL,
    PRIMARY KEY (number, country, network, by)
) STRICT, WITHOUT ROWID;
