-- Who is to be recorded when the code is keyed in a call from the number: nobody can be asked then.
ALTER TABLE call_back_code ADD COLUMN name TEXT NOT NULL DEFAULT '';
