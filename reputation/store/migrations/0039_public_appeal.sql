-- Appeals that were filed on the public page. `link`: the SHA-256 of the secret link to its status.
CREATE TABLE public_appeal (
    reference TEXT PRIMARY KEY REFERENCES appeal (reference) ON DELETE CASCADE,
    link TEXT NOT NULL UNIQUE,
    filed_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
