"""A role of the database may be called anything, also as the schema is."""

from __future__ import annotations

import contextlib

import pytest
from psycopg import sql

from orchestrator.journal import open_journal
from tests.postgres import PostgresServer


@pytest.mark.service
def test_a_role_that_is_called_as_the_schema_reads_the_same_rules(postgres_server: PostgresServer, database: str):
    name = database.rpartition("/")[2]
    role = sql.Identifier("dmsa")
    with postgres_server.admin(name) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER").format(role))
        try:
            with contextlib.closing(open_journal(postgres_server.url(name, "dmsa"), create=False)) as journal:
                assert journal.holder() is None
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(role))
