"""An Airflow connection as the control database's URL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.hooks.control import ControlHook


def hook(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> ControlHook:
    values = {"conn_type": "dataloader_control", "host": "db.example", "schema": "d", "login": "u"}
    monkeypatch.setenv("AIRFLOW_CONN_CONTROL_HERE", json.dumps(values | fields))
    return ControlHook("control_here")


def test_tls_is_required_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"Airflow connection control_here .* without TLS") as caught:
        hook(monkeypatch, extra={"sslmode": "disable"}).control_url()
    assert caught.value.field == "control_here"


def test_a_password_of_any_characters_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    url = hook(monkeypatch, password="a@b/c:d 'e\\f", port=6543).control_url()
    assert url == "postgresql://u:a%40b%2Fc%3Ad%20%27e%5Cf@db.example:6543/d"


def test_extra_fields_are_libpqs(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"sslmode": "verify-full", "sslrootcert": "/ca.pem", "iam": False, "connect_timeout": 3}
    url = hook(monkeypatch, extra=extra).control_url()
    assert url == "postgresql://u@db.example/d?connect_timeout=3&sslmode=verify-full&sslrootcert=%2Fca.pem"
    with pytest.raises(ConfigurationError, match="extra field"):
        hook(monkeypatch, extra={"warehouse": "x"}, password="swordfish").control_url()


@pytest.mark.parametrize("value", [{"sslmode": "require"}, ["require"], {}, []])
def test_an_extra_field_that_is_no_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    ours = hook(monkeypatch, extra={"options": value}, password="swordfish")
    with pytest.raises(ConfigurationError) as caught:
        ours.control_url()
    sentence = "Airflow connection control_here has an extra field 'options' that is neither text nor number."
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("extra", ["{sslmode: swordfish}", '["swordfish"]', "7"])
def test_an_extra_that_cannot_be_read_is_refused_and_not_left_out(
    monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    with pytest.raises(ConfigurationError, match="not a JSON object") as caught:
        hook(monkeypatch, extra=extra).control_url()
    assert caught.value.field == "control_here"
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize("extra", [None, "", " ", "{}"])
def test_an_extra_may_be_empty(monkeypatch: pytest.MonkeyPatch, extra: str | None) -> None:
    assert hook(monkeypatch, extra=extra).control_url() == "postgresql://u@db.example/d"


def test_nothing_behind_a_nul_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = hook(monkeypatch, password="sesame\0canary", extra={"sslmode": "verify-full"})
    with pytest.raises(ConfigurationError) as caught:
        ours.control_url()
    assert "sesame" not in str(caught.value)


def test_the_environment_names_a_database_where_the_connection_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATALOADER_ENVIRONMENT", "prod")
    assert hook(monkeypatch, schema=None).control_url().endswith("/dataloader")
    monkeypatch.delenv("DATALOADER_ENVIRONMENT")
    with pytest.raises(ConfigurationError, match="names no database"):
        hook(monkeypatch, schema=None).control_url()


def test_nothing_shows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = hook(monkeypatch, password="swordfish")
    assert "swordfish" not in repr(ours.engine())
    refused = hook(monkeypatch, password="swordfish", extra={"sslmode": "disable"})
    with pytest.raises(ConfigurationError) as caught:
        refused.engine()
    assert "swordfish" not in str(caught.value)
    assert "swordfish" not in str(caught.value.__context__)
