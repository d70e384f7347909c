-- What our own numbers do. `day` is the called person's, in days since 1970-01-01.

-- A row a number and day: counts only, nobody's number but ours. `people` were called, `repeated` of them three times or
-- more, `most` how often one of them was; `called_back` are calls to our number from people it had called.
CREATE TABLE own_day (
    number TEXT NOT NULL,
    day INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    answered INTEGER NOT NULL DEFAULT 0,
    short INTEGER NOT NULL DEFAULT 0,
    unanswered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    abandoned INTEGER NOT NULL DEFAULT 0,
    outside INTEGER NOT NULL DEFAULT 0,
    people INTEGER NOT NULL DEFAULT 0,
    repeated INTEGER NOT NULL DEFAULT 0,
    most INTEGER NOT NULL DEFAULT 0,
    called_back INTEGER NOT NULL DEFAULT 0,
    talk_seconds REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (number, day)
) STRICT, WITHOUT ROWID;

-- Whom a number called, for as long as distinct people are counted over: 28 days.
CREATE TABLE own_called (
    number TEXT NOT NULL,
    callee TEXT NOT NULL,
    day INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (number, callee, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX own_called_callee ON own_called (callee, day);
CREATE INDEX own_called_day ON own_called (day);

-- People who said that they do not want to be called again: by whom that was heard, and after a call with which number.
CREATE TABLE do_not_call (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    own_number TEXT NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX do_not_call_own ON do_not_call (own_number, at);

-- Complaints about our number that reached us. `number` of who complains, '' when that is not known.
CREATE TABLE own_complaint (
    own_number TEXT NOT NULL,
    number TEXT NOT NULL,
    at REAL NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (own_number, number, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX own_complaint_at ON own_complaint (at);
CREATE INDEX own_complaint_number ON own_complaint (number) WHERE number <> '';

-- How each number was graded last: what the outbound guard reads. `reasons` as JSON.
CREATE TABLE own_grade (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    grade TEXT NOT NULL CHECK (grade IN ('healthy', 'watch', 'at risk')),
    reasons TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Calls to a number of ours, for those that come back.
CREATE INDEX outcome_did ON outcome (did, at) WHERE did IS NOT NULL;
