"""What a load proves about itself."""

from __future__ import annotations

import json

from airflow_dataloader.core.receipt import Receipt


def test_rows_published_are_inserted_and_updated() -> None:
    assert Receipt().rows_published == 0
    assert Receipt(rows_inserted=3).rows_published == 3
    assert Receipt(rows_inserted=3, rows_updated=4, rows_deleted=9, rows_read=50).rows_published == 7


def test_zero_is_counted_and_none_is_not() -> None:
    receipt = Receipt(rows_read=0, null_keys=0, low="", seconds={}, notes=())
    assert receipt.as_json() == {"rows_read": 0, "null_keys": 0, "low": ""}


def test_the_record_is_plain_json() -> None:
    body = Receipt(
        rows_read=2, columns={"id": "bigint"}, seconds={"read": 0.25}, notes=("left out",), fence_version=0
    ).as_json()
    assert json.loads(json.dumps(body)) == body | {"notes": ["left out"]}
    assert body["fence_version"] == 0
