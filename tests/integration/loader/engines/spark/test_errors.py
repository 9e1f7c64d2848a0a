"""What goes wrong at the source or at the target says so, in both modes alike, and tells no secret."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from airflow_dataloader.exceptions import (
    DataloaderError,
    SourceRefused,
    SourceUnavailable,
    ValueRefused,
)
from airflow_dataloader.sources.model import ErrorContext
from airflow_dataloader.sources.registry import dialect_of
from tests.integration.loader.engines.spark.workshop import APP, Workshop, commit

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.core.plan import ReadPlan

COLUMNS = {"id": "int"}


def fail(workshop: Workshop, plan: ReadPlan) -> DataloaderError:
    """Overwrite with a read that breaks, and make sure that nothing came of it."""
    with pytest.raises(DataloaderError) as raised:
        workshop.engine.overwrite(workshop.table(), workshop.engine.read(plan), commit(1))
    assert workshop.engine.inspect(workshop.table(), APP) is None
    return raised.value


def understood(workshop: Workshop, error: DataloaderError) -> DataloaderError:
    """What the source's own dialect makes of the engine's text."""
    known = dialect_of("postgresql").recognise(error.message, ErrorContext(endpoint=workshop.endpoint))
    assert known is not None, error.message
    return known


def test_an_error_before_the_read(workshop: Workshop) -> None:
    error = fail(workshop, replace(workshop.plan(COLUMNS, [(1,)]), relation="nowhere AS v"))
    assert isinstance(error, SourceRefused)
    known = understood(workshop, error)
    assert (known.sqlstate, "nowhere" in known.message) == ("42P01", True)


def test_an_error_in_the_middle_of_a_read(workshop: Workshop) -> None:
    text = "SELECT 1 / (5000 - n) AS id FROM generate_series(1, 10000) n"
    error = fail(workshop, workshop.query(COLUMNS, text, fetch_size=100))
    assert isinstance(error, SourceRefused)
    assert "division by zero" in understood(workshop, error).message


def test_an_unreachable_source(workshop: Workshop) -> None:
    error = fail(
        workshop, replace(workshop.plan(COLUMNS, [(1,)]), endpoint=replace(workshop.endpoint, port=1))
    )
    assert isinstance(error, SourceUnavailable)
    assert isinstance(understood(workshop, error), SourceUnavailable)


def test_a_source_that_breaks_off(workshop: Workshop, source_db: psycopg.Connection) -> None:
    suicide = "SELECT CASE WHEN n = 9000 THEN pg_terminate_backend(pg_backend_pid())::int ELSE n END AS id"
    error = fail(
        workshop, workshop.query(COLUMNS, f"{suicide} FROM generate_series(1, 10000) n", fetch_size=100)
    )
    assert isinstance(error, SourceUnavailable), error


def test_a_wrong_password_is_refused_and_not_repeated(
    workshop: Workshop, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    # Whoever else is in the process may have asked for everything.
    caplog.set_level(logging.DEBUG)
    # Another test may have told its own of a database or role: the server is one for all.
    secret = uuid4().hex
    canary = f"{secret}-#@/:%&?'\" 7f3a"
    endpoint = replace(workshop.endpoint, password=canary)
    error = fail(workshop, replace(workshop.plan(COLUMNS, [(1,)]), endpoint=endpoint))
    assert understood(workshop, error).sqlstate == "28P01"
    told, cause = str(error) + repr(error), error.__cause__
    while cause is not None:
        told, cause = told + str(cause), cause.__cause__
    out, err = capfd.readouterr()
    server_log = (workshop.home / "server.log").read_text() if (workshop.home / "server.log").exists() else ""
    assert secret not in told + caplog.text + out + err + server_log


def test_a_value_that_its_type_cannot_hold_is_refused(workshop: Workshop) -> None:
    plan = workshop.plan({"x": "decimal(5,2)"}, [("123456.78",)])
    bare = replace(plan.columns[0], select='v."x"::numeric(10,2)')
    error = fail(workshop, replace(plan, columns=(bare,)))
    assert isinstance(error, ValueRefused)


def test_a_constraint_at_the_target_is_named(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.fill(target, COLUMNS, [(1,)])
    workshop.sql("ALTER TABLE {t} ADD CONSTRAINT positive CHECK (id > 0)", t=target)
    with pytest.raises(ValueRefused, match=r"(?i)positive"):
        workshop.engine.append(target, workshop.engine.read(workshop.plan(COLUMNS, [(-1,)])), commit(2))
    assert workshop.rows(target) == [(1,)]
