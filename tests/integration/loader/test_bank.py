"""The bank: money moves between accounts while they are read in parts, and every load has the same sum."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from random import Random

import psycopg
import pytest

from tests.bench import Bench

ACCOUNTS, EACH = 20_000, 100
TELLERS = 3

#: How the accounts are read in parts: the relation, and the row's columns.
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "row addresses": ("accounts", {}),
    "ranges of the key": ("account_list", {"partition_column": "id"}),
    "hashes of a text": ("account_list", {"partition_column": "iban"}),
}


class Bank:
    """Tellers that move money, each transfer a transaction of two statements."""

    def __init__(self, bench: Bench) -> None:
        self._dsn = bench.server.url(bench.source.info.dbname)
        self._closing = threading.Event()
        self.transfers = [0] * TELLERS

    @contextmanager
    def open(self) -> Iterator[Bank]:
        """Move money until the block ends."""
        tellers = [threading.Thread(target=self._work, args=(number,)) for number in range(TELLERS)]
        for teller in tellers:
            teller.start()
        try:
            yield self
        finally:
            self._closing.set()
            for teller in tellers:
                teller.join()

    def _work(self, number: int) -> None:
        random = Random(number)
        with psycopg.connect(self._dsn) as connection:
            for done in count(1):
                if self._closing.is_set():
                    return
                # In one order, or two tellers could wait for each other.
                first, second = sorted(random.sample(range(1, ACCOUNTS + 1), 2))
                amount = random.randint(-50, 50)
                for account, change in ((first, amount), (second, -amount)):
                    connection.execute(
                        "UPDATE accounts SET money = money + %s WHERE id = %s", (change, account)
                    )
                connection.commit()
                self.transfers[number] = done


@pytest.mark.parametrize("way", list(WAYS))
def test_no_transfer_is_seen_by_half(bench: Bench, way: str) -> None:
    relation, values = WAYS[way]
    bench.source.execute(f"""
        CREATE TABLE accounts AS
        SELECT n AS id, 'DE' || md5(n::text) AS iban, {EACH} AS money
        FROM generate_series(1, {ACCOUNTS}) AS n;
        ALTER TABLE accounts ADD PRIMARY KEY (id);
        CREATE VIEW account_list AS SELECT * FROM accounts;
    """)
    row = bench.row(relation, num_partitions=4, **values)
    with Bank(bench).open() as bank:
        for _ in range(2):
            before = sum(bank.transfers)
            receipt = bench.succeed(row).receipt
            assert sum(bank.transfers) > before, "the bank was open meanwhile"
            assert (receipt.partitions, receipt.snapshot, receipt.rows_read) == (4, "exported", ACCOUNTS)
            found = bench.engine.rows(bench.target(relation), ["id", "money"])
            assert sorted(account for account, _ in found) == list(range(1, ACCOUNTS + 1))
            assert sum(money for _, money in found) == ACCOUNTS * EACH
    assert len({money for _, money in found}) > 1
