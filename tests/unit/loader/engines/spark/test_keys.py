"""The text of questions about keys; their answers are tested with the engine."""

from __future__ import annotations

from airflow_dataloader.loader.engines.spark.keys import duplicates_sql, null_keys_sql
from airflow_dataloader.loader.engines.spark.names import Location


def test_a_sample_of_duplicates_names_keys_as_texts() -> None:
    keys = {"a": "int", "b": "binary"}
    assert duplicates_sql(Location(sql="stage", folder=None), keys, 5) == (
        "SELECT CAST(`a` AS STRING) AS k0, HEX(`b`) AS k1 FROM stage "
        "WHERE `a` IS NOT NULL AND `b` IS NOT NULL GROUP BY `a`, `b` HAVING COUNT(1) > 1 "
        "ORDER BY `a`, `b` LIMIT 5"
    )


def test_a_sample_of_rows_without_a_key_has_their_cursor_beside_it() -> None:
    names = {"a": "int", "b": "binary", "at": "timestamp"}
    assert null_keys_sql(Location(sql="stage", folder=None), ("a", "b"), names, 5) == (
        "SELECT CAST(`a` AS STRING) AS k0, HEX(`b`) AS k1, CAST(`at` AS STRING) AS k2 FROM stage "
        "WHERE NOT (`a` IS NOT NULL AND `b` IS NOT NULL) ORDER BY `a`, `b`, `at` LIMIT 5"
    )
