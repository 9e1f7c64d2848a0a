"""``dataloader doctor`` looks at everything, also after something that is missing."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from airflow_dataloader.cli import doctor
from airflow_dataloader.cli.main import run
from airflow_dataloader.loader.engines.spark import java
from tests.integration.cli.conftest import Command


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what was found, by what was looked at."""
    out = capsys.readouterr().out
    return {line[6:].partition(":")[0]: line[:4].strip() for line in out.splitlines()}


def test_all_is_well(
    control_url: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", control_url)
    monkeypatch.setenv("DATALOADER_HOME", str(home))
    assert run(["doctor"]) == 0
    checked = ("Python", "Spark", "Java", "jars", "control database")
    assert lines(capsys) == dict.fromkeys(checked, "ok")


def test_what_is_missing_is_named_with_its_fix(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", "postgresql://ann:s3cret@127.0.0.1:1/dataloader")
    monkeypatch.setenv("DATALOADER_HOME", str(tmp_path))
    monkeypatch.setenv("DATALOADER_IVY_SETTINGS", str(tmp_path / "nothing.xml"))
    # A source on the same machine hides nothing of where the control database is.
    monkeypatch.setenv("DATALOADER_SECRET_DEMO_SHOP_HOST", "127.0.0.1")
    assert run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  jars: DATALOADER_IVY_SETTINGS is" in out
    assert "FAIL  control database: The control database dataloader at 127.0.0.1:1 cannot be reached" in out
    assert out.count("Fix: ") == 2
    assert out.count("ok ") == 3
    assert "s3cret" not in out


@pytest.mark.parametrize("home", ["/proc/nope", "~nouserx/y"])
def test_a_home_that_cannot_be_used_keeps_nothing_else_from_being_looked_at(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", "postgresql://127.0.0.1:1/dataloader")
    monkeypatch.setenv("DATALOADER_HOME", home)
    assert run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert re.search(rf"FAIL  jars: .*{re.escape(home)}.* Fix: set ", out)
    assert "FAIL  control database: " in out


def test_a_control_database_that_no_load_can_work_with_is_named(
    control_url: str,
    control: Engine,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    role = f"reader_{uuid4().hex}"
    monkeypatch.setenv("DATALOADER_HOME", str(home))
    monkeypatch.setenv("DATALOADER_CONTROL_URL", f"{control_url}?options=-crole%3D{role}")
    with control.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA control TO {role}")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA control TO {role}")
    try:
        assert run(["doctor"]) == 1
        lacks = "FAIL  control database: the role of the URL lacks UPDATE on control.table_control, "
        assert lacks in capsys.readouterr().out
        assert run(["db", "status"]) == 5
        assert "may not load: it lacks UPDATE on control.table_control, " in capsys.readouterr().out
    finally:
        with control.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
            connection.exec_driver_sql("DELETE FROM control.installation")
    monkeypatch.setenv("DATALOADER_CONTROL_URL", control_url)
    assert run(["doctor"]) == 1
    assert re.search("FAIL  control database: .*control.installation is empty", capsys.readouterr().out)
    assert run(["db", "status"]) == 5
    assert "control.installation is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("remote", "said"),
    [
        ("sc://127.0.0.1:1", "The Spark server did not answer .*refused.* Fix: see that the server runs"),
        ("sc://127.0.0.1:1;token=c4nary", "SPARK_REMOTE cannot be read. Fix: write sc://host"),
    ],
)
def test_a_spark_server_that_is_not_there_is_no_success(
    remote: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_HOME", str(home))
    monkeypatch.setenv("SPARK_REMOTE", remote)
    assert run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert re.search(f"FAIL  Spark: {said}", out)
    assert "c4nary" not in out


def test_another_s_spark_needs_neither_java_nor_jars_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATALOADER_IVY_SETTINGS", str(tmp_path / "nothing.xml"))
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1:1")
    monkeypatch.setattr(java, "_carried_runtime", lambda: None)
    monkeypatch.setattr(doctor, "java_home", partial(java.java_home, {"PATH": str(tmp_path)}, machine=()))
    run(["doctor"])
    out = capsys.readouterr().out
    for name in ("Java", "jars"):
        assert f"ok    {name}: not needed, Spark is the server of SPARK_REMOTE\n" in out
    assert not (tmp_path / "home").exists(), "something was fetched"
    monkeypatch.delenv("SPARK_REMOTE")
    run(["doctor"])
    out = capsys.readouterr().out
    assert "FAIL  Java: Spark needs Java 17 or 21: found none. Fix: install OpenJDK" in out
    assert "FAIL  jars: DATALOADER_IVY_SETTINGS is" in out


def test_the_spark_server_is_asked(dataloader: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = dataloader("doctor")
    assert (code, re.search("ok    Spark: .*the server of SPARK_REMOTE answers", out) is not None) == (
        0,
        True,
    )
    monkeypatch.setenv("SPARK_REMOTE", f"{os.environ['SPARK_REMOTE']}x")
    code, out, _ = dataloader("doctor")
    assert code == 1
    assert "FAIL  Spark: The Spark server did not answer AnalyzePlan: UNAUTHENTICATED" in out
    code, _, error = dataloader("maintain", "--local")
    assert code == 1
    assert "Error: The Spark server of SPARK_REMOTE refuses the login: " in error
    assert "Fix: correct the token in SPARK_REMOTE." in error
