"""Airflow's metadata database in a test's own process: set up once, and the package's DAG in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow import settings
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.taskinstance import clear_task_instances
from airflow.sdk import DAG
from airflow.sdk.definitions.dag import _run_task
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState

from airflow_dataloader.resources import dags_folder
from airflow_dataloader.workspace.demo.airflow_home import BUNDLES
from airflow_dataloader.workspace.demo.connections import control_connection, databricks_connection

BUNDLE = "dataloader"


def set_up(url: str) -> None:
    """Point Airflow at the empty database behind ``url``, create its tables, and parse the package's DAGs."""
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url.replace("postgresql://", "postgresql+psycopg2://")
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = BUNDLES
    settings.dispose_orm(do_log=False)
    settings.configure_vars()
    settings.configure_orm()
    initdb()
    DagBundlesManager().sync_bundles_to_db()
    bag = _bag()
    assert bag.import_errors == {}
    sync_bag_to_db(bag, BUNDLE, None)


def dag(name: str = "dataloader_load") -> DAG:
    """Return a DAG as the DAG processor parses it."""
    found = _bag().get_dag(name)
    assert isinstance(found, DAG)
    return found


def clear(loading: DAG, run: Any, *task_ids: str) -> Any:
    """Clear these tasks of a run and no others, as a person does, and let the run go on to its end."""
    with create_session() as session:
        again = session.merge(run)
        again.dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(loading))
        clear_task_instances(
            [ti for ti in again.get_task_instances(session=session) if ti.task_id in task_ids],
            session,
            dag_run_state=DagRunState.RUNNING,
        )
        while again.state == DagRunState.RUNNING:
            session.commit()
            for ti in again.update_state(session=session)[0]:
                ti.try_number += 1
                session.commit()
                _run_task(ti=ti, task=loading.task_dict[ti.task_id])
            session.expire_all()
        return again


def dag_of_its_own(name: str, folder: Path) -> DAG:
    """Return the load DAG of a file in ``folder`` that gives it another name, known to Airflow's database."""
    call = f"build_dags(globals(), dag_id={name!r})  # airflow dag"
    return dag_of_a_file(name, folder, f"from airflow_dataloader import build_dags\n\n{call}\n")


def dag_of_a_file(name: str, folder: Path, program: str) -> DAG:
    """Return the DAG of that name that ``program`` makes in ``folder``, known to Airflow's database."""
    (folder / "own.py").write_text(program)
    bag = _bag(folder)
    assert bag.import_errors == {}
    sync_bag_to_db(bag, BUNDLE, None)
    found = bag.get_dag(name)
    assert isinstance(found, DAG)
    return found


def _bag(folder: Path | None = None) -> DagBag:
    path = folder or dags_folder()
    return DagBag(dag_folder=str(path), bundle_path=path, bundle_name=BUNDLE)


@dataclass(frozen=True)
class Connections:
    """Airflow connections of one test, by Airflow's own environment variables."""

    monkeypatch: pytest.MonkeyPatch

    def control(self, url: str, name: str = "dataloader_control") -> None:
        """Name the control database behind ``url``."""
        self._set(control_connection(url, name))

    def databricks(self, url: str, token: str, name: str = "databricks_default") -> None:
        """Name the workspace behind ``url``."""
        self._set(databricks_connection(url, token, name))

    def define(self, name: str, **fields: Any) -> None:
        """Set a connection for as long as the test lasts."""
        self._set({f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields)})

    def _set(self, variables: Mapping[str, str]) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
