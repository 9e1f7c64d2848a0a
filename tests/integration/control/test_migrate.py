"""Migrations: what they make, who may run them, and that they happen wholly or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from airflow_dataloader.control import migrate
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.migrate import MigrationStatus
from airflow_dataloader.control.tables import METADATA, SCHEMA, VERSION, VERSION_TABLE
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, DataloaderError, NotMigrated
from tests.factories import add_row, add_source
from tests.integration.control.drive import run_at

UP_TO_DATE = MigrationStatus(current=VERSION, head=VERSION, pending=())
EMPTY = MigrationStatus(current=None, head=VERSION, pending=("0001", "0002"))

#: Everything in the schema that a catalogue query can tell.
OBJECTS = """
    SELECT 'column', table_name, column_name, data_type || coalesce(character_maximum_length::text, '')
        || is_nullable || coalesce(column_default, '')
    FROM information_schema.columns WHERE table_schema = 'control'
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'control'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'control'::regnamespace
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', '', proname, pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = 'control'::regnamespace
    UNION ALL SELECT 'relation', relname, relkind::text, coalesce(array_to_string(reloptions, ','), '')
    FROM pg_class WHERE relnamespace = 'control'::regnamespace
    UNION ALL SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'control'
"""


def quiet(_: str) -> None:
    """Take a report and say nothing."""


def test_an_empty_database(empty_url: str) -> None:
    assert migrate.status(empty_url) == EMPTY
    said: list[str] = []
    migrate.upgrade(empty_url, report=said.append)
    assert migrate.status(empty_url) == UP_TO_DATE
    migrate.upgrade(empty_url, report=said.append)
    assert said == [
        f"Control database: version {VERSION}, was empty.",
        f"Control database: version {VERSION}, nothing to do.",
    ]


def test_a_database_that_is_not_in_utf8_is_refused(postgres: Any) -> None:
    name = "in_latin1"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        options = "ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        connection.execute(f"CREATE DATABASE {name} {options}".encode())
    try:
        with pytest.raises(ConfigurationError, match=f"{name} at .* has the encoding LATIN1") as refused:
            migrate.upgrade(postgres.url(name), report=quiet)
        assert "ENCODING 'UTF8'" in str(refused.value.fix)
        assert migrate.status(postgres.url(name)) == EMPTY
    finally:
        postgres.drop(name)


def test_the_tables_in_python_are_those_of_the_migrations(control: Engine) -> None:
    with control.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "include_object": lambda _object, _name, kind, *_: kind in {"table", "column"},
                "version_table": VERSION_TABLE,
                "version_table_schema": SCHEMA,
                "compare_type": True,
                "compare_server_default": False,
            },
        )
        found = compare_metadata(context, METADATA)
    # Changes of one column come as a list; what columns mean is said in the migrations alone.
    changes = [change for group in found for change in (group if isinstance(group, list) else [group])]
    assert [change for change in changes if not change[0].endswith("_comment")] == []


def test_the_comparison_sees_a_difference(control_url: str, control: Engine) -> None:
    run_at(control_url, "ALTER TABLE control.table_control DROP COLUMN owner, ADD COLUMN boss TEXT")
    with pytest.raises(AssertionError):
        test_the_tables_in_python_are_those_of_the_migrations(control)


def test_no_extension_is_needed(control_url: str) -> None:
    assert run_at(control_url, "SELECT extname FROM pg_extension") == [("plpgsql",)]


def test_one_installation_with_an_id_of_its_own(control_url: str, empty_url: str) -> None:
    ((first,),) = run_at(control_url, "SELECT id FROM control.installation WHERE id ~ '^[0-9a-f]{32}$'")
    migrate.upgrade(empty_url, report=quiet)
    ((second,),) = run_at(empty_url, "SELECT id FROM control.installation")
    assert first != second
    with pytest.raises(psycopg.errors.UniqueViolation):
        run_at(control_url, "INSERT INTO control.installation DEFAULT VALUES")


def test_eight_at_once(empty_url: str) -> None:
    said: list[str] = []
    threads = [
        threading.Thread(target=migrate.upgrade, args=(empty_url,), kwargs={"report": said.append})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == sorted(
        [f"Control database: version {VERSION}, was empty."]
        + [f"Control database: version {VERSION}, nothing to do."] * 7
    )
    assert run_at(empty_url, "SELECT count(*) FROM control.installation") == [(1,)]


def test_down_and_up_again_is_the_same(empty_url: str) -> None:
    migrate.upgrade(empty_url, report=quiet)
    first = sorted(run_at(empty_url, OBJECTS))
    migrate.downgrade(empty_url, "0001")
    assert migrate.status(empty_url) == MigrationStatus(current="0001", head=VERSION, pending=("0002",))
    migrate.upgrade(empty_url, report=quiet)
    assert sorted(run_at(empty_url, OBJECTS)) == first
    migrate.downgrade(empty_url, "base")
    assert migrate.status(empty_url) == EMPTY
    assert run_at(empty_url, "SELECT relname FROM pg_class WHERE relnamespace = 'control'::regnamespace") in (
        [],
        [("dataloader_version",), ("dataloader_version_pkc",)],
    )
    migrate.upgrade(empty_url, report=quiet)
    assert sorted(run_at(empty_url, OBJECTS)) == first


def test_settings_of_somebody_s_own_for_vacuum_stay(empty_url: str) -> None:
    migrate.upgrade(empty_url, report=quiet)
    migrate.downgrade(empty_url, "0001")
    options = "SELECT reloptions FROM pg_class WHERE oid = 'control.table_control'::regclass"
    assert run_at(empty_url, options) == [(None,)]
    run_at(empty_url, "ALTER TABLE control.table_control SET (autovacuum_vacuum_scale_factor = 0.05)")
    migrate.upgrade(empty_url, report=quiet)
    assert run_at(empty_url, options) == [(["autovacuum_vacuum_scale_factor=0.05", "fillfactor=70"],)]
    migrate.downgrade(empty_url, "0001")
    assert run_at(empty_url, options) == [(["autovacuum_vacuum_scale_factor=0.05"],)]


def test_a_downgrade_that_would_lose_a_load_is_refused(control_url: str, control: Engine) -> None:
    add_source(control)
    row = add_row(control)
    run_at(control_url, "UPDATE control.table_control SET last_status = 'Queued'")
    with pytest.raises(ConfigurationError, match="1 loads are Queued or In Progress"):
        migrate.downgrade(control_url, "0001")
    assert migrate.status(control_url) == UP_TO_DATE
    run_at(control_url, "UPDATE control.table_control SET last_status = 'Failed'")
    migrate.downgrade(control_url, "0001")
    assert run_at(
        control_url, "SELECT config_id, last_status, last_dagster_run FROM control.table_control"
    ) == [(row, "Failed", None)]


def test_a_downgrade_waits_for_a_claim_under_way_and_counts_it(control_url: str, control: Engine) -> None:
    add_source(control)
    add_row(control)
    waits = text("""
    SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND NOT l.granted AND l.mode = 'AccessExclusiveLock')""")
    with ThreadPoolExecutor(1) as pool, control.connect() as claim:
        claim.execute(text("UPDATE control.table_control SET last_status = 'Queued'"))
        downgrade = pool.submit(migrate.downgrade, control_url, "0001")
        while not claim.execute(waits).scalar_one():
            assert not downgrade.done()
        claim.commit()
        with pytest.raises(ConfigurationError, match="1 loads are Queued or In Progress"):
            downgrade.result()
    assert migrate.status(control_url) == UP_TO_DATE


def test_a_downgrade_does_not_lead_forward(empty_url: str) -> None:
    migrate.upgrade(empty_url, report=quiet)
    migrate.downgrade(empty_url, "0001")
    with pytest.raises(ConfigurationError, match="at version 0001") as caught:
        migrate.downgrade(empty_url, VERSION)
    assert "dataloader db migrate" in str(caught.value.fix)


def test_a_downgrade_that_would_drop_rows_is_refused(control_url: str, control: Engine) -> None:
    add_source(control)
    with pytest.raises(ConfigurationError, match="table_control_dbconfig holds rows"):
        migrate.downgrade(control_url, "base")
    assert migrate.status(control_url) == UP_TO_DATE


def test_nothing_to_downgrade(empty_url: str) -> None:
    with pytest.raises(NotMigrated, match="nothing to downgrade"):
        migrate.downgrade(empty_url, "base")


def test_an_unknown_revision_to_go_back_to(control_url: str) -> None:
    with pytest.raises(ConfigurationError, match="'0000'") as caught:
        migrate.downgrade(control_url, "0000")
    assert "0001" in str(caught.value.fix)


def test_a_database_of_a_newer_package(control_url: str) -> None:
    run_at(control_url, "UPDATE control.dataloader_version SET version_num = '0099'")
    for call in (migrate.upgrade, lambda url: migrate.downgrade(url, "0001")):
        with pytest.raises(NotMigrated, match="version 0099, which this package does not know"):
            call(control_url)
    assert migrate.status(control_url) == MigrationStatus(current="0099", head=VERSION, pending=())


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(ControlUnavailable, match=r"dataloader at 127\.0\.0\.1:1 cannot be reached"):
        migrate.upgrade("postgresql://anna@127.0.0.1:1/dataloader", report=quiet)


class Role:
    """A role without superuser and without CREATE on its database, and the URL it logs in with."""

    def __init__(self, url: str) -> None:
        self.name = f"role_{make_url(url).database}"
        self.url = make_url(url).set(username=self.name, password="secret").render_as_string(False)
        self._admin = url

    def __enter__(self) -> Role:
        run_at(self._admin, f"CREATE ROLE {self.name} LOGIN PASSWORD 'secret'")
        return self

    def __exit__(self, *_: object) -> None:
        run_at(self._admin, f"DROP OWNED BY {self.name} CASCADE")
        run_at(self._admin, f"DROP ROLE {self.name}")


def test_a_role_that_may_create_nothing_but_its_schema_was_made_for_it(empty_url: str) -> None:
    with Role(empty_url) as role:
        with pytest.raises(ConfigurationError, match="permission denied") as caught:
            migrate.upgrade(role.url, report=quiet)
        assert "owns the schema" in str(caught.value.fix)
        run_at(empty_url, f"CREATE SCHEMA control AUTHORIZATION {role.name}")
        migrate.upgrade(role.url, report=quiet)
        assert migrate.status(role.url) == UP_TO_DATE
        engine = create_engine(role.url)
        try:
            add_source(engine)
            assert add_row(engine) == 1
        finally:
            engine.dispose()
        migrate.downgrade(role.url, "0001")
        migrate.upgrade(role.url, timestamps_zone="UTC", report=quiet)


def test_a_lock_on_a_table_is_named_and_nothing_is_changed(
    old_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "_TABLE_LOCK", "100ms")
    with psycopg.connect(old_url) as holder:
        holder.execute("LOCK TABLE control.table_control IN ACCESS SHARE MODE")
        with pytest.raises(ConfigurationError, match=r"nothing was changed: .*lock timeout") as caught:
            migrate.upgrade(old_url, timestamps_zone="UTC", report=quiet)
    assert "holds a lock" in str(caught.value.fix)
    assert migrate.status(old_url).current is None


def test_errors_never_show_the_password(empty_url: str) -> None:
    url = make_url(empty_url).set(password="canary-password").render_as_string(False)
    with pytest.raises(DataloaderError) as caught:
        migrate.upgrade(url, report=quiet)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert "canary-password" not in f"{shown} {shown!r}"
        shown = shown.__cause__ or shown.__context__


def test_two_versions_at_once_are_none(control_url: str) -> None:
    run_at(control_url, "INSERT INTO control.dataloader_version VALUES ('0001')")
    for command in (
        lambda: migrate.status(control_url),
        lambda: migrate.upgrade(control_url, report=quiet),
        lambda: migrate.downgrade(control_url, "0001"),
    ):
        with pytest.raises(ConfigurationError, match=rf"holds 2 rows \(0001, {VERSION}\)") as caught:
            command()
        assert caught.value.field == "version_num"


def test_a_status_that_may_not_be_read_is_no_migration(control_url: str) -> None:
    run_at(control_url, "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN PASSWORD 'pw'")
    url = make_url(control_url).set(username="stranger", password="pw").render_as_string(hide_password=False)
    with pytest.raises(ConfigurationError, match="permission denied for schema control") as caught:
        migrate.status(url)
    assert "migration" not in str(caught.value)
    assert "grant the role" in str(caught.value.fix)


def test_a_lost_installation_is_named(control_url: str) -> None:
    run_at(control_url, "DELETE FROM control.installation")
    with pytest.raises(ConfigurationError, match=r"control\.installation is empty"):
        migrate.downgrade(control_url, "0001")
    engine = create_engine(control_url)
    with (
        pytest.raises(NotMigrated, match=r"control\.installation is empty") as caught,
        transaction(engine) as one,
    ):
        one.execute(text("SELECT 1"))
    engine.dispose()
    assert "from a backup" in str(caught.value.fix)


def test_rights_at_sequences_that_loads_draw_their_numbers_from_are_missed(control_url: str) -> None:
    run_at(control_url, "DROP ROLE IF EXISTS hand; CREATE ROLE hand; GRANT USAGE ON SCHEMA control TO hand")
    run_at(control_url, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA control TO hand")
    theirs = f"{control_url}?options=-crole%3Dhand"
    loads, backfills = (f"control.{table}_id_seq" for table in ("historical_metadata", "backfill"))
    try:
        assert migrate.missing_rights(theirs) == [f"USAGE on {loads}", f"USAGE on {backfills}"]
        run_at(control_url, f"GRANT USAGE ON SEQUENCE {loads} TO hand")
        run_at(control_url, f"GRANT UPDATE ON SEQUENCE {backfills} TO hand")
        assert migrate.missing_rights(theirs) == []
        run_at(control_url, f"REVOKE ALL ON SEQUENCE {loads} FROM hand")
        run_at(control_url, "ALTER TABLE control.historical_metadata ALTER id DROP DEFAULT")
        run_at(control_url, f"DROP SEQUENCE {loads}")
        run_at(
            control_url,
            "ALTER TABLE control.historical_metadata ALTER id ADD GENERATED BY DEFAULT AS IDENTITY",
        )
        assert migrate.missing_rights(theirs) == [], "an identity asks for no right"
    finally:
        run_at(control_url, "DROP OWNED BY hand; DROP ROLE hand")
