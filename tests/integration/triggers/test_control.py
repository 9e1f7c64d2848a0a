"""The control database as triggers ask it."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, DataloaderError
from airflow_dataloader.triggers import control as pool
from airflow_dataloader.triggers.control import ask
from tests.airflow_db import Connections
from tests.faults.proxy import Fault, Plan, proxied


def database(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT current_database()")).scalar_one())


def refuse(engine: Engine) -> str:
    raise ControlUnavailable("gone")


def test_many_questions_share_a_few_connections(
    control_url: str, connections: Connections, airflow_db: str
) -> None:
    connections.control(control_url, "shared")

    async def all_of_them() -> set[str]:
        return set(await asyncio.gather(*(ask("shared", database) for _ in range(50))))

    assert asyncio.run(all_of_them()) == {control_url.rsplit("/", 1)[1]}


def test_questions_that_nobody_answers_do_not_keep_the_threads(
    control_url: str, connections: Connections, airflow_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "create_engine", partial(create_engine, answer_seconds=1.0))
    with proxied(control_url) as (proxy, url):
        connections.control(url, "far")

        async def more_than_threads() -> list[str | BaseException]:
            asked = (ask("far", database) for _ in range(6))
            return await asyncio.gather(*asked, return_exceptions=True)

        proxy.plan = Plan(fault=Fault.STALL, asked=b"current_database")
        unanswered = asyncio.run(more_than_threads())
        assert all("no answer for 1 s" in str(error) for error in unanswered), unanswered
        proxy.plan = Plan()
        assert asyncio.run(more_than_threads()) == [control_url.rsplit("/", 1)[1]] * 6


def test_after_an_error_the_connection_is_looked_up_again(
    control_url: str, connections: Connections, airflow_db: str
) -> None:
    connections.control("postgresql://nobody@127.0.0.1:9/nothing", "moved")
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        asyncio.run(ask("moved", database))
    connections.control(control_url, "moved")
    assert asyncio.run(ask("moved", database)) == control_url.rsplit("/", 1)[1]
    with pytest.raises(ControlUnavailable):
        asyncio.run(ask("moved", refuse))
    assert asyncio.run(ask("moved", database)) == control_url.rsplit("/", 1)[1]


def test_a_connection_that_cannot_be_used_names_itself(connections: Connections, airflow_db: str) -> None:
    connections.define(
        "plain", conn_type="postgres", host="db.example", schema="d", extra={"sslmode": "allow"}
    )
    with pytest.raises(ConfigurationError, match="Airflow connection plain") as caught:
        asyncio.run(ask("plain", database))
    assert isinstance(caught.value, DataloaderError)
