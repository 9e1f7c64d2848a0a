"""What Airflow reads is what was meant, whatever characters are in it."""

from __future__ import annotations

import json

from airflow_dataloader.workspace.demo.connections import control_connection, databricks_connection


def test_a_url_in_its_parts() -> None:
    ((name, value),) = control_connection("postgresql://me:p%2Fw%40@127.0.0.1:5433/a%20b").items()
    assert name == "AIRFLOW_CONN_DATALOADER_CONTROL"
    assert json.loads(value) == {
        "conn_type": "dataloader_control",
        "host": "127.0.0.1",
        "port": 5433,
        "schema": "a b",
        "login": "me",
        "password": "p/w@",
    }


def test_a_workspace_s_scheme_and_port_have_fields_of_their_own() -> None:
    ((name, value),) = databricks_connection("http://127.0.0.1:20123", "dapi1", "other").items()
    assert name == "AIRFLOW_CONN_OTHER"
    assert json.loads(value) == {
        "conn_type": "databricks",
        "host": "127.0.0.1",
        "port": 20123,
        "schema": "http",
        "password": "dapi1",
    }
