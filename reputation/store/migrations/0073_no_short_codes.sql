-- What calls of service numbers were before these had keys. Where the number is not known, the kind is all that is.
DROP INDEX decision_short_code;
UPDATE decision SET caller_kind = 'service' WHERE caller_kind = 'short-code';
UPDATE outcome SET caller_kind = 'service' WHERE caller_kind = 'short-code';
