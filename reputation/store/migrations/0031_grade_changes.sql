-- What an own number's grade was before, and when it became what it is: for the daily digest. NULL: it has not changed since.
ALTER TABLE own_grade ADD COLUMN before TEXT;
ALTER TABLE own_grade ADD COLUMN changed_at REAL;
