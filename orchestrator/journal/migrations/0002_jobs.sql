-- The board of jobs (orchestrator/journal/jobs.py): calls that the runner that drives has posted for runners of other
-- sites. Beside the rows, for nothing here is history. The role of a site's runner may call the functions that serve a
-- site, for its own site, and can see or change nothing else: no row, no lease, no other site's job.

CREATE TABLE dmsa.jobs (
    id uuid PRIMARY KEY,
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,   -- the order in which they were posted
    run text COLLATE "C" NOT NULL,
    site text COLLATE "C" NOT NULL,
    migration text COLLATE "C" NOT NULL,
    step text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    call text NOT NULL,
    after_row bigint NOT NULL,
    leaves_within double precision NOT NULL,
    epoch bigint NOT NULL,                                 -- of the lease it was posted under
    posted timestamptz NOT NULL DEFAULT clock_timestamp(),
    rung timestamptz NOT NULL DEFAULT clock_timestamp(),
    fence bigint,                                          -- NULL: nobody has claimed it
    runner text,
    until timestamptz,                                     -- by the server's clock; after it the claim has lapsed
    result text,
    CONSTRAINT a_claim_is_whole CHECK ((fence IS NULL) = (runner IS NULL) AND (fence IS NULL) = (until IS NULL)),
    CONSTRAINT only_the_claimed_has_a_result CHECK (result IS NULL OR fence IS NOT NULL)
);

CREATE INDEX jobs_to_claim ON dmsa.jobs (site, migration, step, number) WHERE fence IS NULL;
CREATE INDEX jobs_of_an_epoch ON dmsa.jobs (epoch);
CREATE SEQUENCE dmsa.fences;

CREATE TABLE dmsa.site_role (
    role name NOT NULL,
    site text COLLATE "C" NOT NULL,
    PRIMARY KEY (role, site)
);

CREATE TABLE dmsa.runners (
    site text COLLATE "C" NOT NULL,
    runner text COLLATE "C" NOT NULL,
    version text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (site, runner)
);

CREATE FUNCTION dmsa.job_patience() RETURNS interval LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT interval '15 seconds' $$;

-- For the runner that drives.

