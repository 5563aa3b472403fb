-- A journal in a SQLite file. Constraints and triggers are named after the rule that they keep; verify compares this
-- whole text with what stands in the file. A change of it is a new format: PRAGMA user_version.

CREATE TABLE entries (
    seq     INTEGER PRIMARY KEY,
    run     TEXT NOT NULL,
    at      TEXT,               -- estate time, ISO 8601, UTC
    kind    TEXT NOT NULL,
    version INTEGER NOT NULL,   -- of the vocabulary that kind and body belong to
    body    TEXT NOT NULL,      -- canonical JSON, RFC 8785
    epoch   INTEGER,            -- of the lease it was written under; NULL: an operator's word
    hash    TEXT NOT NULL,      -- orchestrator/journal/chain.py
    CONSTRAINT rows_count_from_one CHECK (seq >= 1),
    CONSTRAINT time_is_utc CHECK (at IS NULL OR at LIKE '____-__-__T%Z'),
    CONSTRAINT hash_is_sha256 CHECK (length(hash) = 64)
);

CREATE INDEX entries_of_a_run ON entries (run, seq);

CREATE TABLE lease (
    only   INTEGER PRIMARY KEY,
    epoch  INTEGER NOT NULL,
    holder TEXT,                -- NULL: given back
    since  TEXT,
    CONSTRAINT one_runner_at_a_time CHECK (only = 1),
    CONSTRAINT holder_and_since_belong_together CHECK ((holder IS NULL) = (since IS NULL))
);

INSERT INTO lease (only, epoch) VALUES (1, 0);

CREATE TRIGGER rows_have_no_gap BEFORE INSERT ON entries
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entries)
BEGIN SELECT raise(ABORT, 'rows_have_no_gap'); END;

CREATE TRIGGER late_writers_are_refused BEFORE INSERT ON entries
WHEN NEW.epoch <> (SELECT epoch FROM lease)
BEGIN SELECT raise(ABORT, 'late_writers_are_refused'); END;

CREATE TRIGGER rows_are_never_changed BEFORE UPDATE ON entries
BEGIN SELECT raise(ABORT, 'rows_are_never_changed'); END;

CREATE TRIGGER rows_are_never_deleted BEFORE DELETE ON entries
BEGIN SELECT raise(ABORT, 'rows_are_never_deleted'); END;

CREATE TRIGGER epochs_only_grow BEFORE UPDATE ON lease WHEN NEW.epoch < OLD.epoch
BEGIN SELECT raise(ABORT, 'epochs_only_grow'); END;

CREATE TRIGGER the_lease_stays BEFORE DELETE ON lease
BEGIN SELECT raise(ABORT, 'the_lease_stays'); END;
