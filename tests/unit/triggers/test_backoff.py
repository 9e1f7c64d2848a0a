from __future__ import annotations

from airflow_dataloader.triggers.backoff import LONGEST, backoff, worth_a_line


def test_waits_grow_to_a_few_seconds_and_no_further() -> None:
    waits = [backoff(failures) for failures in range(1, 2_000)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.5, LONGEST)


def test_a_long_outage_fills_no_log() -> None:
    assert [failures for failures in range(1, 100) if worth_a_line(failures)] == [1, 2, 4, 8, 16, 32, 64]
