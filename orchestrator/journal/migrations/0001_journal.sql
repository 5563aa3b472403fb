-- A journal in a PostgreSQL database. Constraints and triggers are named after the rule that they keep; verify compares
-- them with what stands in the catalog (0001_journal.rules.json). What is applied is never edited: a change is a new
-- file with the next number.
--
-- Nobody but the owner has a right to change anything here. Runners call the functions, which run with the owner's
-- rights and look names up nowhere but where they say (PostgreSQL, CREATE FUNCTION, "Writing SECURITY DEFINER Functions
-- Safely").

CREATE TABLE dmsa.identity (
    sole boolean PRIMARY KEY DEFAULT true,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    CONSTRAINT one_journal_a_database CHECK (sole)
);

INSERT INTO dmsa.identity DEFAULT VALUES;

CREATE TABLE dmsa.entries (
    seq bigint PRIMARY KEY,
    run text COLLATE "C" NOT NULL,
    at text COLLATE "C",              -- estate time, ISO 8601, UTC; text, for the text is what the hash covers
    kind text COLLATE "C" NOT NULL,
    version integer NOT NULL,         -- of the vocabulary that kind and body belong to
    body text COLLATE "C" NOT NULL,   -- canonical JSON, RFC 8785
    epoch bigint,                     -- of the lease it was written under; NULL: an operator's word
    hash text COLLATE "C" NOT NULL,   -- orchestrator/journal/chain.py
    CONSTRAINT rows_count_from_one CHECK (seq >= 1),
    CONSTRAINT time_is_utc CHECK (at IS NULL OR at ~ '^\d{4}-\d\d-\d\dT.*Z$'),
    CONSTRAINT hash_is_sha256 CHECK (hash ~ '^[0-9a-f]{64}$')
);

CREATE INDEX entries_of_a_run ON dmsa.entries (run, seq);

CREATE TABLE dmsa.lease (
    sole boolean PRIMARY KEY DEFAULT true,
    epoch bigint NOT NULL,
    holder text,                      -- NULL: given back
    since timestamptz,
    until timestamptz,                -- by the server's clock; after it the holder is taken for dead
    CONSTRAINT one_runner_at_a_time CHECK (sole),
    CONSTRAINT holder_since_and_until_belong_together
        CHECK ((holder IS NULL) = (since IS NULL) AND (holder IS NULL) = (until IS NULL))
);

INSERT INTO dmsa.lease (epoch) VALUES (0);

CREATE FUNCTION dmsa.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_NAME, ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END
$$;

CREATE FUNCTION dmsa.has_no_gap() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM dmsa.entries) THEN
        RAISE EXCEPTION USING MESSAGE = TG_NAME, ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

-- The lease is locked first, so that it cannot be taken between this look at it and the commit.
CREATE FUNCTION dmsa.is_not_late() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now_in bigint;
BEGIN
    SELECT epoch INTO now_in FROM dmsa.lease FOR UPDATE;
    IF NEW.epoch <> now_in THEN
        RAISE EXCEPTION USING MESSAGE = TG_NAME, ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

-- The same text as orchestrator/journal/chain.py makes: to_json escapes just what RFC 8785, section 3.2.2.2, escapes.
CREATE FUNCTION dmsa.continues_the_chain() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    previous text := encode(sha256('dmsa journal 1'), 'hex');
    line text;
BEGIN
    IF NEW.seq > 1 THEN
        SELECT hash INTO previous FROM dmsa.entries WHERE seq = NEW.seq - 1;
    END IF;
    line := '{"at":' || coalesce(to_json(NEW.at)::text, 'null') || ',"body":' || NEW.body
        || ',"epoch":' || coalesce(NEW.epoch::text, 'null') || ',"kind":' || to_json(NEW.kind)
        || ',"run":' || to_json(NEW.run) || ',"seq":' || NEW.seq || ',"version":' || NEW.version || '}';
    IF NEW.hash IS DISTINCT FROM encode(sha256(convert_to(previous || E'\n' || line, 'UTF8')), 'hex') THEN
        RAISE EXCEPTION USING MESSAGE = TG_NAME, ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION dmsa.grows() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.epoch < OLD.epoch THEN
        RAISE EXCEPTION USING MESSAGE = TG_NAME, ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER rows_have_no_gap BEFORE INSERT ON dmsa.entries
    FOR EACH ROW EXECUTE FUNCTION dmsa.has_no_gap();
CREATE TRIGGER late_writers_are_refused BEFORE INSERT ON dmsa.entries
    FOR EACH ROW EXECUTE FUNCTION dmsa.is_not_late();
CREATE TRIGGER the_chain_goes_on BEFORE INSERT ON dmsa.entries
    FOR EACH ROW EXECUTE FUNCTION dmsa.continues_the_chain();
