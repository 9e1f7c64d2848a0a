"""From what Spark, Delta and drivers say to our own errors. The texts are what both modes really gave."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    EngineFailed,
    SchemaRefused,
    SourceRefused,
    SourceUnavailable,
    ValueRefused,
)
from airflow_dataloader.loader.engines.spark import errors

STACK = "\n\tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2736)"

READ_CLASSIC = (
    "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 1 times, "
    f"most recent failure: Lost task 0.0: org.postgresql.util.PSQLException: ERROR: division by zero{STACK}"
    "\n\nDriver stacktrace:\nCaused by: org.postgresql.util.PSQLException: ERROR: division by zero"
)
REFUSED_CONNECT = (
    "(org.postgresql.util.PSQLException) Connection to 127.0.0.1:1 refused. Check that the hostname and port "
    "are correct and that the postmaster is accepting TCP/IP connections.\n\n"
    f"JVM stacktrace:\norg.postgresql.util.PSQLException{STACK}"
)
SCHEMA_CONNECT = (
    "[JDBC_EXTERNAL_ENGINE_SYNTAX_ERROR.DURING_OUTPUT_SCHEMA_RESOLUTION] JDBC external engine syntax error. "
    "The error was caused by the query SELECT 1. error message: "
    'ERROR: relation "nope" does not exist\n  Position: 231. '
    f"The error occurred during output schema resolution. SQLSTATE: 42000{STACK}"
)
CONFLICT = "(io.delta.exceptions.ConcurrentTransactionException) [DELTA_CONCURRENT_TRANSACTION] This error"


class Raised(Exception):
    """Stands where pyspark's exceptions stand: text, condition, SQLSTATE."""

    def __init__(self, text: str, condition: str | None = None, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self._condition, self._sqlstate = condition, sqlstate

    def getCondition(self) -> str | None:
        return self._condition

    def getSqlState(self) -> str | None:
        return self._sqlstate


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (READ_CLASSIC, SourceRefused, "PSQLException: ERROR: division by zero"),
        (REFUSED_CONNECT, SourceUnavailable, "PSQLException: Connection to 127.0.0.1:1 refused"),
        ("java.sql.SQLRecoverableException: ORA-17002: I/O error: reset", SourceUnavailable, "ORA-17002"),
        (
            "com.microsoft.sqlserver.jdbc.SQLServerException: Invalid object name 'x'.",
            SourceRefused,
            "Invalid object",
        ),
    ],
)
def test_a_driver_is_quoted_without_its_stack(text: str, kind: type[DataloaderError], said: str) -> None:
    error = errors.translate(Raised(text), "reading")
    assert type(error) is kind
    assert said in error.message
    assert "\tat " not in error.message
    assert "stacktrace" not in error.message


def test_of_what_broke_a_driver_s_connection_it_is_kept_that_it_was_silent() -> None:
    said = "(org.postgresql.util.PSQLException) An I/O error occurred while sending to the backend."
    text = f"{said}\n\tat x\nCaused by: java.net.SocketTimeoutException: Read timed out\n\tat y"
    assert errors.translate(Raised(text), "reading").message.endswith("\nCaused by: Read timed out")
    assert errors.translate(Raised(said), "reading").message.endswith("backend.")


def test_spark_s_own_words_for_a_driver_s_error_keep_its_sqlstate() -> None:
    error = errors.translate(Raised(SCHEMA_CONNECT, "JDBC_EXTERNAL_ENGINE_SYNTAX_ERROR", "42000"), "reading")
    assert type(error) is SourceRefused
    assert error.sqlstate == "42000"
    assert 'ERROR: relation "nope" does not exist' in error.message


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("DELTA_FAILED_TO_MERGE_FIELDS", SchemaRefused),
        ("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", ValueRefused),
        ("DELTA_MISSING_NOT_NULL_COLUMN_VALUE", SchemaRefused),
        ("DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE", SchemaRefused),
        ("DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT_NOT_SUPPORTED", SchemaRefused),
        ("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", ValueRefused),
        ("CAST_INVALID_INPUT", ValueRefused),
        ("INSUFFICIENT_PERMISSIONS", ConfigurationError),
        ("DELTA_LOG_FILE_MALFORMED", EngineFailed),
    ],
)
def test_conditions_say_what_kind_of_failure_it_is(condition: str, kind: type[DataloaderError]) -> None:
    error = errors.translate(Raised(f"[{condition}] something", condition, "22000"), "writing x")
    assert type(error) is kind
    assert "writing x" in error.message


def test_a_condition_is_read_from_the_text_where_the_accessor_fails() -> None:
    class Broken(Exception):
        def getCondition(self) -> str:
            raise RuntimeError("Cannot find main error class")

    assert errors.report(Broken(CONFLICT)).has(errors.TRANSACTION_CONFLICT)
    assert errors.is_absent(errors.report(Broken("[PATH_NOT_FOUND] Path does not exist")))


def test_whatever_lands_meanwhile_is_a_conflict() -> None:
    assert errors.is_conflict(Raised(CONFLICT))
    assert errors.is_conflict(Raised("[DELTA_CONCURRENT_APPEND] Files were added"))
    assert errors.is_conflict(Raised("[DELTA_METADATA_CHANGED] The metadata was changed"))
    assert not errors.is_conflict(Raised("[DELTA_MISSING_DELTA_TABLE] no"))


def test_only_a_lost_connection_to_the_engine_leaves_a_write_unknown() -> None:
    lost = Raised(
        "<_MultiThreadedRendezvous of RPC: status = StatusCode.UNAVAILABLE details = failed to connect>"
    )
    source = Raised(REFUSED_CONNECT)
    assert errors.is_lost(errors.report(lost), lost)
    assert not errors.is_lost(errors.report(source), source)


@pytest.mark.parametrize("name", ["", "(org.apache.spark.SparkSQLException) "])
def test_an_interrupted_statement_is_named(name: str) -> None:
    text = f"{name}[OPERATION_CANCELED] Operation was canceled. SQLSTATE: HY008"
    error = errors.translate(Raised(text, "OPERATION_CANCELED", "HY008"), "x")
    assert type(error) is EngineFailed
    assert "interrupted" in error.message
