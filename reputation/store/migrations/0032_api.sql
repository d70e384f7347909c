-- Tokens of the API, as the SHA-256 of what their owners have. An id is never given again: what was kept for a token is
-- not another's of the same name.
CREATE TABLE api_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    scopes TEXT NOT NULL,
    added_at REAL NOT NULL,
    expires_at REAL,
    per_minute INTEGER,
    used_at REAL
) STRICT;

-- What was answered to a write with an Idempotency-Key, for a day: asked again, it is answered alike and done once.
CREATE TABLE api_answer (
    token INTEGER NOT NULL REFERENCES api_token (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    at REAL NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_answer_at ON api_answer (at);
