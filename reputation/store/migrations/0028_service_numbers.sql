-- Service numbers (95588 in China) have keys now. Of their calls from before the journal has the text that the network
-- showed; the daemon puts the key in its place, which takes the region of the trunk (reputation/store/short_codes.py).
CREATE INDEX decision_short_code ON decision (at) WHERE caller_kind = 'short-code';
