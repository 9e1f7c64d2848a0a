"""How the two drivers are told to connect."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.postgresql.connection import jdbc, psycopg_kwargs
from tests.source_configs import endpoint


def test_login_and_options_are_properties_and_never_in_the_url() -> None:
    options = jdbc(endpoint(user="reader", password="canary#1", database="my shop/ä?x=1"))
    assert options.url == "jdbc:postgresql://db.example:5432/my%20shop%2F%C3%A4%3Fx%3D1"
    assert (options.properties["user"], options.properties["password"]) == ("reader", "canary#1")
    assert "canary" not in repr(options)


def test_a_silent_connection_ends_by_itself() -> None:
    properties = jdbc(endpoint()).properties
    assert int(properties["socketTimeout"]) > 0
    assert properties["tcpKeepAlive"] == "true"
    assert psycopg_kwargs(endpoint())["keepalives_idle"] > 0


def test_connections_carry_the_load_s_name_as_far_as_the_server_keeps_it() -> None:
    long = endpoint(application_name="adl-" + "x" * 100)
    assert jdbc(long).properties["ApplicationName"] == psycopg_kwargs(long)["application_name"]
    assert len(psycopg_kwargs(long)["application_name"]) == 63


def test_an_address_with_colons_is_bracketed_for_the_url() -> None:
    assert jdbc(endpoint(host="::1")).url == "jdbc:postgresql://[::1]:5432/shop"
    assert psycopg_kwargs(endpoint(host="::1"))["host"] == "::1"


def test_both_drivers_get_the_same_options() -> None:
    given = endpoint(
        options={"sslmode": "verify-full", "sslrootcert": "/certs/ca.pem", "connect_timeout": "7"}
    )
    assert jdbc(given).properties.items() >= {
        ("sslmode", "verify-full"),
        ("sslrootcert", "/certs/ca.pem"),
        ("connectTimeout", "7"),
        ("loginTimeout", "7"),
    }
    assert psycopg_kwargs(given).items() >= {
        ("sslmode", "verify-full"),
        ("sslrootcert", "/certs/ca.pem"),
        ("connect_timeout", "7"),
    }


@pytest.mark.parametrize("connect", [jdbc, psycopg_kwargs])
@pytest.mark.parametrize(
    "name", ["socketFactory", "socketFactoryArg", "loggerFile", "options", "sslpassword", "service", "user"]
)
def test_any_other_option_is_refused_by_name(connect: object, name: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        connect(endpoint(options={name: "x"}))  # type: ignore[operator]
    assert refusal.value.field == f"connection_options.{name}"
    assert "sslmode" in (refusal.value.fix or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("sslmode", "maybe"), ("sslrootcert", "ca.pem"), ("connect_timeout", "0"), ("socket_timeout", "soon")],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        jdbc(endpoint(options={name: value}))
    assert refusal.value.field == f"connection_options.{name}"


@pytest.mark.parametrize(
    "host", ["db/x", "db?socketFactory=evil", "a b", "", "db:5432/x", "http://db", "db\n", "/var/run", "a,b"]
)
def test_a_host_that_is_more_than_a_host_is_refused_without_being_shown(host: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        jdbc(endpoint(host=host))
    assert refusal.value.field == "db_config_value.host"
