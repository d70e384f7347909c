-- An appeal in force is `in_force` in the store too, as in the API. A column takes the place of the other: a table that is
-- made anew would take its attachments along.
DROP INDEX appeal_number;
DROP INDEX appeal_live;
ALTER TABLE appeal ADD COLUMN state_now TEXT NOT NULL DEFAULT 'open'
    CHECK (state_now IN ('open', 'in_force', 'upheld', 'denied', 'withdrawn'));
UPDATE appeal SET state_now = replace(state, ' ', '_');
ALTER TABLE appeal DROP COLUMN state;
ALTER TABLE appeal RENAME COLUMN state_now TO state;
CREATE INDEX appeal_number ON appeal (number, state, closed_at);
CREATE UNIQUE INDEX appeal_live ON appeal (number) WHERE state IN ('open', 'in_force');

-- Who complains is found by this name when that number is erased.
UPDATE audit SET before = json_set(json_remove(before, '$.from'), '$.number', json_extract(before, '$.from'))
 WHERE what IN ('own complaint', 'undo own complaint') AND json_valid(before) AND json_type(before, '$.from') = 'text';
UPDATE audit SET after = json_set(json_remove(after, '$.from'), '$.number', json_extract(after, '$.from'))
 WHERE what IN ('own complaint', 'undo own complaint') AND json_valid(after) AND json_type(after, '$.from') = 'text';
