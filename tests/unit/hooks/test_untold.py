from __future__ import annotations

import json

import pytest
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.sdk import Connection

from airflow_dataloader.hooks.untold import told, untold

CONNECTION = Connection(
    conn_id="databricks_default",
    conn_type="databricks",
    host="adb-1.azuredatabricks.net",
    password="dapi-swordfish\n",
    extra=json.dumps({"azure": {"client_secret": ["herring", "cod fish"]}, "azure_tenant_id": "tenant-1"}),
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Invalid header value b'Bearer dapi-swordfish\\n'", "Invalid header value b'Bearer ***'"),
        ("no dapi-swordfish here", "no *** here"),
        ("client_secret=cod+fish&x=herring", "client_secret=***&x=***"),
        ("no such host adb-1.azuredatabricks.net for tenant-1",) * 2,
    ],
)
def test_a_connection_s_secrets_are_masked_and_nothing_else(said: str, told: str) -> None:
    assert untold(said, CONNECTION) == told


def test_what_describes_a_cluster_may_hold_secrets_too() -> None:
    cluster = {
        "new_cluster": {
            "docker_image": {"url": "registry.example/loader", "basic_auth": {"password": "pike"}},
            "spark_env_vars": {"DATALOADER_SECRET_SHOP_PASSWORD": "perch", "ZONE": "Europe/Berlin"},
        }
    }
    said = "refused: registry.example/loader, pike, perch, Europe/Berlin"
    assert untold(said, CONNECTION, cluster) == "refused: registry.example/loader, ***, ***, Europe/Berlin"


def test_a_connection_without_secrets_changes_nothing() -> None:
    assert untold("as it was", Connection(conn_id="bare", conn_type="databricks")) == "as it was"


def test_where_there_is_no_connection_there_is_nothing_to_hide() -> None:
    error = ValueError("no such connection")
    assert told(error, DatabricksHook("there_is_none"), None) == "no such connection"
