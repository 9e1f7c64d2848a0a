"""Spark's settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_dataloader.loader.engines.spark.confs import local_confs, session_confs


class Conf:
    """A session's settings."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def set(self, name: str, value: str) -> None:
        self.values[name] = value

    def unset(self, name: str) -> None:
        self.values.pop(name, None)


class Session:
    def __init__(self) -> None:
        self.conf = Conf()


def test_a_jvm_of_ours_lives_in_utc_on_one_machine() -> None:
    confs = local_confs([Path("/a.jar"), Path("/b.jar")], cores=3, memory="1g")
    assert confs["spark.master"] == "local[3]"
    assert confs["spark.driver.memory"] == "1g"
    assert "-Duser.timezone=UTC" in confs["spark.driver.extraJavaOptions"]
    assert confs["spark.sql.session.timeZone"] == "UTC"
    assert confs["spark.driver.extraClassPath"] == "/a.jar:/b.jar"


def test_settings_of_one_statement_are_gone_after_it() -> None:
    session = Session()
    with session_confs(session, {"a": "1"}):  # type: ignore[arg-type]
        assert session.conf.values == {"a": "1"}
    assert not session.conf.values


def test_settings_of_one_statement_are_gone_when_it_fails() -> None:
    session = Session()
    with pytest.raises(RuntimeError), _failing(session):
        pass
    assert not session.conf.values


@contextmanager
def _failing(session: Session) -> Iterator[None]:
    with session_confs(session, {"a": "1", "b": "2"}):  # type: ignore[arg-type]
        raise RuntimeError("the statement")
    yield
