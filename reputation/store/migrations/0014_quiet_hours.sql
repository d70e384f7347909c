-- People may wish for quiet hours, too: SQLite changes no CHECK in its place.
CREATE TABLE wish_of_person (
    person TEXT NOT NULL,
    wish TEXT NOT NULL CHECK (wish IN ('no-whisper', 'quiet-hours')),
    at REAL NOT NULL,
    PRIMARY KEY (wish, person)
) STRICT, WITHOUT ROWID;
INSERT INTO wish_of_person SELECT person, wish, at FROM wish;
DROP TABLE wish;
ALTER TABLE wish_of_person RENAME TO wish;
