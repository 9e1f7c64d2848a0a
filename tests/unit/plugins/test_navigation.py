"""The entry in Airflow's navigation: found by Airflow, valid for its API, and leading to the DAGs."""

from __future__ import annotations

from importlib.metadata import entry_points

from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse

from airflow_dataloader.dag_factory import load_dag, maintain_dag
from airflow_dataloader.plugins.navigation import NavigationPlugin


def test_airflow_finds_it() -> None:
    (found,) = [
        point for point in entry_points(group="airflow.plugins") if "airflow_dataloader" in point.value
    ]
    assert found.load() is NavigationPlugin
    assert found.name == NavigationPlugin.name


def test_it_leads_to_the_dags() -> None:
    (view,) = (ExternalViewResponse(**item) for item in NavigationPlugin.external_views)
    page, tag = view.href.split("?tags=")
    assert page == "/dags"
    assert {tag} == load_dag().tags == maintain_dag().tags
