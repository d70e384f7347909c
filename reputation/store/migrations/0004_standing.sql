-- What the evidence rows of a number add up to, folded again by whoever writes one of them (reputation/standing.py).
-- All of it can be made anew from the rows, but `epoch`, `review` and `settled`, which are what people decided.

-- Columns as in reputation.standing.Standing, `signals` as JSON. `may_be_bad`: in some moment from `at` on the number
-- may count as a bad one of its block.
CREATE TABLE standing (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    at REAL NOT NULL,
    marks REAL NOT NULL,
    answers REAL NOT NULL,
    behaviour REAL NOT NULL,
    reporters INTEGER NOT NULL,
    grps INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    silent INTEGER NOT NULL,
    signals TEXT NOT NULL,
    burst_at REAL,
    may_be_bad INTEGER NOT NULL CHECK (may_be_bad IN (0, 1)),
    PRIMARY KEY (number, auth_class)
) STRICT, WITHOUT ROWID;
-- All but the last three digits: the block of 1000, and with it the length.
CREATE INDEX standing_block ON standing (substr(number, 1, length(number) - 3), auth_class, at) WHERE may_be_bad = 1;
CREATE INDEX standing_burst ON standing (burst_at) WHERE burst_at IS NOT NULL;

-- With which weights (JSON of reputation.weights.Weights) standings are folded, and, while all are being folded again
-- with other ones, the number after which that goes on. NULL: all are. One row.
CREATE TABLE folding (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    weights TEXT NOT NULL,
    after TEXT
) STRICT;
INSERT INTO folding (id, weights, after) VALUES (1, '{}', '');

-- Since when a number has another owner; who says so, and why.
CREATE TABLE epoch (
    number TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    at REAL NOT NULL,
    reason TEXT NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (number, epoch)
) STRICT, WITHOUT ROWID;

-- Who has looked at a burst of marks, and when last.
CREATE TABLE review (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    who TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What decided cases say about a reporter's marks: whether they were right. Trust comes from nothing else.
CREATE TABLE settled (
    reporter TEXT NOT NULL,
    case_id TEXT NOT NULL,
    agrees INTEGER NOT NULL CHECK (agrees IN (0, 1)),
    at REAL NOT NULL,
    PRIMARY KEY (reporter, case_id)
) STRICT, WITHOUT ROWID;
