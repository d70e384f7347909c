-- A site has a number forgotten: its own rows about it, and the evidence of all sites (marks, signals). What other sites
-- alone may take back (lists, identities, calls) stays in the hub until they say yes. A central site has everything removed.

-- `is_evidence`: sites share it as evidence about a number. administration.py fills this.
ALTER TABLE callsieve.kind ADD COLUMN is_evidence boolean NOT NULL DEFAULT false;
-- `is_whole`: the rows of all kinds and all sites were removed, as every erasure did before.
ALTER TABLE callsieve.notice ADD COLUMN is_whole boolean NOT NULL DEFAULT true;

-- Have a number forgotten in the organisation. Sites are told for as long as deletions are known. 1,000 numbers a day of a
-- site: one that goes mad or lies does not empty every store.
CREATE OR REPLACE FUNCTION callsieve.erase(the_number text) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    me callsieve.site;
    removed bigint;
BEGIN
    PERFORM callsieve.require_part();
    PERFORM callsieve.present_history();
    SELECT * INTO me FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL FOR NO KEY UPDATE;
    IF (the_number NOT IN ('', '-') AND length(the_number) <= 32) IS NOT TRUE THEN  -- '-': rows that are about no number
        RETURN 0;
    END IF;
    IF (SELECT count(*) FROM callsieve.notice WHERE organisation = me.organisation AND what = 'erase' AND asked_by = me.name
           AND at > clock_timestamp() - interval '1 day') >= 1000 THEN
        RAISE EXCEPTION 'a site may have 1000 numbers erased a day: the others are erased later' USING ERRCODE = '54000';
    END IF;
    removed := callsieve.remove_number(me, the_number, true);
    INSERT INTO callsieve.notice (organisation, what, subject, asked_by, is_whole)
    VALUES (me.organisation, 'erase', the_number, me.name, me.is_central);
    PERFORM pg_notify(callsieve.channel_of(me.organisation), '');
    RETURN removed;
END $$;

-- Remove one's own rows about a number. For a site that obeys the erasure of one that it follows.
CREATE FUNCTION callsieve.forget(the_number text) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    me callsieve.site;
BEGIN
    PERFORM callsieve.require_part();
    SELECT * INTO me FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL FOR NO KEY UPDATE;
    IF (the_number NOT IN ('', '-')) IS NOT TRUE THEN
        RETURN 0;
    END IF;
    RETURN callsieve.remove_number(me, the_number, false);
END $$;

-- Function of the owner alone. Remove the rows of a site about a number. `of_others`: also the evidence of other sites, and
-- all of their rows where the site is central.
CREATE FUNCTION callsieve.remove_number(me callsieve.site, the_number text, of_others boolean) RETURNS bigint
SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$
    WITH removed AS (
        DELETE FROM callsieve.evidence_row
         WHERE number = the_number AND organisation = me.organisation
           AND (origin = me.name
                OR of_others AND (me.is_central OR kind IN (SELECT name FROM callsieve.kind WHERE is_evidence)))
        RETURNING origin
    ), counted AS (
        INSERT INTO callsieve.gone (organisation, origin, rows)
        SELECT me.organisation, origin, count(*) FROM removed GROUP BY origin RETURNING rows
    )
    SELECT coalesce(sum(rows), 0)::bigint FROM counted
$$;

-- As before, and: of an erased number only what is newer is taken where the erasure removed it (`is_whole`, one's own
-- erasures, evidence). How many rows are sent is never unknown.
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
    IF taken > 0 THEN  -- what is private is news to few
        PERFORM pg_notify(callsieve.channel_of(me.organisation),
                          me.name || CASE WHEN false = ANY (privates) THEN '' ELSE '/private' END);
    END IF;
    RETURN QUERY SELECT sent.place::integer, CASE WHEN sent.place = ANY (left_out) THEN NULL ELSE receipt END
                   FROM unnest(ats) WITH ORDINALITY AS sent (at_us, place)
                  WHERE sent.at_us > receipt OR sent.place = ANY (left_out);
END $$;
