-- The grade `at_risk` is one word in the store too, as in the API and in events.
CREATE TABLE own_grade_now (
    number TEXT PRIMARY KEY,
    at REAL NOT NULL,
    grade TEXT NOT NULL CHECK (grade IN ('healthy', 'watch', 'at_risk')),
    reasons TEXT NOT NULL,
    before TEXT,
    changed_at REAL
) STRICT, WITHOUT ROWID;
INSERT INTO own_grade_now
SELECT number, at, replace(grade, ' ', '_'), reasons, replace(before, ' ', '_'), changed_at FROM own_grade;
DROP TABLE own_grade;
ALTER TABLE own_grade_now RENAME TO own_grade;

UPDATE event SET data = json_replace(data, '$.grade', replace(data ->> '$.grade', ' ', '_'))
 WHERE kind = 'own-number.grade-changed' AND data ->> '$.grade' = 'at risk';
UPDATE event SET data = json_replace(data, '$.before', replace(data ->> '$.before', ' ', '_'))
 WHERE kind = 'own-number.grade-changed' AND data ->> '$.before' = 'at risk';
