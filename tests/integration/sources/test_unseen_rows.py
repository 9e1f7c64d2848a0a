"""Rows that are there, and that the source does not show to a login, or to nobody yet."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from airflow_dataloader.exceptions import SourceRefused
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from airflow_dataloader.sources.postgresql import error_codes
from tests.integration.sources.reads import POSTGRESQL, as_engine

if TYPE_CHECKING:
    from airflow_dataloader.core.plan import Endpoint
    from airflow_dataloader.loader.sessions.protocol import SourceSession


@pytest.mark.usefixtures("_words")
def test_rows_that_policies_hide_are_not_left_out_without_a_word(
    source_db: psycopg.Connection, login: Endpoint
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 10) i")
    source_db.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 5)")
    source_db.execute(f"GRANT SELECT ON t TO {login.user}")
    with closing(PostgresqlSession(login)) as plain:
        plain.open_snapshot()
        with pytest.raises(SourceRefused, match="Policies of the source hide rows") as refusal:
            plain.query("SELECT id FROM t")
        assert refusal.value.field == "source_table_name"
        assert "row_security" in str(refusal.value.fix)
    with closing(PostgresqlSession(replace(login, options={"row_security": "on"}))) as some:
        snapshot = some.open_snapshot()
        assert some.query("SELECT count(*) FROM t") == [(5,)]
        init = POSTGRESQL.session_init(snapshot.id, own=snapshot.settings)
        assert some.query_beside(init, "SELECT count(*) FROM t") == [(5,)]
    source_db.execute(f"ALTER ROLE {login.user} BYPASSRLS")
    with closing(PostgresqlSession(login)) as all_of_them:
        all_of_them.open_snapshot()
        assert all_of_them.query("SELECT count(*) FROM t") == [(10,)]


def test_rows_that_policies_show_are_read_whatever_the_role_has_set(
    source_db: psycopg.Connection, login: Endpoint
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 10) i")
    source_db.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 5)")
    source_db.execute(f"GRANT SELECT ON t TO {login.user}; ALTER ROLE {login.user} SET row_security = off")
    some = replace(login, options={"row_security": "on"})
    with closing(PostgresqlSession(some)) as session:
        session.hold("t")
        snapshot = session.open_snapshot()
        assert [column.name for column in session.describe("t")] == ["id"]
    with as_engine(some, snapshot) as engine:
        assert engine.execute("SELECT count(*) FROM t").fetchone() == (5,)


@pytest.fixture(params=["in English", "in words that nobody knows"])
def _words(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "in English":
        monkeypatch.setattr(error_codes, "_WORDS", ())


@pytest.mark.usefixtures("_words")
def test_a_view_that_was_never_filled_is_no_source_that_broke_off(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE MATERIALIZED VIEW m AS SELECT 1 AS id WITH NO DATA")
    session.open_snapshot()
    with pytest.raises(SourceRefused, match="never filled") as refusal:
        session.query("SELECT id FROM m")
    assert "REFRESH" in str(refusal.value.fix)
