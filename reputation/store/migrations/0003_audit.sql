-- Who of us changed what, and when. `what` is the command, `number` the one number that it is about, else `name` says it:
-- a list entry for many numbers, an import. `before` and `after` are JSON. Of an erased number only that something was done stays.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    number TEXT,
    name TEXT NOT NULL,
    before TEXT,
    after TEXT
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_number ON audit (number, at) WHERE number IS NOT NULL;
