from __future__ import annotations

import json
import logging

import pytest
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.sdk import Connection

from airflow_dataloader.hooks.redaction import LogRedacted, redact, redacted_instead, redacted_message

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
    assert redact(said, CONNECTION) == told


def test_what_describes_a_cluster_may_hold_secrets_too() -> None:
    cluster = {
        "new_cluster": {
            "docker_image": {"url": "registry.example/loader", "basic_auth": {"password": "pike"}},
            "spark_env_vars": {"DATALOADER_SECRET_SHOP_PASSWORD": "perch", "ZONE": "Europe/Berlin"},
        }
    }
    said = "refused: registry.example/loader, pike, perch, Europe/Berlin"
    assert redact(said, CONNECTION, cluster) == "refused: registry.example/loader, ***, ***, Europe/Berlin"


def test_a_connection_without_secrets_changes_nothing() -> None:
    assert redact("as it was", Connection(conn_id="bare", conn_type="databricks")) == "as it was"


def test_where_there_is_no_connection_there_is_nothing_to_hide() -> None:
    error = ValueError("no such connection")
    assert redacted_message(error, DatabricksHook("there_is_none"), None) == "no such connection"


def test_a_password_in_an_address_is_one_whatever_its_field() -> None:
    variables = {"DB_URL": "postgresql://u:hunter22@h/d", "JDBC": "jdbc:sqlserver://h;password=minnow;x=1"}
    said = "refused: postgresql://u:hunter22@h/d, jdbc:sqlserver://h;password=minnow;x=1"
    assert redact(said, CONNECTION, {"spark_env_vars": variables}) == (
        "refused: postgresql://u:***@h/d, jdbc:sqlserver://h;password=***;x=1"
    )


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> DatabricksHook:
    monkeypatch.setenv("AIRFLOW_CONN_WORKSPACE", CONNECTION.as_json())
    return DatabricksHook("workspace")


def refusal(text: str) -> RuntimeError:
    """Return an error that comes from another, which has said ``text``."""
    try:
        try:
            raise ValueError(text)
        except ValueError as cause:
            raise RuntimeError("not sent") from cause
    except RuntimeError as error:
        return error


def test_what_an_error_comes_from_hides_a_secret_too(hook: DatabricksHook) -> None:
    error = refusal("Invalid header value b'Bearer dapi-swordfish\\n'")
    assert redacted_message(error, hook) == "not sent"
    assert redacted_instead(error, hook) == "not sent"
    assert redacted_instead(refusal("no such host"), hook) is None


def test_a_secret_that_stands_in_the_code_by_chance_replaces_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = Connection(conn_id="plain", conn_type="databricks", password="raise")
    monkeypatch.setenv("AIRFLOW_CONN_PLAIN", plain.as_json())
    assert redacted_instead(refusal("no such host"), DatabricksHook("plain")) is None


def test_what_is_warned_of_is_logged_without_secrets(
    hook: DatabricksHook, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("airflow_dataloader.somewhere")
    with caplog.at_level(logging.DEBUG, log.name), LogRedacted(log, "Nothing happened", hook):
        raise refusal("Invalid header value b'Bearer dapi-swordfish\\n'")
    warning, where = caplog.messages
    assert warning == "Nothing happened: not sent"
    assert "ValueError: Invalid header value b'Bearer ***" in where
    assert "swordfish" not in where


def test_an_interrupt_is_no_error_to_go_on_behind(hook: DatabricksHook) -> None:
    with pytest.raises(KeyboardInterrupt), LogRedacted(logging.getLogger(), "Nothing happened", hook):
        raise KeyboardInterrupt
