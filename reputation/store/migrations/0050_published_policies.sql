-- Policies that this site tells the others, and those that others tell (`head-office:office`). None is in force by being here.
CREATE TABLE published_policy (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    note TEXT NOT NULL,
    published_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