CREATE FUNCTION dmsa.post_jobs(
    under bigint, ids uuid[], runs text[], sites text[], migrations text[], steps text[], kinds text[], calls text[],
    rows bigint[], leave_within double precision[], OUT epoch bigint, OUT holder text, OUT done boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT l.epoch, l.holder INTO epoch, holder FROM dmsa.lease AS l;
    done := under = epoch AND holder IS NOT NULL;
    IF done THEN
        INSERT INTO dmsa.jobs (id, run, site, migration, step, kind, call, after_row, leaves_within, epoch)
        SELECT id, run, site, migration, step, kind, call, after_row, leaves, under
        FROM unnest(ids, runs, sites, migrations, steps, kinds, calls, rows, leave_within) WITH ORDINALITY
            AS given (id, run, site, migration, step, kind, call, after_row, leaves, n)
        ORDER BY n;
    END IF;
END
$$;

-- One that is being handed in just now is waited for, and looked at again (PostgreSQL, "13.2.1 Read Committed").
CREATE FUNCTION dmsa.take_back_jobs(under bigint) RETURNS SETOF dmsa.jobs
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM dmsa.jobs AS j WHERE j.epoch < under;
    RETURN QUERY
        WITH done AS (
            DELETE FROM dmsa.jobs AS j WHERE j.epoch = under AND j.fence IS NOT NULL
                AND (j.result IS NOT NULL OR j.until <= clock_timestamp())
            RETURNING j.*
        )
        SELECT * FROM done ORDER BY number;
END
$$;

CREATE FUNCTION dmsa.unheard_jobs(under bigint, older_than double precision)
RETURNS TABLE (number bigint, site text, migration text, step text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE dmsa.jobs SET rung = clock_timestamp()
    WHERE epoch = under AND fence IS NULL AND rung <= clock_timestamp() - make_interval(secs => older_than)
    RETURNING number, site, migration, step
$$;

CREATE FUNCTION dmsa.withdraw_jobs(under bigint, ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM dmsa.jobs WHERE id = ANY (ids) AND epoch = under AND fence IS NULL RETURNING id
$$;

-- For the runners of a site.

-- Called by functions that run with the owner's rights: current_user is the owner, session_user who logged on.
CREATE FUNCTION dmsa.serves(its text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM dmsa.site_role WHERE role = session_user AND site = its)
        OR pg_has_role(session_user, current_user, 'USAGE')
$$;

CREATE FUNCTION dmsa.refuse_strangers(its text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT dmsa.serves(its) THEN
        RAISE EXCEPTION 'role % does not serve site %', session_user, its USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;

-- SKIP LOCKED: of many who hear the same ring, each takes what nobody else is taking just now.
CREATE FUNCTION dmsa.claim_jobs(of_run text, of_site text, of_migration text, of_step text, by_runner text, most integer)
RETURNS SETOF dmsa.jobs LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM dmsa.refuse_strangers(of_site);
    RETURN QUERY
        WITH free AS (
            SELECT j.id FROM dmsa.jobs AS j
            WHERE j.run = of_run AND j.site = of_site AND j.migration = of_migration AND j.step = of_step AND j.fence IS NULL
                AND j.epoch = (SELECT l.epoch FROM dmsa.lease AS l
                               WHERE l.holder IS NOT NULL AND l.until > clock_timestamp())
            ORDER BY j.number LIMIT most FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE dmsa.jobs AS j
            SET fence = nextval('dmsa.fences'), runner = by_runner, until = clock_timestamp() + dmsa.job_patience()
            FROM free WHERE j.id = free.id
            RETURNING j.*
        )
        SELECT * FROM claimed ORDER BY number;
END
$$;

CREATE FUNCTION dmsa.renew_claims(ids uuid[], fences bigint[]) RETURNS TABLE (id uuid, fence bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE dmsa.jobs AS j SET until = clock_timestamp() + dmsa.job_patience()
    FROM unnest(ids, fences) AS given (id, fence)
    WHERE j.id = given.id AND j.fence = given.fence AND j.result IS NULL AND j.until > clock_timestamp()
        AND dmsa.serves(j.site)
    RETURNING j.id, j.fence
$$;

-- The words are those of orchestrator/model/decided_anew.py.
CREATE FUNCTION dmsa.may_leave(claimed uuid, under_fence bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job dmsa.jobs;
BEGIN
    SELECT * INTO job FROM dmsa.jobs AS j
    WHERE j.id = claimed AND j.fence = under_fence AND j.result IS NULL AND j.until > clock_timestamp();
    IF NOT FOUND OR NOT dmsa.serves(job.site) THEN
        RETURN 'lapsed';
    ELSIF NOT EXISTS (
        SELECT FROM dmsa.lease AS l
        WHERE l.epoch = job.epoch AND l.holder IS NOT NULL AND l.until > clock_timestamp()
    ) THEN
        RETURN 'not-held';
    ELSIF EXISTS (
        SELECT FROM dmsa.entries AS e
        WHERE e.run = job.run AND e.seq > job.after_row AND e.epoch IS NULL AND (
            e.kind IN ('amended')
            OR (e.kind IN ('held', 'way-back-asked', 'host-released', 'asserted-done', 'adopt-asked')
                AND e.body::json ->> 'migration' = job.migration)
        )
    ) THEN
        RETURN 'spoken';
    ELSIF clock_timestamp() > job.posted + make_interval(secs => job.leaves_within) THEN
        RETURN 'late';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION dmsa.hand_in(claimed uuid, under_fence bigint, came text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    its bigint;
BEGIN
    UPDATE dmsa.jobs AS j SET result = came
    WHERE j.id = claimed AND j.fence = under_fence AND j.result IS NULL AND j.until > clock_timestamp()
        AND dmsa.serves(j.site)
    RETURNING j.epoch INTO its;
    IF its IS NOT NULL THEN
        PERFORM pg_notify('dmsa_jobs', its::text);
    END IF;
    RETURN its IS NOT NULL;
END
$$;

CREATE FUNCTION dmsa.show_runner(of_site text, its text, its_version text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM dmsa.refuse_strangers(of_site);
    INSERT INTO dmsa.runners (site, runner, version) VALUES (of_site, its, its_version)
    ON CONFLICT (site, runner) DO UPDATE SET version = its_version, seen = clock_timestamp();
    DELETE FROM dmsa.runners WHERE seen < clock_timestamp() - interval '1 day';
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dmsa FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA dmsa FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA dmsa FROM PUBLIC;
