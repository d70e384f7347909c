-- A site that floods one number makes every other site fold all of its rows again with each: beyond so many of a kind no new
-- one is taken. No PBX has more people who were called by one number.
CREATE FUNCTION callsieve.keep_quota() RETURNS trigger SET search_path = pg_catalog LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT 1 FROM callsieve.evidence_row AS row
                               WHERE row.number = NEW.number AND row.organisation = NEW.organisation
                                 AND row.kind = NEW.kind AND row.origin = NEW.origin LIMIT 2000) AS found) >= 2000
       AND NOT EXISTS (SELECT 1 FROM callsieve.evidence_row AS row
                        WHERE row.number = NEW.number AND row.organisation = NEW.organisation AND row.kind = NEW.kind
                          AND row.origin = NEW.origin AND row.key = NEW.key)
    THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER quota BEFORE INSERT ON callsieve.evidence_row FOR EACH ROW EXECUTE FUNCTION callsieve.keep_quota();
