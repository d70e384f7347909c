-- Wake-ups are collected: the first row wakes the other sites at once, and what comes within 0.75 s of a wake-up waits for
-- the next one, which is due from the last of those who have pushed meanwhile. A wake-up reads one index of one table.

-- When sites of an organisation were woken last, and by the push of which site, if by one; what is private is news to few.
CREATE TABLE callsieve.woken (
    organisation text NOT NULL,
    private boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT 'epoch',
    by_site text NOT NULL DEFAULT '',
    PRIMARY KEY (organisation, private)
);
INSERT INTO callsieve.woken (organisation, private)
SELECT organisation, private FROM (SELECT DISTINCT organisation FROM callsieve.site) AS one, (VALUES (true), (false)) AS which (private);

CREATE FUNCTION callsieve.note_organisation() RETURNS trigger
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO callsieve.woken (organisation, private) VALUES (NEW.organisation, true), (NEW.organisation, false)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER note_organisation AFTER INSERT ON callsieve.site
FOR EACH ROW EXECUTE FUNCTION callsieve.note_organisation();

-- For the owner alone (administration.py revokes it from sites). Wake the other sites unless they were woken since then.
-- A site could hold the lock: nobody waits for it, and who finds it held wakes the others.
CREATE FUNCTION callsieve.wake_others(the_organisation text, the_site text, is_private boolean, since timestamptz)
RETURNS void SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM callsieve.woken WHERE organisation = the_organisation AND private = is_private FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
        UPDATE callsieve.woken SET at = clock_timestamp(), by_site = the_site
         WHERE organisation = the_organisation AND private = is_private AND at < since;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    PERFORM pg_notify(callsieve.channel_of(the_organisation), the_site || CASE WHEN is_private THEN '/private' ELSE '' END);
END $$;

-- Wake all sites, ours too, unless it was done since our last push was over, so many seconds ago: other sites may have
-- pushed meanwhile, who rely on it.
CREATE FUNCTION callsieve.wake(seconds double precision, is_private boolean) RETURNS void
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    PERFORM callsieve.require_part();
    PERFORM callsieve.wake_others(me.organisation, '', is_private,
                                  clock_timestamp() - greatest(seconds, 0) * interval '1 second')
       FROM callsieve.site AS me
      WHERE role = session_user AND expelled_at IS NULL AND NOT EXISTS (  -- our own push has woken them
            SELECT FROM callsieve.woken WHERE organisation = me.organisation AND private = is_private
               AND by_site = me.name AND at >= me.pushed_at);
END $$;

-- A push as before, but for its last lines. A site whose process wakes the others itself, later, says so
-- (`callsieve.collects`).
-- Takes rows of the site that asks. Each array has an element a row. A row wins over an older version of it; a deletion
-- wins a tie. What is dated later than now is dated now. Of an erased number only what is newer is taken, and of a
-- number with 2000 rows of a kind nothing new: a site that floods one number makes every other site fold them all again
-- with each. Rows about no number are not folded; of those only policies are bounded, which are large. Of all of its rows
-- `most_rows` are kept, and as many may change a day, or 100,000: what is more is not taken. Returns the positions whose
-- dates are others than those that were sent, and the dates: none where nothing was taken.
CREATE OR REPLACE FUNCTION callsieve.push(
    kinds text[], numbers text[], keys text[], payloads text[], owns text[], ats bigint[], versions bigint[],
    deletions boolean[], privates boolean[])
RETURNS TABLE (place integer, dated_us bigint) SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    me callsieve.site;
    receipt bigint;
    taken bigint;
    full_kinds text[];
    room bigint;
    left_out bigint[];
