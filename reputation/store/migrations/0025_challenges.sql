-- What a number did when it was challenged, call by call: a family of evidence of its own (reputation/families/caller.py).
-- It was a signal of the callee's, of which a pass was kept once more by itself.

CREATE TABLE challenge (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    linkedid TEXT NOT NULL,
    did TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('passed', 'wrong', 'silent', 'abandoned', 'message')),
    at REAL NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, linkedid)
) STRICT, WITHOUT ROWID;
CREATE INDEX challenge_at ON challenge (at);
INSERT OR IGNORE INTO challenge (number, auth_class, epoch, linkedid, did, result, at)
SELECT number, auth_class, epoch, linkedid, callee, CASE category WHEN 'challenge-passed' THEN 'passed' ELSE 'silent' END, at
  FROM signal WHERE category IN ('challenge-passed', 'challenge-silent');
INSERT OR IGNORE INTO challenge (number, auth_class, epoch, linkedid, did, result, at)
SELECT number, auth_class, 0, '', '', 'passed', at FROM challenge_pass
 WHERE NOT EXISTS (SELECT 1 FROM challenge WHERE challenge.number = challenge_pass.number
                      AND challenge.auth_class = challenge_pass.auth_class AND result = 'passed'
                      AND abs(challenge.at - challenge_pass.at) < 3600);
DELETE FROM signal WHERE category IN ('challenge-passed', 'challenge-silent');
DROP TABLE challenge_pass;

-- Columns as in reputation.standing.Standing; `witnessed` and `challenges` as JSON. All is folded again.
ALTER TABLE standing ADD COLUMN one_ring REAL NOT NULL DEFAULT 0;
ALTER TABLE standing ADD COLUMN witnessed TEXT NOT NULL DEFAULT '[]';
ALTER TABLE standing ADD COLUMN challenges TEXT NOT NULL DEFAULT '';
UPDATE folding SET after = '';

-- The tie of the callee by which the phone rang (reputation.model.Tie), for which the call says nothing against the caller.
ALTER TABLE outcome ADD COLUMN rang_by TEXT;

-- What belongs to this site: the salt that the control sample is drawn with, and how many people there are.
CREATE TABLE site (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    salt BLOB NOT NULL,
    people INTEGER NOT NULL
) STRICT;
INSERT INTO site (id, salt, people) SELECT 1, randomblob(16), count(*) FROM person;
