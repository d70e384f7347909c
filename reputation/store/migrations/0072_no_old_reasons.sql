-- Reasons in words, and their codes: no decision that is kept has them any more.
DROP TABLE old_reason;
DROP TABLE reason_backlog;