CREATE TRIGGER rows_are_never_changed BEFORE UPDATE ON dmsa.entries
    FOR EACH STATEMENT EXECUTE FUNCTION dmsa.refuse();
CREATE TRIGGER rows_are_never_deleted BEFORE DELETE ON dmsa.entries
    FOR EACH STATEMENT EXECUTE FUNCTION dmsa.refuse();
CREATE TRIGGER rows_are_never_truncated BEFORE TRUNCATE ON dmsa.entries
    FOR EACH STATEMENT EXECUTE FUNCTION dmsa.refuse();
CREATE TRIGGER epochs_only_grow BEFORE UPDATE ON dmsa.lease
    FOR EACH ROW EXECUTE FUNCTION dmsa.grows();
CREATE TRIGGER the_lease_stays BEFORE DELETE ON dmsa.lease
    FOR EACH STATEMENT EXECUTE FUNCTION dmsa.refuse();
CREATE TRIGGER the_lease_is_never_truncated BEFORE TRUNCATE ON dmsa.lease
    FOR EACH STATEMENT EXECUTE FUNCTION dmsa.refuse();

-- Also where session_replication_role would switch triggers off (PostgreSQL, ALTER TABLE).
ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER rows_have_no_gap;
ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER late_writers_are_refused;
ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER the_chain_goes_on;
ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER rows_are_never_changed;
ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER rows_are_never_deleted;
ALTER TABLE dmsa.entries ENABLE ALWAYS TRIGGER rows_are_never_truncated;
ALTER TABLE dmsa.lease ENABLE ALWAYS TRIGGER epochs_only_grow;
ALTER TABLE dmsa.lease ENABLE ALWAYS TRIGGER the_lease_stays;
ALTER TABLE dmsa.lease ENABLE ALWAYS TRIGGER the_lease_is_never_truncated;

-- One statement, so that a runner that freezes cannot hold a lock: either the server has the whole call, or nothing.
-- Every writer goes through the row of the lease, so that rows become visible in the order of their numbers.
CREATE FUNCTION dmsa.append(
    expected bigint, under bigint,
    runs text[], ats text[], kinds text[], versions integer[], bodies text[], hashes text[],
    OUT head bigint, OUT epoch bigint, OUT holder text, OUT done boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT l.epoch, l.holder INTO epoch, holder FROM dmsa.lease AS l FOR UPDATE;
    SELECT coalesce(max(e.seq), 0) INTO head FROM dmsa.entries AS e;
    done := head = expected AND (under IS NULL OR (under = epoch AND holder IS NOT NULL));
    IF done AND cardinality(hashes) > 0 THEN
        INSERT INTO dmsa.entries (seq, run, at, kind, version, body, epoch, hash)
        SELECT expected + n, run, at, kind, version, body, under, hash
        FROM unnest(runs, ats, kinds, versions, bodies, hashes) WITH ORDINALITY
            AS given (run, at, kind, version, body, hash, n)
        ORDER BY n;
        head := expected + cardinality(hashes);
        PERFORM pg_notify('dmsa_journal', head::text);
    END IF;
END
$$;

CREATE FUNCTION dmsa.take_lease(
    name text, seconds double precision,
    OUT epoch bigint, OUT holder text, OUT since timestamptz, OUT until timestamptz, OUT taken boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF seconds NOT BETWEEN 0.1 AND 3600 THEN
        RAISE EXCEPTION 'a lease of % s', seconds USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT l.epoch, l.holder, l.since, l.until INTO epoch, holder, since, until FROM dmsa.lease AS l FOR UPDATE;
    taken := holder IS NULL OR until <= clock_timestamp();
    IF taken THEN
        UPDATE dmsa.lease AS l SET epoch = l.epoch + 1, holder = name, since = clock_timestamp(),
            until = clock_timestamp() + make_interval(secs => seconds)
        RETURNING l.epoch, l.holder, l.since, l.until INTO epoch, holder, since, until;
    END IF;
END
$$;

CREATE FUNCTION dmsa.renew_lease(under bigint, seconds double precision)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF seconds NOT BETWEEN 0.1 AND 3600 THEN
        RAISE EXCEPTION 'a lease of % s', seconds USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE dmsa.lease SET until = clock_timestamp() + make_interval(secs => seconds)
    WHERE epoch = under AND holder IS NOT NULL;
    RETURN FOUND;
END
$$;

CREATE FUNCTION dmsa.release_lease(under bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE dmsa.lease SET holder = NULL, since = NULL, until = NULL WHERE epoch = under;
END
$$;

-- What the end of a process is to the others: its lease is over, and the table remembers whose it was.
CREATE FUNCTION dmsa.let_lapse(under bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE dmsa.lease SET until = clock_timestamp() WHERE epoch = under AND holder IS NOT NULL;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dmsa FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA dmsa FROM PUBLIC;
