-- Whoever drives posts jobs and takes them back; he sees who is there and what waits. He serves no site by that.
GRANT SELECT (site, posted, fence) ON dmsa.jobs TO {role};
GRANT SELECT ON dmsa.runners TO {role};
GRANT EXECUTE ON FUNCTION
    dmsa.job_patience(),
    dmsa.post_jobs(
        bigint, uuid[], text[], text[], text[], text[], text[], text[], bigint[], double precision[]
    ),
    dmsa.take_back_jobs(bigint),
    dmsa.unheard_jobs(bigint, double precision),
    dmsa.withdraw_jobs(bigint, uuid[])
TO {role};
