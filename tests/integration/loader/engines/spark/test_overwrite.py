"""Replacing a whole table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.exceptions import Fenced
from airflow_dataloader.loader.engines.protocol import Deduplication
from tests.integration.loader.engines.spark.workshop import APP, Workshop, commit

PEOPLE = {"id": "int", "name": "string"}


def test_rows_and_columns_are_replaced_in_one_version(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    first = engine.overwrite(target, engine.read(workshop.plan(PEOPLE, [(1, "a"), (2, None)])), commit(1))
    assert (first.version, first.rows_in, first.rows_inserted) == (0, 2, 2)
    plan = workshop.plan({"id": "bigint", "price": "decimal(10,2)"}, [(3, "1.25")])
    second = engine.overwrite(target, engine.read(plan), commit(2))
    assert (second.version, second.rows_in) == (1, 1)
    found = engine.inspect(target, APP)
    assert found is not None
    assert dict(found.columns) == {"id": "bigint", "price": "decimal(10,2)"}
    assert [str(value) for row in workshop.rows(target) for value in row] == ["3", "1.25"]


def test_an_empty_read_leaves_an_empty_table_with_its_columns(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, PEOPLE, [(1, "a")])
    written = engine.overwrite(target, engine.read(workshop.plan(PEOPLE)), commit(2))
    found = engine.inspect(target, APP)
    assert found is not None
    assert (written.rows_in, found.filled, dict(found.columns)) == (0, False, PEOPLE)


def test_replaced_values_are_counted_in_the_same_pass(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    plan = workshop.plan(
        PEOPLE, [(n, "x") for n in range(10)], replaced="(CASE WHEN v.id > 7 THEN 2 ELSE 0 END)"
    )
    assert engine.overwrite(target, engine.read(plan), commit(1)).values_replaced == 4
    again = engine.overwrite(target, engine.read(plan), commit(1))
    assert (again.version, again.rows_in, again.values_replaced) == (0, 10, None)
    assert list(engine.inspect(target, APP).columns) == ["id", "name"]  # type: ignore[union-attr]


def test_the_best_row_of_each_key_is_kept(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    columns = {"id": "int", "at": "int", "name": "string"}
    rows = [(1, 1, "old"), (1, 2, "new"), (2, None, "b"), (2, None, "a"), (None, 9, "no key")]
    dedup = Deduplication(keys=("id",), cursor="at")
    written = engine.overwrite(target, engine.read(workshop.plan(columns, rows)), commit(1), dedup)
    assert written.rows_in == 2
    assert workshop.rows(target) == [(1, 2, "new"), (2, None, "b")]
    (detail,) = workshop.sql("DESCRIBE DETAIL {t}", t=target)
    assert detail.properties["delta.enableDeletionVectors"] == "true"


def test_what_people_put_on_a_table_survives_unless_its_columns_change(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.sql(
        "CREATE TABLE {t} (id INT COMMENT 'the key', name STRING, `a.b` INT COMMENT 'dotted') USING delta "
        "CLUSTER BY (id) "
        "COMMENT 'people' TBLPROPERTIES ('team' = 'crm')",
        t=target,
    )
    workshop.fill(target, PEOPLE | {"a.b": "int"}, [(1, "a", 2)])
    (detail,) = workshop.sql("DESCRIBE DETAIL {t}", t=target)
    assert (detail.description, list(detail.clusteringColumns)) == ("people", ["id"])
    workshop.fill(target, {"id": "int", "mail": "string", "a.b": "int"}, [(1, "a@b", 3)], epoch=2)
    (detail,) = workshop.sql("DESCRIBE DETAIL {t}", t=target)
    assert (detail.description, detail.properties["team"]) == ("people", "crm")
    described = {row.col_name: row.comment for row in workshop.sql("DESCRIBE TABLE {t}", t=target)}
    assert (described["id"], described["a.b"]) == ("the key", "dotted")
    assert list(detail.clusteringColumns) == ["id"]
    assert workshop.rows(target) == [(1, "a@b", 3)]


def clusters(workshop: Workshop) -> list[str]:
    (detail,) = workshop.sql("DESCRIBE DETAIL {t}", t=workshop.table())
    return list(detail.clusteringColumns)


def test_a_new_table_is_clustered_and_stays_so_when_its_columns_change(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    rows = engine.read(workshop.plan({"id": "int", "a.b": "string"}, [(1, "a")]))
    written = engine.overwrite(target, rows, commit(1), cluster_by=("id", "a.b"))
    assert (written.rows_in, written.values_replaced) == (1, None)
    assert workshop.rows(target) == [(1, "a")]
    assert clusters(workshop) == ["id", "`a.b`"]
    rows = engine.read(workshop.plan({"id": "int", "mail": "string"}, [(2, "a@b")]))
    engine.overwrite(target, rows, commit(2), cluster_by=("id",))
    assert workshop.rows(target) == [(2, "a@b")]
    assert clusters(workshop) == ["id"]
    found = engine.inspect(target, APP)
    assert found is not None
    assert (found.continuous, found.filled) == (True, True)


def test_a_fence_makes_a_clustered_table(workshop: Workshop) -> None:
    columns = workshop.plan(PEOPLE).columns
    version = workshop.engine.fence(workshop.table(), columns, commit(1, 0), cluster_by=("id",))
    assert clusters(workshop) == ["id"]
    assert workshop.version(workshop.table()) == version
    rows = workshop.engine.read(workshop.plan(PEOPLE, [(1, "a")]))
    workshop.engine.overwrite(workshop.table(), rows, commit(1), cluster_by=("id",))
    assert clusters(workshop) == ["id"]
    assert workshop.rows(workshop.table()) == [(1, "a")]


def test_the_layout_that_people_chose_stays(workshop: Workshop) -> None:
    workshop.sql("CREATE TABLE {t} (id INT, name STRING) USING delta CLUSTER BY (name)", t=workshop.table())
    rows = workshop.engine.read(workshop.plan(PEOPLE, [(1, "a")]))
    workshop.engine.overwrite(workshop.table(), rows, commit(1), cluster_by=("id",))
    assert clusters(workshop) == ["name"]


@pytest.mark.parametrize(("cluster_by", "after"), [((), []), (("id",), ["id"])])
def test_chosen_clusters_survive_other_columns(
    workshop: Workshop, cluster_by: tuple[str, ...], after: list[str]
) -> None:
    target, engine = workshop.table(), workshop.engine
    workshop.sql("CREATE TABLE {t} (id INT, `a.B` STRING) USING delta CLUSTER BY (`a.B`)", t=target)
    rows = engine.read(workshop.plan({"id": "int", "a.b": "string", "mail": "string"}, [(1, "a", "m")]))
    engine.overwrite(target, rows, commit(1), cluster_by=cluster_by)
    assert clusters(workshop) == ["`a.b`"]
    # Nothing is left of what they chose.
    rows = engine.read(workshop.plan({"id": "int", "mail": "string"}, [(1, "m")]))
    engine.overwrite(target, rows, commit(2), cluster_by=cluster_by)
    assert clusters(workshop) == after


def test_partitions_survive_new_columns(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.sql("CREATE TABLE {t} (id INT, Name STRING) USING delta PARTITIONED BY (Name)", t=target)
    workshop.fill(target, PEOPLE | {"mail": "string"}, [(1, "a", "a@b")])
    (detail,) = workshop.sql("DESCRIBE DETAIL {t}", t=target)
    assert list(detail.partitionColumns) == ["name"]


@pytest.mark.parametrize("layout", ["CLUSTER BY (Id)", "PARTITIONED BY (name)"])
def test_columns_stay_where_they_shall_and_types_only_grow(workshop: Workshop, layout: str) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.sql(
        f"CREATE TABLE {{t}} (Id INT COMMENT 'the key', gone STRING, name STRING) USING delta {layout}",
        t=target,
    )
    workshop.sql("INSERT INTO {t} VALUES (1, 'x', 'a'), (2, 'y', 'b')", t=target)
    rows = engine.read(workshop.plan({"name": "string", "id": "bigint"}, [("c", 3_000_000_000)]))
    engine.overwrite(target, rows, commit(1), keep_columns=True)
    found = engine.inspect(target, APP)
    assert found is not None
    assert dict(found.columns) == {"Id": "bigint", "gone": "string", "name": "string"}
    assert workshop.rows(target) == [(3_000_000_000, None, "c")]
    (detail,) = workshop.sql("DESCRIBE DETAIL {t}", t=target)
    assert [*detail.clusteringColumns, *detail.partitionColumns] in (["Id"], ["name"])
    described = {row.col_name: row.comment for row in workshop.sql("DESCRIBE TABLE {t}", t=target)}
    assert described["Id"] == "the key"


def test_a_cluster_s_default_keeps_no_partition_alive(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.sql("CREATE TABLE {t} (id INT, name STRING) USING delta PARTITIONED BY (name)", t=target)
    workshop.fill(target, PEOPLE, [(1, "a"), (2, "b")])
    workshop.sql("SET spark.sql.sources.partitionOverwriteMode = dynamic")
    try:
        engine.overwrite(target, engine.read(workshop.plan(PEOPLE, [(3, "b")])), commit(2))
    finally:
        workshop.sql("RESET spark.sql.sources.partitionOverwriteMode")
    assert workshop.rows(target) == [(3, "b")]


def test_no_constraint_of_the_source_reaches_the_table(workshop: Workshop) -> None:
    """A VARCHAR's length travels as metadata of a JDBC column, and would reject longer values later."""
    engine, target = workshop.engine, workshop.table()
    plan = workshop.query(PEOPLE, "SELECT 1::int AS id, 'abc'::varchar(3) AS name")
    bare = tuple(replace(column, select=f'v."{column.name}"') for column in plan.columns)
    engine.overwrite(target, engine.read(replace(plan, columns=bare)), commit(1))
    schema = engine._context.spark.table(engine._context.names.locate(target).sql).schema
    assert [(field.nullable, dict(field.metadata)) for field in schema.fields] == [(True, {}), (True, {})]
    engine.append(target, engine.read(workshop.plan(PEOPLE, [(2, "longer than three")])), commit(2))
    assert (2, "longer than three") in workshop.rows(target)


def test_an_older_load_writes_nothing(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.fill(target, PEOPLE, [(2, "newer")], epoch=2)
    with pytest.raises(Fenced):
        workshop.fill(target, PEOPLE, [(1, "older")], epoch=1)
    assert workshop.rows(target) == [(2, "newer")]
    assert workshop.version(target) == 0
