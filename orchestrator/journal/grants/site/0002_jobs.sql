-- Whoever serves a site: calls for it, and nothing else. Which site is in dmsa.site_role, and held against who logged on.
GRANT USAGE ON SCHEMA dmsa TO {role};
GRANT SELECT ON dmsa.schema_migrations TO {role};
GRANT EXECUTE ON FUNCTION
    dmsa.job_patience(),
    dmsa.claim_jobs(text, text, text, text, text, integer),
    dmsa.renew_claims(uuid[], bigint[]),
    dmsa.may_leave(uuid, bigint),
    dmsa.hand_in(uuid, bigint, text),
    dmsa.show_runner(text, text, text)
TO {role};
