-- Whoever drives or speaks: reads, and appends through functions that keep the rules. No right to any row beside them.
GRANT USAGE ON SCHEMA dmsa TO {role};
GRANT SELECT ON dmsa.schema_migrations, dmsa.identity, dmsa.entries, dmsa.lease TO {role};
GRANT EXECUTE ON FUNCTION
    dmsa.append(bigint, bigint, text[], text[], text[], integer[], text[], text[]),
    dmsa.take_lease(text, double precision),
    dmsa.renew_lease(bigint, double precision),
    dmsa.release_lease(bigint),
    dmsa.let_lapse(bigint)
TO {role};
