-- What platforms show of our own numbers: each look at one. Columns as in reputation.store.own_labels.Look.
CREATE TABLE own_label (
    number TEXT NOT NULL,
    platform TEXT NOT NULL,
    at REAL NOT NULL,
    label TEXT NOT NULL,
    marks INTEGER,
    kind TEXT NOT NULL,
    person TEXT NOT NULL,
    proof TEXT NOT NULL,
    next_at REAL,
    PRIMARY KEY (number, platform, at)
) STRICT, WITHOUT ROWID;
