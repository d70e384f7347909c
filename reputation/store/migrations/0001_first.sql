-- The first schema. Instants are UTC seconds, numbers E.164 text with '+', `source` says who wrote a row:
-- 'settings', 'seen' or the name of an import.

-- Our people, numbers and lines ---------------------------------------------------------------------------

CREATE TABLE person (
    extension TEXT PRIMARY KEY,
    endpoint TEXT,
    grp TEXT,
    language TEXT,
    name TEXT,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_endpoint ON person (endpoint) WHERE endpoint IS NOT NULL;

CREATE TABLE did (
    number TEXT PRIMARY KEY,
    grp TEXT,
    callee TEXT,
    screen INTEGER NOT NULL CHECK (screen IN (0, 1)),
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE own_number (
    number TEXT PRIMARY KEY,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Lists: the administrator's, and each person's own -------------------------------------------------------

-- `last` is '' except for ranges, so that the entry's key has no NULL. Ids are not used again, so that an entry
-- deleted by hand (the sqlite3 shell does not cascade) cannot lend its prefixes to another.
CREATE TABLE list_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list TEXT NOT NULL CHECK (list IN ('allow', 'block')),
    kind TEXT NOT NULL CHECK (kind IN ('exact', 'prefix', 'range')),
    first TEXT NOT NULL,
    last TEXT NOT NULL CHECK ((kind = 'range') = (last <> '')),
    action TEXT,
    note TEXT NOT NULL,
    expires_at REAL,
    added_at REAL NOT NULL,
    UNIQUE (first, last, kind, list)
) STRICT;
CREATE INDEX list_entry_expiry ON list_entry (expires_at) WHERE expires_at IS NOT NULL;

-- What an entry matches by: the number, the prefix, or for a range the prefixes that cover it. So all entries of a
-- number are one IN over its prefixes, however many ranges there are.
CREATE TABLE list_prefix (
    prefix TEXT NOT NULL,
    entry INTEGER NOT NULL REFERENCES list_entry (id) ON DELETE CASCADE,
    PRIMARY KEY (prefix, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX list_prefix_entry ON list_prefix (entry);

CREATE TABLE personal_entry (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('allow', 'block')),
    at REAL NOT NULL,
    PRIMARY KEY (number, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX personal_entry_person ON personal_entry (person);

CREATE TABLE expected_call (
    person TEXT PRIMARY KEY,
    until REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX expected_call_until ON expected_call (until);

-- `person` is '' for a contact of the whole company.
CREATE TABLE contact (
    number TEXT NOT NULL,
    person TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT,
    PRIMARY KEY (number, person, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_source ON contact (source);

-- Evidence from outside -----------------------------------------------------------------------------------

-- One row a generation: an import is staged (live 0) and then takes the place of the live one of its name.
-- `touched_at` tells a running import from the rest of one that died.
CREATE TABLE import_source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('spam', 'ok')),
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    imported_at REAL NOT NULL,
    touched_at REAL NOT NULL,
    numbers INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX import_source_live ON import_source (name) WHERE live = 1;

-- Tens of millions of rows: nothing but the key's own tree, and what is unknown is NULL and takes no room.
CREATE TABLE imported (
    number TEXT NOT NULL,
    source INTEGER NOT NULL,
    category TEXT,
    name TEXT,
    note TEXT,
    PRIMARY KEY (number, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    level INTEGER NOT NULL CHECK (level IN (1, 2)),
    expires_at REAL NOT NULL,
    note TEXT NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- The latest pass only: that is all a decision asks for.
CREATE TABLE challenge_pass (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (number, auth_class)
) STRICT, WITHOUT ROWID;

CREATE TABLE emergency_call (
    at REAL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The journal ---------------------------------------------------------------------------------------------

-- Columns as in reputation.model.DecisionRecord.
CREATE TABLE decision (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    linkedid TEXT NOT NULL,
    caller TEXT,
    caller_kind TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    did TEXT,
    trunk TEXT,
    callee TEXT,
    action TEXT NOT NULL,
    would_be TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    level TEXT NOT NULL,
    log_odds REAL NOT NULL,
    vector TEXT NOT NULL,
    policy TEXT NOT NULL,
    elapsed_ms REAL NOT NULL
) STRICT;
CREATE INDEX decision_at ON decision (at);
CREATE INDEX decision_caller ON decision (caller, at) WHERE caller IS NOT NULL;
CREATE INDEX decision_linkedid ON decision (linkedid, at);
