"""What a reading connection runs first; its effect is tested on a real server."""

from __future__ import annotations

from airflow_dataloader.sources.postgresql.transaction import session_init


def test_the_snapshot_comes_before_anything_that_would_take_one() -> None:
    statements = session_init("00000003-0000001B-1").split("; ")
    assert statements[0].startswith("SAVEPOINT")
    assert statements.index("SET TRANSACTION SNAPSHOT '00000003-0000001B-1'") < min(
        number for number, text in enumerate(statements) if text.startswith("SELECT")
    )


def test_without_a_snapshot_the_connection_has_one_of_its_own() -> None:
    text = session_init(None)
    assert "SNAPSHOT '" not in text
    assert "REPEATABLE READ, READ ONLY" in text


def test_a_limit_to_statements_is_in_milliseconds() -> None:
    assert "statement_timeout = 90000;" in session_init(None, statement_seconds=90)
    assert "statement_timeout = 0;" in session_init(None)


def test_tables_of_other_servers_are_locked_within_a_limit_of_their_own() -> None:
    statements = session_init("x", remote=['a."B"', "a.c"], statement_seconds=90).split("; ")
    assert statements[-4:] == [
        "SET LOCAL statement_timeout = 20000",
        'SELECT FROM ONLY a."B" LIMIT 0',
        "SELECT FROM ONLY a.c LIMIT 0",
        "SET LOCAL statement_timeout = 90000",
    ]
    assert statements[:-4] == session_init("x", statement_seconds=90).split("; ")


def test_no_setting_outlives_the_transaction() -> None:
    settings = [text for text in session_init("x").split("; ") if text.startswith("SET ")]
    assert all(text.startswith(("SET LOCAL ", "SET TRANSACTION ")) for text in settings)
