"""PostgreSQL's errors: worth another try or not, with field and fix, and without the password."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    SourceRefused,
    SourceUnavailable,
    ValueRefused,
)
from airflow_dataloader.sources.model import ErrorContext
from airflow_dataloader.sources.postgresql.errors import explain, recognise
from airflow_dataloader.sources.postgresql.value_guard import raise_in_source
from tests.source_configs import endpoint

TABLE = ErrorContext(endpoint=endpoint())
QUERY = ErrorContext(endpoint=endpoint(), from_query=True)


@pytest.mark.parametrize(
    ("sqlstate", "kind", "field"),
    [
        ("28P01", SourceRefused, "db_config_value.password"),
        ("28000", SourceRefused, "db_config_value.password"),
        ("3D000", SourceRefused, "db_config_value.database"),
        ("42P01", SourceRefused, "source_table_name"),
        ("42501", SourceRefused, "source_table_name"),
        ("42703", SourceRefused, "source_table_name"),
        ("25006", SourceRefused, "source_table_name"),
        ("25P02", SourceUnavailable, None),
        ("08001", SourceUnavailable, "db_config_value.host"),
        ("08006", SourceUnavailable, None),
        ("40001", SourceUnavailable, None),
        ("53300", SourceUnavailable, None),
        ("53200", SourceUnavailable, None),
        ("55000", SourceUnavailable, None),
        ("55P03", SourceUnavailable, None),
        ("57014", SourceUnavailable, None),
        ("57P01", SourceUnavailable, None),
        ("57P03", SourceUnavailable, "db_config_value.host"),
        ("22012", SourceRefused, "source_table_name"),
    ],
)
def test_a_code_decides_class_and_field(
    sqlstate: str, kind: type[DataloaderError], field: str | None
) -> None:
    error = explain(sqlstate, "in any language", TABLE)
    assert (type(error), error.field, error.sqlstate) == (kind, field, sqlstate)
    assert error.fix
    assert "in any language" in error.message


@pytest.mark.parametrize(("context", "what"), [(TABLE, '"public"."t"'), (QUERY, "What the row reads")])
def test_a_lock_names_what_is_locked(context: ErrorContext, what: str) -> None:
    error = explain("55P03", "in any language", replace(context, relation='"public"."t"'))
    assert error.message.startswith(f"{what} is locked at the source")


@pytest.mark.parametrize("sqlstate", ["42P01", "42703", "42601", "42501", "22012"])
def test_a_query_is_named_where_the_row_has_one(sqlstate: str) -> None:
    assert explain(sqlstate, "no", QUERY).field == "query"


@pytest.mark.parametrize(
    ("message", "sqlstate", "kind"),
    [
        ('connection failed: FATAL:  password authentication failed for user "x"', "28P01", SourceRefused),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "28000", SourceRefused),
        ('FATAL:  role "x" is not permitted to log in', "28000", SourceRefused),
        ('FATAL:  database "x" does not exist', "3D000", SourceRefused),
        ("port 1 failed: Connection refused\n\tIs the server running?", "08001", SourceUnavailable),
        ("failed to resolve host 'x': [Errno -2] Name or service not known", "08001", SourceUnavailable),
        ("connection timeout expired", "08001", SourceUnavailable),
        ("FATAL:  sorry, too many clients already", "53300", SourceUnavailable),
        ("FATAL:  the database system is starting up", "57P03", SourceUnavailable),
        ("server closed the connection unexpectedly", "08006", SourceUnavailable),
        ("server does not support SSL, but SSL was required", None, ConfigurationError),
        ("SSL error: certificate verify failed", None, ConfigurationError),
    ],
)
def test_words_decide_where_no_code_comes(
    message: str, sqlstate: str | None, kind: type[DataloaderError]
) -> None:
    error = explain(None, message, TABLE)
    assert (type(error), error.sqlstate) == (kind, sqlstate)


def test_another_database_than_the_connection_s_is_a_matter_of_the_catalog() -> None:
    message = 'cross-database references are not implemented: "a.b.c"'
    error = explain("0A000", message, TABLE)
    assert (type(error), error.field) == (ConfigurationError, "source_table_catalog")
    assert explain("0A000", "something else", TABLE).field == "source_table_name"


@pytest.mark.parametrize(
    ("text", "kind", "sqlstate"),
    [
        (
            'Failed\nCaused by: org.postgresql.util.PSQLException: ERROR: relation "t" does not exist\n\tat',
            SourceRefused,
            "42P01",
        ),
        (
            "org.postgresql.util.PSQLException: Connection to 127.0.0.1:1 refused. Check that the hostname",
            SourceUnavailable,
            "08001",
        ),
        (
            "org.postgresql.util.PSQLException: ERROR: canceling statement due to user request",
            SourceUnavailable,
            "57014",
        ),
        (
            "The source said: FATAL: terminating connection due to administrator command",
            SourceUnavailable,
            "57P01",
        ),
        (
            "org.postgresql.util.PSQLException: ERROR: could not import the requested snapshot",
            SourceUnavailable,
            "55000",
        ),
        (
            "org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend.\n\tat x",
            SourceUnavailable,
            "08006",
        ),
    ],
)
def test_an_engine_s_text_is_recognised_by_the_driver_s_words(
    text: str, kind: type[DataloaderError], sqlstate: str
) -> None:
    error = recognise(text, TABLE)
    assert (type(error), error.sqlstate if error else None) == (kind, sqlstate)
    assert error is not None
    assert "\tat " not in error.message


def test_a_read_that_waited_in_vain_names_the_option_that_it_waited_by() -> None:
    text = (
        "Lost task: org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend."
        "\n\tat x\nCaused by: java.net.SocketTimeoutException: Read timed out\n\tat y"
    )
    error = recognise(text, TABLE)
    assert error is not None
    assert (type(error), error.field) == (SourceUnavailable, "connection_options.socket_timeout")
    assert "raise connection_options.socket_timeout" in (error.fix or "")
    # The words of a storage that the target is on do not speak of the source.
    assert recognise("java.net.SocketTimeoutException: Read timed out", TABLE) is None


def test_a_connection_refused_by_the_driver_s_words_is_unreachable() -> None:
    assert explain(None, "Connection to 10.0.0.1:5432 refused. Check the hostname", TABLE).sqlstate == "08001"


@pytest.mark.parametrize(
    "text",
    [
        "PSQLException: Invalid character data was found.  This is most likely caused by stored data",
        'PSQLException: ERROR: invalid byte sequence for encoding "UTF8": 0xfc\n\tat x',
    ],
)
def test_text_that_is_not_utf_8_names_the_relation(text: str) -> None:
    error = recognise(text, replace(TABLE, relation='"shop"."t"'))
    assert isinstance(error, ValueRefused)
    assert error.message.startswith('"shop"."t" holds a text that is not UTF-8')
    assert "LATIN1" in (error.fix or "")


def test_a_byte_without_a_meaning_is_recognised_through_a_driver() -> None:
    text = (
        'org.postgresql.util.PSQLException: ERROR: character with byte sequence 0x81 in encoding "WIN1252" '
        'has no equivalent in encoding "UTF8"'
    )
    error = recognise(text, replace(TABLE, relation='"shop"."t"'))
    assert isinstance(error, ValueRefused)
    assert error.message.startswith('"shop"."t" holds a text with a byte (0x81) that means no character')


def test_a_refused_value_is_recognised_first() -> None:
    text = (
        'PSQLException: ERROR: invalid input syntax: "dataloader refuses column "d": infinity (value_policy)"'
    )
    assert type(recognise(text, TABLE)) is ValueRefused
    assert type(explain("22P02", text, TABLE)) is ValueRefused


@pytest.mark.parametrize(
    "said",
    [
        'invalid input syntax for type integer: "Connection reset by peer"',
        "invalid input syntax for type json\n  Where: JSON data, line 1: deadlock detected",
        'invalid input value for enum mood: "deadlock detected"',
        'date/time field value out of range: "deadlock detected"',
        'malformed array literal: "deadlock detected"',
        'value "deadlock detected" is out of range for type integer',
        'invalid value "deadlock detected" for "YYYY"',
    ],
)
def test_a_value_that_an_error_quotes_says_nothing_of_the_source(said: str) -> None:
    error = recognise(f"The source said: PSQLException: ERROR: {said}\n\tat x", TABLE)
    assert (type(error), error.sqlstate if error else None) == (SourceRefused, None)


def test_sql_that_an_error_quotes_refuses_no_value() -> None:
    sql = f"SELECT {raise_in_source('day', 'day', 'int4')} AS c0"
    error = recognise(f"The source said: PSQLException: Unterminated string literal in SQL {sql}. ", TABLE)
    assert type(error) is SourceRefused


@pytest.mark.parametrize(
    "text",
    [
        "[DELTA_TABLE_NOT_FOUND] permission denied for nothing of the source's",
        "org.postgresql.util.PSQLException: Bad value for type BigDecimal : NaN",
    ],
)
def test_what_is_not_the_source_s_or_names_no_column_is_left_alone(text: str) -> None:
    assert recognise(text, TABLE) is None


def test_the_password_never_leaves() -> None:
    for message in ("bad canary-secret here", "PSQLException: ERROR: url with canary-secret"):
        for error in (explain(None, message, TABLE), explain("08001", message, TABLE)):
            assert "canary" not in str(error)
    found = recognise("PSQLException: ERROR: url with canary-secret", TABLE)
    assert found is not None
    assert "canary" not in str(found)


def test_a_long_text_is_cut() -> None:
    assert len(explain("42601", "x" * 10_000, TABLE).message) < 700
