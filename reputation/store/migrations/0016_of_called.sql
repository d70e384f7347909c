-- Whether our number had called who says so within the 28 days before: settled when it is written down, because whom we
-- called is kept for no longer, and a call that comes after it, to apologise, must not count. Of what is there already
-- only UTC's day is known.
ALTER TABLE do_not_call ADD COLUMN of_called INTEGER NOT NULL DEFAULT 0;
ALTER TABLE own_complaint ADD COLUMN of_called INTEGER NOT NULL DEFAULT 0;
UPDATE do_not_call SET of_called = EXISTS (
    SELECT 1 FROM own_called WHERE own_called.number = own_number AND callee = do_not_call.number
       AND day BETWEEN CAST(at / 86400 AS INTEGER) - 28 AND CAST(at / 86400 AS INTEGER));
UPDATE own_complaint SET of_called = EXISTS (
    SELECT 1 FROM own_called WHERE own_called.number = own_number AND callee = own_complaint.number
       AND day BETWEEN CAST(at / 86400 AS INTEGER) - 28 AND CAST(at / 86400 AS INTEGER));
