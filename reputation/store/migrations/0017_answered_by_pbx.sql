-- Whether a menu, a queue or voicemail answered a call that nobody took: who gives up then did not ring once. Of the calls
-- that are there already it is not known.
ALTER TABLE outcome ADD COLUMN answered_by_pbx INTEGER NOT NULL DEFAULT 0;
