-- Whoever only looks: status, report, board, metrics, journal show, verify and export.
GRANT USAGE ON SCHEMA dmsa TO {role};
GRANT SELECT ON dmsa.schema_migrations, dmsa.identity, dmsa.entries, dmsa.lease TO {role};
