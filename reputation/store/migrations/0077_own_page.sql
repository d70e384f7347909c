-- One person's page: what a person signs in with once, and the devices that are signed in. Secrets are kept as hashes.
CREATE TABLE sign_in (
    digest TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('link', 'passcode')),
    made_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_person ON sign_in (person);
CREATE UNIQUE INDEX sign_in_passcode ON sign_in (person) WHERE kind = 'passcode';

CREATE TABLE device (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,
    person TEXT NOT NULL,
    began_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX device_person ON device (person);

-- Nobody keeps the page of an extension that was removed, or that another person has now.
CREATE TRIGGER own_page_of_removed AFTER DELETE ON person
BEGIN
    DELETE FROM device WHERE person = old.extension;
    DELETE FROM sign_in WHERE person = old.extension;
END;
CREATE TRIGGER own_page_of_renamed AFTER UPDATE OF name ON person
WHEN old.name IS NOT NULL AND new.name IS NOT old.name
BEGIN
    DELETE FROM device WHERE person = old.extension;
    DELETE FROM sign_in WHERE person = old.extension;
END;
