"""The package's entry in Airflow's navigation."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from airflow_dataloader.operators.links import dags_page


def _views() -> list[dict[str, str]]:
    return [{"name": "Data loads", "destination": "nav", "category": "browse", "href": dags_page()}]


class NavigationPlugin(AirflowPlugin):
    """Leads from Airflow's menu to the DAGs that load tables, whatever they are called."""

    name = "dataloader"
    external_views = _views()
