-- What callers said when they were asked for their names.
CREATE TABLE transcript (
    decision_id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    number TEXT,
    text TEXT NOT NULL,
    language TEXT NOT NULL,
    voice TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX transcript_number ON transcript (number) WHERE number IS NOT NULL;
CREATE INDEX transcript_at ON transcript (at);
