"""The load DAG's shape."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_dataloader.dag_factory.load import load_dag
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.operators.claim import ClaimOperator
from airflow_dataloader.operators.load import LoadOperator
from airflow_dataloader.settings import SCHEDULE_MODES


def test_it_claims_every_minute_and_never_catches_up() -> None:
    dag = load_dag()
    assert (dag.dag_id, dag.catchup, dag.schedule) == ("dataloader_load", False, timedelta(seconds=60))
    assert isinstance(dag.get_task("claim"), ClaimOperator)
    mapped = dag.get_task("load")
    assert isinstance(mapped, MappedOperator)
    assert mapped.operator_class is LoadOperator
    assert mapped.upstream_task_ids == {"claim"}


@pytest.mark.parametrize("mode", SCHEDULE_MODES)
def test_every_mode_that_may_be_set_is_a_schedule(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATALOADER__SCHEDULE_MODE", mode)
    assert load_dag().schedule is not None


def test_a_mode_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATALOADER__SCHEDULE_MODE", "asset")
    with pytest.raises(ConfigurationError, match="SCHEDULE_MODE is 'asset'"):
        load_dag()


def test_a_long_load_never_stops_the_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATALOADER__MAX_CONCURRENT_LOADS", "50")
    assert load_dag().max_active_runs == 100


def test_a_claim_that_hangs_gives_its_worker_back() -> None:
    assert load_dag().get_task("claim").execution_timeout == timedelta(minutes=5)


def test_a_second_one_has_its_own_name_and_connections() -> None:
    dag = load_dag(dag_id="other", control_conn_id="c", databricks_conn_id="w")
    claim = dag.get_task("claim")
    assert isinstance(claim, ClaimOperator)
    assert (dag.dag_id, claim.control_conn_id, claim.databricks_conn_id) == ("other", "c", "w")


def test_nothing_of_a_load_is_a_template() -> None:
    assert (LoadOperator.template_fields, LoadOperator.template_ext) == ((), ())
