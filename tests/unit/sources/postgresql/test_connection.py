"""How the two drivers are told to connect."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.postgresql.connection import jdbc, psycopg_kwargs
from tests.source_configs import endpoint


def in_url(given: Endpoint) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(jdbc(given).url.removeprefix("jdbc:")).query))


def test_the_login_travels_as_properties_and_never_in_the_url() -> None:
    options = jdbc(endpoint(user="reader", password="canary#1", database="my shop/ä?x=1"))
    assert options.url.partition("?")[0] == "jdbc:postgresql://db.example:5432/my%20shop%2F%C3%A4%3Fx%3D1"
    # Spark Connect lowers the names of properties, and the driver knows them in one spelling only.
    assert options.properties == {"user": "reader", "password": "canary#1"}
    assert "reader" not in options.url
    assert "canary" not in repr(options)


def test_a_silent_connection_ends_by_itself() -> None:
    options = in_url(endpoint())
    assert int(options["socketTimeout"]) > 0
    assert options["tcpKeepAlive"] == "true"
    assert psycopg_kwargs(endpoint())["keepalives_idle"] > 0
    # Probes are sent on a connection that waits; bytes that nobody takes have a limit of their own.
    assert psycopg_kwargs(endpoint())["tcp_user_timeout"] > 0


@pytest.mark.parametrize(
    ("seconds", "options", "waits"),
    [(600, {}, "600"), (600, {"socket_timeout": "3"}, "3"), (10**9, {}, "2147483")],
    ids=["as long as the load may take", "as the row says", "as long as the driver can"],
)
def test_a_read_waits_for_the_next_byte(seconds: int, options: dict[str, str], waits: str) -> None:
    assert in_url(endpoint(read_seconds=seconds, options=options))["socketTimeout"] == waits


def test_connections_carry_the_load_s_name_as_far_as_the_server_keeps_it() -> None:
    long = endpoint(application_name="adl-" + "x" * 100)
    assert in_url(long)["ApplicationName"] == psycopg_kwargs(long)["application_name"]
    assert len(psycopg_kwargs(long)["application_name"]) == 63


def test_both_drivers_say_settings_as_they_connect_unless_a_pooler_refuses_to_be_told() -> None:
    said = "-c lock_timeout=5000 -c row_security=off -c standard_conforming_strings=on -c xmloption=content"
    assert in_url(endpoint())["options"] == psycopg_kwargs(endpoint())["options"] == said
    some = endpoint(options={"row_security": "on"})
    assert in_url(some)["options"] == psycopg_kwargs(some)["options"] == said.replace("off", "on")
    # Blanks end a setting unless they are escaped.
    at_source = endpoint(settings={"DateStyle": "ISO, DMY", "search_path": "a, b"})
    assert in_url(at_source)["options"] == said + r" -c DateStyle=ISO,\ DMY"
    plain = endpoint(takes_settings=False)
    assert "options" not in in_url(plain)
    # Not absent: libpq would take those of PGOPTIONS.
    assert psycopg_kwargs(plain)["options"] == ""


def test_an_address_with_colons_is_bracketed_for_the_url() -> None:
    assert jdbc(endpoint(host="::1")).url.startswith("jdbc:postgresql://[::1]:5432/shop?")
    assert psycopg_kwargs(endpoint(host="::1"))["host"] == "::1"


def test_both_drivers_get_the_same_options() -> None:
    given = endpoint(
        options={"sslmode": "verify-full", "sslrootcert": "/certs/ca.pem", "connect_timeout": "7"}
    )
    assert in_url(given).items() >= {
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
