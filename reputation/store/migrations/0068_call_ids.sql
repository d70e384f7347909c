-- The SIP Call-ID of the trunk's leg of a call that went out: what a carrier finds the call by.
ALTER TABLE outcome ADD COLUMN call_id TEXT;
