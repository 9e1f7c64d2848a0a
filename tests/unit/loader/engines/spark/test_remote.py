"""The address of a Spark Connect server: refused before it is used, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError, EngineFailed
from airflow_dataloader.loader.engines.spark.remote import check_remote, remote_secrets, unusable
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine


@pytest.mark.parametrize(
    "remote",
    [
        "",
        "sc://spark.example",
        "sc://spark.example:15002",
        "sc://[::1]:15002/",
        "sc://10.0.0.1:15002/;token=abc%3D;user_id=x;use_ssl=true",
        "sc://localhost:1/;x-team=a;session_id=0c5e6a5a-5a8e-4a32-9c62-000000000000",
    ],
)
def test_what_spark_understands_is_taken(remote: str) -> None:
    check_remote({"SPARK_REMOTE": remote})


@pytest.mark.parametrize(
    "remote",
    [
        # The slash is forgotten.
        "sc://h:15002;token=canary",
        # In a parameter these have to be written as %3D, %2F, %3F and %23.
        "sc://h:15002/;token=canary=",
        "sc://h:15002/;token=can/ary",
        "sc://h:15002/;token=canary?x",
        "sc://h:15002/;token=canary#x",
        "sc://h:15002/;canary",
        "sc://h:15002/;X-Key=canary",
        "sc://h:15002/;token=canary\udcff",
        "sc://h:15002/canary",
        "sc://canary@h:15002",
        "sc://h:canary",
        "sc://h:99999/;token=canary",
        "sc:///;token=canary",
        "http://h/;token=canary",
        "local[canary]",
    ],
)
def test_anything_else_is_refused_and_not_quoted(remote: str) -> None:
    with pytest.raises(ConfigurationError, match="SPARK_REMOTE") as caught:
        check_remote({"SPARK_REMOTE": remote})
    assert caught.value.field == "SPARK_REMOTE"
    assert "canary" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
    assert check_remote({"SPARK_REMOTE": remote, "DATABRICKS_RUNTIME_VERSION": "18.0"}) is None


@pytest.mark.parametrize(
    ("remote", "found"),
    [
        ("", set()),
        ("sc://h:1/;user_id=ann;use_ssl=true;session_id=x", set()),
        ("sc://h:1/;token=a%3Db;x-key=c", {"a%3Db", "a=b", "c"}),
        ("sc://h:1;token=ab=", {"ab="}),
        ("sc://h:1/token=ab", {"ab"}),
    ],
)
def test_what_its_parameters_hold_is_secret(remote: str, found: set[str]) -> None:
    assert remote_secrets({"SPARK_REMOTE": remote}) == found


def test_a_server_that_is_not_there_is_the_address_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_dataloader.loader.engines.spark import connect

    monkeypatch.setattr(connect, "_RETRIES", 0)
    with pytest.raises(EngineFailed, match=r"of SPARK_REMOTE does not answer: .*refused") as caught:
        open_engine(EngineSettings(home=Path("/h"), remote="sc://127.0.0.1:1/;token=canary"))
    assert "host and port in SPARK_REMOTE" in str(caught.value)


@pytest.mark.parametrize("said", ["the token canary is unknown", ""])
def test_a_login_that_the_server_refuses_is_named_without_it(said: str) -> None:
    told = f'<_Inactive\n\tstatus = StatusCode.UNAUTHENTICATED\n\tdetails = "{said}"\n\tdebug = "canary"\n>'
    error = unusable("sc://h/;token=canary", RuntimeError(told))
    assert isinstance(error, ConfigurationError)
    assert "refuses the login" in str(error)
    assert "canary" not in str(error)


def test_what_the_client_could_not_send_is_not_quoted() -> None:
    error = unusable("sc://h/;x-key=canary%0A", ValueError("metadata was invalid: [('x-key', 'canary\\n')]"))
    assert (type(error), error.field) == (ConfigurationError, "SPARK_REMOTE")
    assert "canary" not in str(error)
