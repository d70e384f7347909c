-- What a person has chosen for all calls that ring the phone: a row is a choice, no row what everybody has.
CREATE TABLE wish (
    person TEXT NOT NULL,
    wish TEXT NOT NULL CHECK (wish IN ('no-whisper')),
    at REAL NOT NULL,
    PRIMARY KEY (wish, person)
) STRICT, WITHOUT ROWID;
