-- Numbers that another site had erased and of which rows are kept here that this site alone may erase. `site`: who asked.
-- They wait for an administrator, until they are erased here or `kept_at`, the time of a no.
CREATE TABLE erasure_request (
    number TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    at REAL NOT NULL,
    kept_at REAL
) STRICT, WITHOUT ROWID;
