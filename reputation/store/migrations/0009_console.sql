-- Who may use the console, and their sessions. Of a password there is what argon2id makes of it, of a session's token
-- its SHA-256: who reads this file can log in with neither. `extension` is the person of ours in whose name the user marks.
CREATE TABLE console_user (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'administrator')),
    password TEXT NOT NULL,
    extension TEXT,
    added_at REAL NOT NULL,
    password_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE console_session (
    token TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES console_user (name) ON DELETE CASCADE,
    began_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX console_session_user ON console_session (user);
