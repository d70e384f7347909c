-- The policy in force at this site, as its first PBX tells its standby: `digest` of its rules and scopes.
CREATE TABLE policy_in_force (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;

-- `private`: the company's server may be in our own network.
ALTER TABLE subscription ADD COLUMN private INTEGER NOT NULL DEFAULT 0;

-- The key that a company signs with now, handed over by the one before. `of`: who it is, by the key that we were given.
CREATE TABLE peer_key (
    of TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
