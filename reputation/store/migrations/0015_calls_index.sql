-- What the console's pages read of the journal: by time with what is counted (one look at the index, none at the rows),
-- and by what was ordered, but for what nearly every call has.
DROP INDEX decision_at;
CREATE INDEX decision_at ON decision (at, would_be, caller);
CREATE INDEX decision_would_be ON decision (would_be, at) WHERE would_be <> 'allow';
CREATE INDEX decision_rule ON decision (rule, at) WHERE rule <> 'default';
CREATE INDEX decision_callee ON decision (callee, at) WHERE callee IS NOT NULL;
CREATE INDEX decision_did ON decision (did, at) WHERE did IS NOT NULL;
CREATE INDEX outcome_uncommon ON outcome (disposition) WHERE disposition NOT IN ('answered', 'no-answer');
CREATE INDEX outcome_voicemail ON outcome (voicemail_left) WHERE voicemail_left = 1;
