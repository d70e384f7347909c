-- Who spoke when the caller of a call was asked for a name: robot, person or unclear.
ALTER TABLE outcome ADD COLUMN voice TEXT;
CREATE INDEX outcome_voice ON outcome (caller, at) WHERE voice IS NOT NULL;
-- A standing says when a robot's voice last gave a name.
UPDATE standing SET challenges = json_insert(challenges, '$[#]', NULL) WHERE challenges <> '';
-- A robot's voice is a result of a challenge.
CREATE TABLE challenge_with_robots (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    linkedid TEXT NOT NULL,
    did TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('passed', 'wrong', 'silent', 'abandoned', 'message', 'robot')),
    at REAL NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, linkedid)
) STRICT, WITHOUT ROWID;
INSERT INTO challenge_with_robots (number, auth_class, epoch, linkedid, did, result, at)
SELECT number, auth_class, epoch, linkedid, did, result, at FROM challenge;
DROP TABLE challenge;
ALTER TABLE challenge_with_robots RENAME TO challenge;
CREATE INDEX challenge_at ON challenge (at);
