from __future__ import annotations

import pytest

import airflow_dataloader


def test_the_dags_are_found_when_they_are_asked_for() -> None:
    from airflow_dataloader.dag_factory import build_dags

    assert airflow_dataloader.build_dags is build_dags


def test_nothing_else_is() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'build_dag'"):
        _ = airflow_dataloader.build_dag
