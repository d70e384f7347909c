-- A checksum of each list ('allow', 'block', 'personal'), so that an entry that changes by itself (a failing disk, another
-- program) is noticed: the structure of the file is sound then. See reputation/store/digests.py.
CREATE TABLE list_digest (
    list TEXT PRIMARY KEY,
    digest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
