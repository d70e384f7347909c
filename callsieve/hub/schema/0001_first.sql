-- The hub's own schema. All of it belongs to a role that nobody logs in as; sites read under row-level security and
-- write through the functions below alone, which know a site by the role that it has logged in with. Their paths end with
-- pg_temp, which would come first otherwise: a site could have the owner check a domain of its own that is called `text`.

CREATE TABLE callsieve.hub (
    only_row integer PRIMARY KEY CHECK (only_row = 1),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    made_at timestamptz NOT NULL DEFAULT now(),
    longest_transaction interval NOT NULL DEFAULT '60 seconds',
    secret uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO callsieve.hub (only_row) VALUES (1);

CREATE TABLE callsieve.site (
    organisation text NOT NULL CHECK (organisation ~ '^[a-z0-9][a-z0-9-]{0,19}$'),
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,31}$'),
    role text NOT NULL UNIQUE,
    is_central boolean NOT NULL DEFAULT false,
    joined_at timestamptz NOT NULL DEFAULT now(),
    expelled_at timestamptz,
    version bigint NOT NULL DEFAULT 0,
    rows_pushed bigint NOT NULL DEFAULT 0,
    seen_at timestamptz,
    pushed_at timestamptz,
    pulled_at timestamptz,
    outbox bigint NOT NULL DEFAULT 0,
    program text NOT NULL DEFAULT '',
    offset_us bigint NOT NULL DEFAULT 0,
    most_rows bigint NOT NULL DEFAULT 5000000 CHECK (most_rows > 0),
    rows_kept bigint NOT NULL DEFAULT 0,
    changed_on date NOT NULL DEFAULT CURRENT_DATE,
    changed bigint NOT NULL DEFAULT 0,
    twin_at timestamptz,
    PRIMARY KEY (organisation, name)
);

-- Rows that are gone and that the site's own `rows_kept` has still to hear of: nobody waits for another site's row.
CREATE TABLE callsieve.gone (
    organisation text NOT NULL,
    origin text NOT NULL,
    rows bigint NOT NULL
);
CREATE INDEX gone_origin ON callsieve.gone (organisation, origin);

-- Each process of a site, by a word that it has chosen at its start. One that says hello while another does is a twin.
CREATE TABLE callsieve.run (
    organisation text NOT NULL,
    site text NOT NULL,
    id text NOT NULL CHECK (length(id) <= 32),
    is_standby boolean NOT NULL,
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organisation, site, id)
);