BEGIN
    PERFORM callsieve.present_history();
    SELECT * INTO me FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL FOR NO KEY UPDATE;
    IF me.name IS NULL THEN
        RAISE EXCEPTION 'this site has no part in the hub, or was expelled' USING ERRCODE = '42501';
    END IF;
    IF (cardinality(numbers) <= 5000) IS NOT TRUE THEN
        RAISE EXCEPTION 'so many rows at once are not taken: 5000 at most' USING ERRCODE = '54000';
    END IF;
    IF (SELECT count(*) FROM unnest(kinds) AS one WHERE one = 'published_policy') > 50 THEN
        RAISE EXCEPTION 'so many policies are not taken: 50 at most' USING ERRCODE = '54000';
    END IF;
    receipt := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    full_kinds := ARRAY(
        SELECT row.kind || ' ' || number FROM callsieve.evidence_row AS row
         WHERE number = ANY (numbers) AND organisation = me.organisation AND origin = me.name
           AND (number <> '-' OR row.kind = 'published_policy')
         GROUP BY number, row.kind HAVING count(*) >= CASE row.kind WHEN 'published_policy' THEN 50 ELSE 2000 END);
    room := me.most_rows - me.rows_kept;
    IF me.changed_on <> CURRENT_DATE THEN
        me.changed := 0;
    END IF;
    left_out := '{}';
    IF me.changed + cardinality(numbers) > greatest(me.most_rows, 100000) THEN
        left_out := ARRAY(SELECT generate_series(1, cardinality(numbers)));
    ELSIF room < cardinality(numbers) THEN
        left_out := ARRAY(
            SELECT sent.place FROM unnest(kinds, numbers, keys) WITH ORDINALITY AS sent (kind, number, key, place)
             WHERE NOT EXISTS (
                       SELECT 1 FROM callsieve.evidence_row AS known
                        WHERE known.number = sent.number AND known.organisation = me.organisation
                          AND known.kind = sent.kind AND known.origin = me.name AND known.key = sent.key)
             ORDER BY sent.place OFFSET greatest(room, 0));
    END IF;
    INSERT INTO callsieve.evidence_row AS row (organisation, kind, origin, number, key, payload, own, at_us, version,
           received_at, deleted, private, xid, id)
    SELECT me.organisation, sent.kind, me.name, sent.number, sent.key, sent.payload, sent.own, least(sent.at_us, receipt),
           sent.version, clock_timestamp(), sent.deleted, sent.private, pg_current_xact_id(), nextval('callsieve.place')
      FROM unnest(kinds, numbers, keys, payloads, owns, ats, versions, deletions, privates) WITH ORDINALITY
           AS sent (kind, number, key, payload, own, at_us, version, deleted, private, place)
     WHERE sent.place <> ALL (left_out)
       AND (sent.kind || ' ' || sent.number <> ALL (full_kinds) OR EXISTS (
               SELECT 1 FROM callsieve.evidence_row AS known
                WHERE known.number = sent.number AND known.organisation = me.organisation AND known.kind = sent.kind
                  AND known.origin = me.name AND known.key = sent.key))
       AND NOT EXISTS (SELECT 1 FROM callsieve.notice
                        WHERE notice.organisation = me.organisation AND what = 'erase' AND subject = sent.number
                          AND extract(epoch FROM at) * 1000000 >= least(sent.at_us, receipt)
                          AND (is_whole OR asked_by = me.name
                               OR sent.kind IN (SELECT name FROM callsieve.kind WHERE is_evidence)))
    ON CONFLICT (number, organisation, kind, origin, key) DO UPDATE
    SET payload = excluded.payload, own = excluded.own, at_us = excluded.at_us, version = excluded.version,
        received_at = excluded.received_at, deleted = excluded.deleted, private = excluded.private, xid = excluded.xid,
        id = excluded.id
    WHERE (excluded.version, excluded.deleted) > (row.version, row.deleted);
    GET DIAGNOSTICS taken = ROW_COUNT;
    UPDATE callsieve.site
       SET version = greatest(version, (SELECT max(sent.version) FROM unnest(versions) WITH ORDINALITY AS sent (version, place)
                                         WHERE sent.place <> ALL (left_out))),
           rows_pushed = rows_pushed + taken, pushed_at = clock_timestamp(), seen_at = clock_timestamp(),
           changed_on = CURRENT_DATE, changed = me.changed + taken
     WHERE organisation = me.organisation AND name = me.name;
    IF taken > 0 THEN
        PERFORM callsieve.wake_others(me.organisation, me.name, (false = ANY (privates)) IS NOT TRUE, CASE
            WHEN current_setting('callsieve.collects', true) = 'on' THEN clock_timestamp() - interval '0.75 seconds'
            ELSE 'infinity' END);
    END IF;
    RETURN QUERY SELECT sent.place::integer, CASE WHEN sent.place = ANY (left_out) THEN NULL ELSE receipt END
                   FROM unnest(ats) WITH ORDINALITY AS sent (at_us, place)
                  WHERE sent.at_us > receipt OR sent.place = ANY (left_out);
END $$;
