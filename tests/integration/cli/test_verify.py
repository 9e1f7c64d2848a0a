"""``dataloader verify --local`` as a command: what it compares, what it says, how it ends."""

from __future__ import annotations

from functools import partial

import pytest

from airflow_dataloader.loader.tasks.verify import main as task
from tests.bench import Bench
from tests.integration.cli.conftest import Command


@pytest.fixture
def verify(dataloader: Command) -> Command:
    """The command."""
    return partial(dataloader, "verify")


def test_equal_and_different_rows(bench: Bench, verify: Command, capsys: pytest.CaptureFixture[str]) -> None:
    bench.source.execute(
        "CREATE TABLE orders AS SELECT n AS id, 'hidden value' AS v FROM generate_series(1, 3) n"
    )
    bench.source.execute("CREATE TABLE other AS SELECT 1 AS id")
    orders, other = bench.row("orders", primary_key_cols="id"), bench.row("other")
    bench.succeed(orders)
    code, out, _ = verify("--local", "public.orders")
    assert code == 0
    (line,) = (
        line for line in out.splitlines() if "equal" in line and "config_id" in line and ":" not in line
    )
    assert line.split()[-5:] == ["equal", "3", "3", "0", "0"]
    bench.source.execute("UPDATE orders SET v = 'another hidden value' WHERE id = 2")
    code, out, _ = verify("--local", "-s", "source:shop")
    assert code == 1
    assert f"config_id {orders} (public.orders → bronze.{bench.schema}.orders):\n" in out
    assert "all rows: 1 different\n  id = 2: different in v\n" in out
    assert f"Target bronze.{bench.schema}.other of config_id {other} " in out
    assert "hidden" not in out
    assert (bench.state(other).last_status, bench.history(other)) == (None, [])
    # The same from a cluster.
    assert task([str(orders)]) == 1
    assert f"{orders} (public.orders → bronze.{bench.schema}.orders): different\n" in capsys.readouterr().out
    bench.source.execute("UPDATE orders SET v = 'hidden value'")
    assert task([str(orders)]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a TABLE, or select rows by -s"),
        (("-s", "name:x"), "add --local"),
        (("x",), "add --local"),
        (("--local", "x "), "No active row matches name:x."),
        (("--local", "there", "not_there"), "No active row matches name:not_there."),
        (("--local", "there", "-s", "source:crm"), "No active row matches name:there source:crm."),
        (("--local", ""), "it has no value"),
        (("--local", "-s", "colour:red"), "name, source, status, tag"),
        (("--local", "-s", "name:nothing"), "No active row matches name:nothing."),
    ],
)
def test_what_is_no_selection_is_a_usage_error(
    bench: Bench, verify: Command, words: tuple[str, ...], said: str
) -> None:
    bench.row("there")
    code, out, error = verify(*words)
    assert (code, out) == (2, "")
    assert said in error


def test_tables_by_their_names_each_of_them_once(bench: Bench, verify: Command) -> None:
    bench.source.execute("CREATE TABLE a AS SELECT 1 AS id")
    bench.source.execute("CREATE TABLE b AS SELECT 2 AS id")
    bench.source.execute("CREATE TABLE c AS SELECT 3 AS id")
    for table in "abc":
        bench.succeed(bench.row(table))
    code, out, _ = verify("--local", "public.b", f"{bench.schema}.a", "b", "-s", "source:shop")
    assert code == 0
    assert "2 rows compared" in out
    assert f"public.a → bronze.{bench.schema}.a" in out
    assert f"public.b → bronze.{bench.schema}.b" in out
    assert "public.c" not in out


def test_a_control_database_without_schema(
    bench: Bench, verify: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", bench.server.url(bench.source.info.dbname))
    code, _, error = verify("--local", "-s", "name:orders")
    assert code == 5
    assert "dataloader db migrate" in error
