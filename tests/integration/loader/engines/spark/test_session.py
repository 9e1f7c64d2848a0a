"""Sessions: what they share, what they do not, and names of a catalogue."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.loader.engines.protocol import Deduplication, Engine, Vacuumed
from airflow_dataloader.loader.engines.spark.confs import insist, session_confs
from airflow_dataloader.loader.engines.spark.connect import connect
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.engines.spark.names import CatalogNames
from airflow_dataloader.loader.engines.spark.server import ConnectServer
from airflow_dataloader.loader.engines.spark.session import EngineSettings, _set_up, open_engine
from airflow_dataloader.loader.engines.spark.write import execute
from tests.integration.loader.engines.spark.workshop import APP, Workshop, commit

COLUMNS = {"id": "int", "name": "string"}
BY_ID = Deduplication(keys=("id",), cursor=None)


def test_the_engine_is_one_for_strategies(workshop: Workshop) -> None:
    engine: Engine = workshop.engine
    assert engine.parallelism == 2


def test_sessions_come_and_go_beside_each_other(settings: EngineSettings, workshop: Workshop) -> None:
    one = open_engine(settings)
    with closing(open_engine(settings)) as other:
        one.overwrite(workshop.table(), one.read(workshop.plan(COLUMNS, [(1, "a")])), commit(1))
        assert other.rows(workshop.table()) == [(1, "a")]
        one._context.spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
        assert other._context.spark.conf.get("spark.sql.session.timeZone") == "UTC"
        one.close()
        one.close()
        assert other.rows(workshop.table()) == [(1, "a")]
    assert workshop.rows(workshop.table()) == [(1, "a")]


def test_values_keep_their_meaning_whatever_the_server_s_defaults_are(connect_server: ConnectServer) -> None:
    spark = connect(connect_server.settings.remote)
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MILLIS")
    spark.conf.set("spark.sql.timestampType", "TIMESTAMP_NTZ")
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    _set_up(spark, spark.client.close)
    with closing(spark.client):
        table = f"parquet.`{connect_server.log.parent / uuid4().hex}`"
        spark.sql(
            f"INSERT OVERWRITE DIRECTORY '{table[9:-1]}' USING parquet"
            " SELECT CAST('2026-01-01 00:00:00.123456' AS timestamp) AS at"
        )
        (row,) = spark.sql(f"SELECT CAST(at AS string) AS at, typeof(at) AS kind FROM {table}").collect()
        assert (row["at"], row["kind"]) == ("2026-01-01 00:00:00.123456", "timestamp")


def test_tables_of_a_catalogue_work_as_paths_do(workshop: Workshop) -> None:
    """On Databricks names are Unity Catalog's; Spark's own catalogue stands in for it."""
    context = replace(workshop.engine._context, names=CatalogNames())
    engine, schema = SparkEngine(context, lambda: None), f"s_{uuid4().hex[:8]}"
    context.spark.sql(f"CREATE SCHEMA spark_catalog.{schema} LOCATION '{workshop.home / schema}'")
    target, name = (
        TargetName(catalog="spark_catalog", schema=schema, table=table)
        for table in ("orders", "_adl_stage_1")
    )
    assert engine.inspect(target, APP) is None
    assert engine.stages(replace(target, schema="nowhere")) == []
    assert engine.fence(target, workshop.plan(COLUMNS).columns, commit(1, 0)) == 1
    engine.overwrite(target, engine.read(workshop.plan(COLUMNS, [(1, "a")])), commit(1))
    stage = engine.stage(engine.read(workshop.plan(COLUMNS, [(1, "b"), (2, "c")])), name, BY_ID)
    merged = engine.merge(target, stage, commit(2), BY_ID)
    assert (merged.rows_inserted, merged.rows_updated) == (1, 1)
    engine.append(target, engine.read(workshop.plan(COLUMNS, [(3, "d")])), commit(3))
    again = engine.append(target, engine.read(workshop.plan(COLUMNS, [(3, "d")])), commit(3))
    assert (again.version, again.rows_inserted) == (4, 1)
    sliced = engine.replace_slice(
        target, engine.read(workshop.plan(COLUMNS, [(9, "x")])), "id >= 3", commit(4)
    )
    assert (sliced.rows_inserted, sliced.rows_deleted) == (1, 1)
    check_maintenance(engine, target)
    fresh = TargetName(catalog="spark_catalog", schema=schema, table="fresh")
    made = engine.overwrite(fresh, engine.read(workshop.plan(COLUMNS, [(1, "a")], replaced="0")), commit(1))
    assert (made.rows_in, made.values_replaced) == (1, None)
    wider = workshop.plan(COLUMNS | {"more": "int"}, [(5, "e", 5)])
    engine.overwrite(target, engine.read(wider), commit(5))
    assert engine.rows(target) == [(5, "e", 5)]
    assert engine.stages(target) == [name]
    engine.drop_stage(name)
    engine.drop_stage(name)
    assert engine.stages(target) == []
    assert engine.inspect(name, APP) is None
    context.spark.sql(f"DROP SCHEMA spark_catalog.{schema} CASCADE")


@pytest.mark.parametrize("kind", ["TABLE {} USING parquet", "VIEW {}"])
def test_what_is_no_delta_table_is_none_to_take_the_place_of(workshop: Workshop, kind: str) -> None:
    context = replace(workshop.engine._context, names=CatalogNames())
    engine, schema = SparkEngine(context, lambda: None), f"s_{uuid4().hex[:8]}"
    context.spark.sql(f"CREATE SCHEMA spark_catalog.{schema} LOCATION '{workshop.home / schema}'")
    context.spark.sql(
        f"CREATE {kind.format(f'spark_catalog.{schema}.orders')} AS SELECT 1 AS id, 'a' AS name"
    )
    target = TargetName(catalog="spark_catalog", schema=schema, table="orders")
    with pytest.raises(ConfigurationError, match="exists, and is not a Delta table") as refused:
        engine.inspect(target, APP)
    assert refused.value.field == "destination_table_name"
    context.spark.sql(f"DROP SCHEMA spark_catalog.{schema} CASCADE")


def test_a_name_stands_for_no_variable_of_spark_s_process(workshop: Workshop) -> None:
    context = replace(workshop.engine._context, names=CatalogNames())
    engine, schema = SparkEngine(context, lambda: None), f"s_{uuid4().hex[:8]}"
    context.spark.sql(f"CREATE SCHEMA spark_catalog.{schema} LOCATION '{workshop.home / schema}'")
    text = "${env:PATH}${system:java.version}"
    assert context.spark.sql(f"SELECT '{text}' AS x").collect()[0].x == text
    # As a table, which Spark's own catalogue cannot have, it is quoted as it is.
    target = TargetName(catalog="spark_catalog", schema=schema, table=text)
    with pytest.raises(DataloaderError) as refused:
        engine.overwrite(target, engine.read(workshop.plan(COLUMNS, [(1, "a")])), commit(1))
    assert text in str(refused.value)
    context.spark.sql(f"DROP SCHEMA spark_catalog.{schema} CASCADE")


def check_maintenance(engine: SparkEngine, target: TargetName) -> None:
    """Compact and vacuum a table; insist that its history tells of both, and its rows are as before."""
    ever, rows = datetime(2000, 1, 1, tzinfo=UTC), sorted(engine.rows(target))
    never = engine.upkeep(target, ever)
    assert never is not None
    assert (never.optimized_at, never.vacuumed_at) == (None, None)
    location = engine._context.names.locate(target).sql
    ((files,),) = engine._context.spark.sql(f"DESCRIBE DETAIL {location}").select("numFiles").collect()
    compacted = engine.optimize(target)
    assert compacted is not None
    assert files > 1
    assert (compacted.files_removed, compacted.files_added) == (files, 1)
    assert engine.vacuum(target) == Vacuumed(files_deleted=0, bytes_deleted=0)
    done = engine.upkeep(target, ever)
    assert done is not None
    assert None not in {done.optimized_at, done.vacuumed_at}
    assert done.changed_at == never.changed_at
    assert sorted(engine.rows(target)) == rows


def test_a_setting_that_is_not_the_session_s_is_refused_by_name(workshop: Workshop) -> None:
    """As serverless compute refuses most of them, Spark itself refuses those that are made when it starts."""
    spark, name = workshop.engine._context.spark, "spark.sql.warehouse.dir"
    insist(spark, name, str(spark.conf.get(name)))
    allowed = "spark.databricks.delta.write.txnAppId"
    with (
        pytest.raises(ConfigurationError, match=f"set {name}, .* 'elsewhere'"),
        session_confs(spark, {allowed: "7", name: "elsewhere"}),
    ):
        raise AssertionError("not reached")
    assert spark.conf.get(allowed, None) is None


def test_a_statement_whose_settings_are_refused_is_not_sent(workshop: Workshop) -> None:
    context = workshop.engine._context
    workshop.fill(workshop.table(), COLUMNS, [(1, "a")])

    def statement() -> None:
        with session_confs(context.spark, {"spark.sql.warehouse.dir": "elsewhere"}):
            raise AssertionError("not reached")

    location = context.names.locate(workshop.table())
    with pytest.raises(ConfigurationError, match="serverless"):
        execute(context.spark, context.interrupts, location, commit(2), statement)
    assert not context.interrupts.busy
