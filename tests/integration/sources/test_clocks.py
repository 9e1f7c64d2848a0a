"""Windows and the clock of those who write the cursor: rows of the future, and clocks that go back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from airflow_dataloader.core.strategy import NullCursorPolicy
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.postgresql.window import CLOCKS, freeze
from tests.integration.sources.reads import POSTGRESQL
from tests.integration.sources.windows import cursor_of, fill, window

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from airflow_dataloader.sources.dialect import CursorPlan, Frozen


class Future(NamedTuple):
    """A cursor's type, and values that its rows have, some of them of the future."""

    sql_type: str
    future: str
    #: The newest that is none.
    newest: str
    #: One that the clocks of those who write without a zone may not have shown yet.
    newer: str


FUTURES = [
    Future(
        "timestamptz", "now() + interval '1 hour'", "now() - interval '4 hours'", "now() - interval '4 hours'"
    ),
    Future(
        "timestamp", "wall + interval '5 minutes'", "wall - interval '13 hours'", "wall - interval '1 hour'"
    ),
    Future("timestamp", "wall + interval '20 hours'", "wall - interval '12 hours'", "wall"),
    Future("date", "wall + interval '1 day'", "wall - interval '2 days'", "wall - interval '2 days'"),
    Future("date", "wall + interval '3 days'", "wall - interval '9 days'", "wall - interval '9 days'"),
]


@pytest.fixture(params=FUTURES, ids=lambda param: f"{param.sql_type}, {param.future}")
def _to_the_future(source_db: psycopg.Connection, request: pytest.FixtureRequest) -> None:
    """Give ``t`` rows 0 to 3: an old one, and these from the newest on."""
    rows_of: Future = request.param
    source_db.execute("SET TimeZone = 'UTC'")
    source_db.execute(f"CREATE TABLE t (id int, at {rows_of.sql_type})")
    values = ("wall - interval '30 days'", rows_of.newest, rows_of.newer, rows_of.future)
    rows = ", ".join(
        f"({number}, CAST({value} AS {rows_of.sql_type}))" for number, value in enumerate(values)
    )
    walls = "(SELECT now() AT TIME ZONE 'UTC' AS wall) AS w"
    source_db.execute(f"INSERT INTO t SELECT v.* FROM {walls}, LATERAL (VALUES {rows}) AS v")


def cursor_in_row(session: SourceSession, number: int) -> str:
    ((value,),) = session.query(f"SELECT CAST(at AS text) FROM t WHERE id = {number}")
    return str(value)


@pytest.mark.usefixtures("_to_the_future")
def test_a_watermark_is_the_newest_cursor_that_is_none_of_the_future(session: SourceSession) -> None:
    session.open_snapshot()
    cursor = cursor_of(session, lookback="0")
    frozen = POSTGRESQL.freeze(session.query, "t", cursor, None)
    assert (frozen.ahead, frozen.behind) == (True, False)
    assert (frozen.watermark, frozen.high) == (cursor_in_row(session, 1), cursor_in_row(session, 3))
    assert window(session, cursor, None, frozen, NullCursorPolicy.EXCLUDE) == [0, 1, 2, 3], "all are read"
    again = POSTGRESQL.freeze(session.query, "t", cursor, frozen.watermark)
    assert (again.watermark, again.behind) == (frozen.watermark, False)
    assert window(session, cursor, frozen.watermark, again, NullCursorPolicy.EXCLUDE) == [1, 2, 3]