-- Which servers this database has been on, and from which transaction on. A replica that is promoted begins another step:
-- what the server before it had told from there on may be lost. `history_site`: what each site had told by then.
CREATE TABLE callsieve.history (
    step bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    server text NOT NULL UNIQUE,
    first_xid xid8 NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE callsieve.history_site (
    step bigint NOT NULL REFERENCES callsieve.history,
    organisation text NOT NULL,
    site text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (organisation, site, step)
);

-- How long rows of a kind are kept, as sites keep them; their own tables of kinds fill this.
CREATE TABLE callsieve.kind (
    name text PRIMARY KEY,
    days double precision NOT NULL,
    is_of_standby boolean NOT NULL
);

CREATE SEQUENCE callsieve.place AS bigint;

-- One row of a site. `key`, `payload`: JSON, as text, so that every program makes the same digest of it. `at_us`: its
-- date, never after its receipt. `version`: its site's own clock. (xid, id): the place in the order in which sites read.
CREATE TABLE callsieve.evidence_row (
    organisation text NOT NULL,
    kind text NOT NULL CHECK (length(kind) <= 32),
    origin text NOT NULL,
    number text NOT NULL CHECK (length(number) <= 32),
    key text NOT NULL CHECK (length(key) <= 1000),
    payload text NOT NULL CHECK (length(payload) <= CASE kind WHEN 'published_policy' THEN 100000 ELSE 4000 END),
    own text NOT NULL CHECK (length(own) <= 4000),
    at_us bigint NOT NULL,
    version bigint NOT NULL,
    received_at timestamptz NOT NULL,
    deleted boolean NOT NULL,
    private boolean NOT NULL,
    xid xid8 NOT NULL,
    id bigint NOT NULL,
    PRIMARY KEY (number, organisation, kind, origin, key)
) PARTITION BY HASH (number);
CREATE INDEX evidence_row_place ON callsieve.evidence_row (organisation, xid, id);
CREATE INDEX evidence_row_age ON callsieve.evidence_row (kind, at_us);
CREATE INDEX evidence_row_marker ON callsieve.evidence_row (received_at) WHERE deleted;

-- What all sites of an organisation are to do: forget a number, or all that came from a site. `asked_by`: the site that
-- has asked to forget; the administrators of the others see it in their audit.
CREATE TABLE callsieve.notice (
    organisation text NOT NULL,
    what text NOT NULL CHECK (what IN ('erase', 'expel')),
    subject text NOT NULL CHECK (length(subject) <= 32),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    asked_by text NOT NULL DEFAULT '',
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id bigint NOT NULL DEFAULT nextval('callsieve.place'),
    PRIMARY KEY (organisation, xid, id)
);
CREATE INDEX notice_subject ON callsieve.notice (organisation, what, subject, at);
CREATE INDEX notice_asked_by ON callsieve.notice (organisation, asked_by, at);

-- Who is asking -------------------------------------------------------------------------------------------

CREATE FUNCTION callsieve.my_organisation() RETURNS text STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
LANGUAGE sql AS $$ SELECT organisation FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL $$;
CREATE FUNCTION callsieve.my_site() RETURNS text STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
LANGUAGE sql AS $$ SELECT name FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL $$;
CREATE FUNCTION callsieve.is_central() RETURNS boolean STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
LANGUAGE sql AS $$
    SELECT coalesce((SELECT is_central FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL), false)
$$;

-- What a central site is told: what a standby alone needs stays with its site, and so does what this hub does not know.
CREATE FUNCTION callsieve.kinds_of_central() RETURNS SETOF text STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$ SELECT name FROM callsieve.kind WHERE NOT is_of_standby $$;

ALTER TABLE callsieve.evidence_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE callsieve.notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE callsieve.site ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_organisation ON callsieve.evidence_row FOR SELECT USING (
    organisation = (SELECT callsieve.my_organisation())
    AND (NOT private OR origin = (SELECT callsieve.my_site())
         OR ((SELECT callsieve.is_central()) AND kind IN (SELECT callsieve.kinds_of_central()))));
-- Nobody but the functions below is granted to write; this holds even if somebody were.
CREATE POLICY own_origin ON callsieve.evidence_row FOR INSERT WITH CHECK (
    organisation = (SELECT callsieve.my_organisation()) AND origin = (SELECT callsieve.my_site()));
CREATE POLICY own_rows ON callsieve.evidence_row FOR UPDATE
    USING (organisation = (SELECT callsieve.my_organisation()) AND origin = (SELECT callsieve.my_site()));
CREATE POLICY of_organisation ON callsieve.notice FOR SELECT
    USING (organisation = (SELECT callsieve.my_organisation()));
CREATE POLICY of_organisation ON callsieve.site FOR SELECT USING (organisation = (SELECT callsieve.my_organisation()));

-- What stays with the site: for its standby, and for a central site.
CREATE VIEW callsieve.own_part WITH (security_barrier) AS
SELECT organisation, kind, origin, number, key, own FROM callsieve.evidence_row
 WHERE organisation = (SELECT callsieve.my_organisation())
   AND (origin = (SELECT callsieve.my_site())
        OR ((SELECT callsieve.is_central()) AND kind IN (SELECT callsieve.kinds_of_central())));

-- What sites do -------------------------------------------------------------------------------------------

CREATE TYPE callsieve.greeting AS (
    hub uuid, organisation text, site text, version bigint, now_us bigint, xid bigint, is_central boolean, channel text,
    history uuid, lost_xid bigint, told_version bigint, most_rows bigint, has_twin boolean);

-- The server that this is, by its system and its timeline, which another promotion changes: whoever is there first after
-- one notes from where on it counts, before anything is written.
CREATE FUNCTION callsieve.present_history() RETURNS callsieve.history
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    here text := (SELECT system_identifier FROM pg_control_system())
                 || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
    found callsieve.history;
BEGIN
    SELECT * INTO found FROM callsieve.history WHERE server = here;
    IF found.id IS NULL THEN
        PERFORM 1 FROM callsieve.hub FOR NO KEY UPDATE;
        INSERT INTO callsieve.history (server, first_xid) VALUES (here, pg_snapshot_xmin(pg_current_snapshot()))
            ON CONFLICT (server) DO NOTHING RETURNING * INTO found;
        IF found.id IS NULL THEN
            SELECT * INTO found FROM callsieve.history WHERE server = here;
        ELSE
            INSERT INTO callsieve.history_site SELECT found.step, organisation, name, version FROM callsieve.site;
        END IF;
    END IF;
    RETURN found;
END $$;

-- Said first, and every some seconds: who I am, and how I do. The answer says what was lost since that history:
-- transactions from `lost_xid` on, and of what this site has told versions after `told_version`.
CREATE FUNCTION callsieve.hello(
    the_outbox bigint, the_program text, the_offset_us bigint, has_pulled boolean, the_run text, standby boolean,
    the_history uuid)
RETURNS callsieve.greeting SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    here callsieve.history := callsieve.present_history();
    me callsieve.site;
    mine callsieve.run;
    less bigint;
    known bigint;
    lost bigint;
    told bigint;
    twin boolean;
BEGIN
    UPDATE callsieve.site SET seen_at = clock_timestamp(), outbox = greatest(the_outbox, 0), program = left(the_program, 40),
           offset_us = the_offset_us, pulled_at = CASE WHEN has_pulled THEN clock_timestamp() ELSE pulled_at END
     WHERE role = session_user AND expelled_at IS NULL RETURNING * INTO me;
    IF me.name IS NULL THEN
        RAISE EXCEPTION 'this site has no part in the hub, or was expelled' USING ERRCODE = '42501';
    END IF;
    WITH removed AS (DELETE FROM callsieve.gone WHERE organisation = me.organisation AND origin = me.name RETURNING rows)
    SELECT sum(rows) INTO less FROM removed;
    INSERT INTO callsieve.run AS run (organisation, site, id, is_standby) VALUES (me.organisation, me.name, the_run, standby)
        ON CONFLICT (organisation, site, id) DO UPDATE SET last_at = clock_timestamp(), is_standby = standby
        RETURNING * INTO mine;
    -- One that a new start has taken the place of says nothing any more.
    twin := EXISTS (SELECT 1 FROM callsieve.run WHERE organisation = me.organisation AND site = me.name AND id <> mine.id
                       AND is_standby = mine.is_standby AND last_at > mine.first_at
                       AND last_at > clock_timestamp() - interval '1 minute');
    DELETE FROM callsieve.run WHERE organisation = me.organisation AND site = me.name AND id NOT IN (
        SELECT id FROM callsieve.run WHERE organisation = me.organisation AND site = me.name
         ORDER BY last_at DESC LIMIT 8);
    IF less IS NOT NULL OR twin THEN
        UPDATE callsieve.site SET rows_kept = greatest(rows_kept - coalesce(less, 0), 0),
               twin_at = CASE WHEN twin THEN clock_timestamp() ELSE twin_at END
         WHERE organisation = me.organisation AND name = me.name;
    END IF;
    IF the_history IS DISTINCT FROM here.id AND the_history IS NOT NULL THEN
        SELECT step INTO known FROM callsieve.history WHERE id = the_history;
        SELECT min(first_xid::text::bigint) INTO lost FROM callsieve.history WHERE step > known;
        SELECT min(version) INTO told FROM callsieve.history_site
         WHERE organisation = me.organisation AND site = me.name AND step > known;
        lost := coalesce(lost, 0);  -- of a history that is not in this one
        told := coalesce(told, 0);
    END IF;
    RETURN (SELECT ROW(hub.id, me.organisation, me.name, me.version,
                       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                       pg_snapshot_xmin(pg_current_snapshot())::text::bigint, me.is_central,
                       callsieve.channel_of(me.organisation), here.id, lost, told, me.most_rows, twin)::callsieve.greeting
              FROM callsieve.hub);
END $$;

-- Where an organisation says that there is something new. Any role may notify any channel, so this one has no name that
-- another organisation can know.
CREATE FUNCTION callsieve.channel_of(the_organisation text) RETURNS text STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$
    SELECT 'callsieve_' || left(encode(sha256(convert_to(secret || ' ' || the_organisation, 'UTF8')), 'hex'), 32)
      FROM callsieve.hub
$$;

-- So that nothing has to be counted: rows that are new.
CREATE FUNCTION callsieve.count_new() RETURNS trigger
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
BEGIN
    UPDATE callsieve.site SET rows_kept = rows_kept + came.rows
      FROM (SELECT organisation, origin, count(*) AS rows FROM new_rows GROUP BY organisation, origin) AS came
     WHERE site.organisation = came.organisation AND site.name = came.origin;
    RETURN NULL;
END $$;
CREATE TRIGGER count_new AFTER INSERT ON callsieve.evidence_row REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION callsieve.count_new();

-- Takes rows of the site that asks. Each array has an element a row. A row wins over an older version of it; a deletion
-- wins a tie. What is dated later than now is dated now. Of an erased number only what is newer is taken, and of a
-- number with 2000 rows of a kind nothing new: a site that floods one number makes every other site fold them all again
-- with each. Rows about no number are not folded; of those only policies are bounded, which are large. Of all of its rows
-- `most_rows` are kept, and as many may change a day, or 100,000: what is more is not taken. Returns the positions whose
-- dates are others than those that were sent, and the dates: none where nothing was taken.
CREATE FUNCTION callsieve.push(
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
    IF cardinality(numbers) > 5000 THEN
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
                          AND extract(epoch FROM at) * 1000000 >= least(sent.at_us, receipt))
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

-- Forgets a number everywhere in the organisation; sites are told for as long as deletions are. A site may ask for 1,000
-- numbers a day: one that goes mad or lies does not empty every store. -1: not today any more.
CREATE FUNCTION callsieve.erase(the_number text) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    me callsieve.site;
    gone bigint;
BEGIN
    PERFORM callsieve.present_history();
    SELECT * INTO me FROM callsieve.site WHERE role = session_user AND expelled_at IS NULL FOR NO KEY UPDATE;
    IF me.name IS NULL THEN
        RAISE EXCEPTION 'this site has no part in the hub, or was expelled' USING ERRCODE = '42501';
    END IF;
    IF the_number IN ('', '-') OR length(the_number) > 32 THEN  -- under which lies what is about no number, or nothing
        RETURN 0;
    END IF;
    IF (SELECT count(*) FROM callsieve.notice WHERE organisation = me.organisation AND asked_by = me.name
           AND at > clock_timestamp() - interval '1 day') >= 1000 THEN
        RETURN -1;
    END IF;
    WITH removed AS (
        DELETE FROM callsieve.evidence_row WHERE number = the_number AND organisation = me.organisation RETURNING origin
    ), counted AS (
        INSERT INTO callsieve.gone (organisation, origin, rows)
        SELECT me.organisation, origin, count(*) FROM removed GROUP BY origin RETURNING rows
    )
    SELECT coalesce(sum(rows), 0) INTO gone FROM counted;
    INSERT INTO callsieve.notice (organisation, what, subject, asked_by)
    VALUES (me.organisation, 'erase', the_number, me.name);
    PERFORM pg_notify(callsieve.channel_of(me.organisation), '');
    RETURN gone;
END $$;

-- Takes all out that came from a site. `for_good`: it has no part in the hub any more. For the database's
-- administrator and a central site; a site may do it to itself.
CREATE FUNCTION callsieve.expel(the_organisation text, the_site text, for_good boolean) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    IF NOT (pg_has_role(session_user, 'callsieve_hub', 'MEMBER')
            OR (the_organisation = callsieve.my_organisation() AND (callsieve.is_central() OR the_site = callsieve.my_site())))
    THEN
        RAISE EXCEPTION 'only the administrator of the database or a central site may expel' USING ERRCODE = '42501';
    END IF;
    IF the_site = callsieve.my_site() AND (SELECT count(*) FROM callsieve.notice
           WHERE organisation = the_organisation AND what = 'expel' AND subject = the_site
             AND at > clock_timestamp() - interval '1 day') >= 20 THEN
        RAISE EXCEPTION 'not today any more' USING ERRCODE = '54000';
    END IF;
    PERFORM callsieve.present_history();
    UPDATE callsieve.site SET expelled_at = CASE WHEN for_good THEN now() ELSE expelled_at END, rows_pushed = 0, rows_kept = 0
     WHERE organisation = the_organisation AND name = the_site;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such site' USING ERRCODE = '02000';
    END IF;
    DELETE FROM callsieve.gone WHERE organisation = the_organisation AND origin = the_site;
    DELETE FROM callsieve.evidence_row WHERE organisation = the_organisation AND origin = the_site;
    GET DIAGNOSTICS gone = ROW_COUNT;
    INSERT INTO callsieve.notice (organisation, what, subject) VALUES (the_organisation, 'expel', the_site);
    PERFORM pg_notify(callsieve.channel_of(the_organisation), '');
    RETURN gone;
END $$;

-- Takes part no more; what was told stays until it is too old.
CREATE FUNCTION callsieve.leave() RETURNS void SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$
    UPDATE callsieve.site SET expelled_at = now() WHERE role = session_user AND expelled_at IS NULL
$$;

-- A transaction that a site leaves open holds up what all others read, and the limits that its session has are its own
-- to lift: whoever says hello ends those that last too long. For that the owner is a member of every site's role.
CREATE FUNCTION callsieve.end_long_transactions() RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE usename IN (SELECT role::name FROM callsieve.site) AND pid <> pg_backend_pid()
       AND xact_start < clock_timestamp() - (SELECT longest_transaction FROM callsieve.hub)
$$;

-- Removes what is too old, as sites do by themselves, a few thousand rows at a time; returns how many. Markers of
-- deletions and notices are kept for 30 days: who was away longer reads everything again. One
-- at a time, under a lock that no site can hold.
CREATE FUNCTION callsieve.expire(most integer) RETURNS bigint
SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    IF callsieve.my_organisation() IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM 1 FROM callsieve.hub FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM callsieve.notice WHERE at < now() - interval '30 days';
    WITH old AS (
        SELECT number, organisation, row.kind, origin, key
          FROM callsieve.kind CROSS JOIN LATERAL (
               SELECT * FROM callsieve.evidence_row
                WHERE evidence_row.kind = kind.name
                  AND at_us < extract(epoch FROM now() - days * interval '1 day')::bigint * 1000000
                LIMIT greatest(least(most, 10000), 1)) AS row
        UNION
        (SELECT number, organisation, kind, origin, key FROM callsieve.evidence_row
          WHERE deleted AND received_at < now() - interval '30 days' LIMIT greatest(least(most, 10000), 1))
        LIMIT greatest(least(most, 10000), 1)
    ), removed AS (
        DELETE FROM callsieve.evidence_row AS row USING old
         WHERE (row.number, row.organisation, row.kind, row.origin, row.key)
             = (old.number, old.organisation, old.kind, old.origin, old.key)
        RETURNING row.organisation, row.origin
    ), counted AS (
        INSERT INTO callsieve.gone (organisation, origin, rows)
        SELECT organisation, origin, count(*) FROM removed GROUP BY organisation, origin RETURNING rows
    )
    SELECT coalesce(sum(rows), 0) INTO gone FROM counted;
    RETURN gone;
END $$;

-- Counts and sums of digests, as sites make them (reputation/store/hub/checksum.py).
CREATE FUNCTION callsieve.checksums() RETURNS TABLE (kind text, origin text, rows bigint, digest numeric)
STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE sql AS $$
    SELECT kind, origin, count(*), sum(('x' || left(encode(sha256(convert_to(concat_ws(E'\x1f', kind, origin, number,
               key, payload, at_us), 'UTF8')), 'hex'), 8))::bit(32)::bigint)
      FROM callsieve.evidence_row
     WHERE organisation = callsieve.my_organisation() AND NOT deleted AND NOT private
     GROUP BY kind, origin
$$;
