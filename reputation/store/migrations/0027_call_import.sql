-- How far the calls of a PBX's database are in this store, so that the next import begins there.
-- `done_to`, UTC seconds: every call that began before it was taken. `source` is the database's address, without a password.
CREATE TABLE call_import (
    source TEXT PRIMARY KEY,
    done_to REAL NOT NULL
) STRICT, WITHOUT ROWID;