@pytest.mark.usefixtures("_to_the_future")
def test_a_row_of_the_future_does_not_hide_that_a_source_has_gone_back(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    cursor = cursor_of(session, lookback="0")
    low = POSTGRESQL.freeze(session.query, "t", cursor, None).watermark
    source_db.execute("DELETE FROM t WHERE id IN (1, 2)")
    frozen = POSTGRESQL.freeze(session.query, "t", cursor, low)
    assert (frozen.ahead, frozen.behind, frozen.watermark) == (True, True, low)
    assert frozen.newest == cursor_in_row(session, 0)


@pytest.mark.parametrize("sql_type", ["timestamptz", "timestamp", "date"])
def test_where_all_rows_are_of_the_future_there_is_no_watermark_to_go_on_from(
    source_db: psycopg.Connection, session: SourceSession, sql_type: str
) -> None:
    fill(source_db, sql_type, ["2999-01-01"])
    session.open_snapshot()
    cursor = cursor_of(session)
    frozen = POSTGRESQL.freeze(session.query, "t", cursor, None)
    assert (frozen.ahead, frozen.watermark, frozen.newest) == (True, None, frozen.high)
    assert window(session, cursor, None, frozen) == [0]
    later = POSTGRESQL.freeze(session.query, "t", cursor, "2026-01-01")
    assert (later.watermark or "").startswith("2026-01-01")
    assert not later.behind


@pytest.mark.parametrize(
    ("sql_type", "low", "beyond"),
    [
        ("timestamptz", "now() + interval '1 minute'", True),
        ("timestamptz", "now() - interval '1 second'", False),
        ("timestamp", "now() AT TIME ZONE 'UTC' + interval '1 minute'", True),
        ("date", "now() AT TIME ZONE 'UTC' + interval '3 days'", True),
        ("date", "now() AT TIME ZONE 'UTC'", False),
    ],
)
def test_a_window_that_begins_beyond_the_source_s_clock_is_one_of_the_future(
    source_db: psycopg.Connection, session: SourceSession, sql_type: str, low: str, beyond: bool
) -> None:
    source_db.execute(f"CREATE TABLE t (id int, at {sql_type})")
    session.open_snapshot()
    cursor = cursor_of(session, lookback="15 minutes")
    ((start,),) = session.query(f"SELECT CAST(CAST({low} AS {sql_type}) AS text)")
    assert POSTGRESQL.freeze(session.query, "t", cursor, start).from_future is beyond
    assert POSTGRESQL.is_from_future(session.query, cursor, start) is beyond


def test_a_number_is_never_one_of_the_future(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute("CREATE TABLE t (id int, at bigint)")
    session.open_snapshot()
    cursor = cursor_of(session)
    assert not POSTGRESQL.freeze(session.query, "t", cursor, "9000000000").from_future
    assert not POSTGRESQL.is_from_future(session.query, cursor, "9000000000")


@pytest.mark.parametrize(
    ("zone", "ahead"), [("Pacific/Kiritimati", False), ("UTC", True), ("Pacific/Honolulu", True)]
)
def test_a_wall_clock_is_that_of_the_row_s_zone(
    source_db: psycopg.Connection, session: SourceSession, zone: str, ahead: bool
) -> None:
    source_db.execute("CREATE TABLE t (id int, at timestamp)")
    source_db.execute("INSERT INTO t SELECT 1, now() AT TIME ZONE 'Pacific/Kiritimati'")
    session.open_snapshot()
    frozen = POSTGRESQL.freeze(session.query, "t", cursor_of(session, load_timezone=zone), None)
    assert frozen.ahead is ahead
    assert (frozen.watermark == frozen.high) is not ahead


@pytest.mark.parametrize(
    ("zone", "back"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, 0, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize(("sql_type", "lookback"), [("timestamp", "15 minutes"), ("timestamp", "0")])
def test_no_row_is_passed_over_when_clocks_go_back(
    source_db: psycopg.Connection,
    session: SourceSession,
    zone: str,
    back: datetime,
    sql_type: str,
    lookback: str,
) -> None:
    fill(source_db, sql_type, [])
    cursor = cursor_of(session, load_timezone=zone, lookback=lookback)
    came_to, seen, aheads, backs = None, set(), 0, 0
    for number in range(-120, 121):
        now = back + timedelta(minutes=number)
        if not number % 10:
            frozen = freeze_at(session, cursor, came_to, now)
            seen |= set(window(session, cursor, came_to, frozen))
            aheads, backs = aheads + frozen.ahead, backs + frozen.behind
            came_to = frozen.watermark
        wall = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        source_db.execute("INSERT INTO t VALUES (%s, %s)", (number + 120, wall))
    frozen = freeze_at(session, cursor, came_to, back + timedelta(minutes=121))
    seen |= set(window(session, cursor, came_to, frozen))
    assert seen == set(range(241))
    assert (aheads, backs) == (0, 0), "neither is wrong with a clock that goes back"


def freeze_at(session: SourceSession, cursor: CursorPlan, low: str | None, now: datetime) -> Frozen:
    """Freeze as if it were another time at the source."""
    return freeze(lambda sql: [(now, now)] if sql == CLOCKS else session.query(sql), "t", cursor, low)


def test_a_row_of_the_last_moment_is_none_of_the_future(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t (id int, at timestamp)")
    cursor = cursor_of(session)
    before = datetime.now(UTC)
    source_db.execute("INSERT INTO t VALUES (0, '2026-01-01'), (1, clock_timestamp() AT TIME ZONE 'UTC')")
    # The snapshot was taken a moment after its transaction began.
    after = datetime.now(UTC) + timedelta(seconds=1)
    frozen = freeze(lambda sql: [(before, after)] if sql == CLOCKS else session.query(sql), "t", cursor, None)
    assert not frozen.ahead
    assert frozen.newest != frozen.high, "the clock may show it once more"
    assert (frozen.newest, frozen.watermark) == ("2026-01-01 00:00:00", "2026-01-01 00:00:00")


def test_a_zone_that_is_none_is_refused(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute("CREATE TABLE t (id int, at timestamp)")
    with pytest.raises(ConfigurationError, match="'Nowhere/At_All'"):
        cursor_of(session, load_timezone="Nowhere/At_All")
