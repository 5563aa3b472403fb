-- Whoever only looks: which runners are there, and since when what waits.
GRANT SELECT (site, posted, fence) ON dmsa.jobs TO {role};
GRANT SELECT ON dmsa.runners TO {role};
GRANT EXECUTE ON FUNCTION dmsa.job_patience() TO {role};
