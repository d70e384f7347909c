-- Seven counts in the place of the sums for marks and behaviour. Until the daemon has folded all rows anew, the counts
-- are of callees, as if nothing had faded.
CREATE TABLE standing_new (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    at REAL NOT NULL,
    marks REAL NOT NULL,
    answers REAL NOT NULL,
    counts TEXT NOT NULL,
    reporters INTEGER NOT NULL,
    grps INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    silent INTEGER NOT NULL,
    signals TEXT NOT NULL,
    burst_at REAL,
    against TEXT NOT NULL,
    traps TEXT NOT NULL,
    challenges TEXT NOT NULL,
    may_be_bad INTEGER NOT NULL CHECK (may_be_bad IN (0, 1)),
    PRIMARY KEY (number, auth_class)
) STRICT, WITHOUT ROWID;
INSERT INTO standing_new
SELECT number, auth_class, at, marks, answers,
       json_array(coalesce(json_extract(signals, '$."hung-up-on"'), 0.0),
                  coalesce(json_extract(signals, '$.unanswered'), 0.0),
                  coalesce(json_extract(signals, '$.voicemail'), 0.0),
                  coalesce(json_extract(signals, '$."long-talk"'), 0.0),
                  coalesce(json_extract(signals, '$."called-back"'), 0.0)
                  + coalesce(json_extract(signals, '$."second-talk"'), 0.0)
                  + coalesce(json_extract(signals, '$."not-spam"'), 0.0),
                  coalesce(json_extract(signals, '$."one-ring"'), 0.0)),
       reporters, grps, answered, silent, signals, burst_at,
       CASE WHEN witnessed = '[]' THEN '' ELSE json_array(json(witnessed), json(witnessed)) END,
       '',
       CASE WHEN challenges = '' THEN ''
            ELSE json_array(json_extract(challenges, '$[0]'), json_extract(challenges, '$[1]'),
                            json_extract(challenges, '$[2]'), json_extract(challenges, '$[3]') IS NOT NULL,
                            json_extract(challenges, '$[3]'), json_extract(challenges, '$[0]'),
                            json_extract(challenges, '$[4]'), json_array()) END,
       1
  FROM standing;
DROP TABLE standing;
ALTER TABLE standing_new RENAME TO standing;
CREATE INDEX standing_block ON standing (substr(number, 1, length(number) - 3), auth_class, at) WHERE may_be_bad = 1;
CREATE INDEX standing_burst ON standing (burst_at) WHERE burst_at IS NOT NULL;
UPDATE folding SET weights = '{}', after = '';

-- Traps: DIDs that are given to nobody, and the calls that they got.
ALTER TABLE did ADD COLUMN trap INTEGER NOT NULL DEFAULT 0 CHECK (trap IN (0, 1));
ALTER TABLE outcome ADD COLUMN trap INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outcome ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;
CREATE TABLE trap_call (
    number TEXT NOT NULL,
    auth_class TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    linkedid TEXT NOT NULL,
    did TEXT NOT NULL,
    verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
    at REAL NOT NULL,
    PRIMARY KEY (number, auth_class, epoch, linkedid)
) STRICT, WITHOUT ROWID;
CREATE INDEX trap_call_at ON trap_call (at);

-- Whether a source's word was right about nearly all callers that it lists and that called here.
ALTER TABLE import_source ADD COLUMN right_callers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE import_source ADD COLUMN known_callers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lookup_source ADD COLUMN right_callers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lookup_source ADD COLUMN known_callers INTEGER NOT NULL DEFAULT 0;

-- A message that a caller left after a failed challenge changes nothing of it.
UPDATE challenge SET result = coalesce((SELECT result FROM challenge_result AS one WHERE one.linkedid = challenge.linkedid
                                           AND one.result <> 'message'), 'silent')
 WHERE result = 'message';
