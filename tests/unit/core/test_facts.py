"""What travels with a commit, and the form in which it is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.facts import Bounds, Facts

TEXTS = st.none() | st.text()
NUMBERS = st.none() | st.integers()
FACTS = st.builds(
    Facts,
    content_hash=TEXTS,
    watermark_hash=TEXTS,
    strategy=TEXTS,
    spellings=st.dictionaries(st.text(), st.text()),
    window=st.none() | st.builds(Bounds, low=TEXTS, high=TEXTS, watermark=TEXTS),
    day_column=TEXTS,
    seen_until=TEXTS,
    shown_until=TEXTS,
    read_version=st.none() | st.tuples(st.integers(), st.text()),
    delete_scan=st.booleans(),
    watermark_void=st.booleans(),
    backfill=NUMBERS,
    planned=TEXTS,
    chunk=NUMBERS,
    final=st.booleans(),
    table_created=st.none() | st.booleans(),
    closed_by=NUMBERS,
)

#: What tables' histories hold.
STORED = [
    ("{}", Facts()),
    ('{"values_replaced":true}', Facts(values_replaced=True)),
    ('{"table_created":false}', Facts(table_created=False)),
    ('{"closed_by":41}', Facts(closed_by=41)),
    ('{"high":null,"low":null,"watermark":null}', Facts(window=Bounds())),
    ('{"high":"b","low":"a","watermark":"c"}', Facts(window=Bounds(low="a", high="b", watermark="c"))),
    (
        '{"day_column":"at","read_version":[-1,""],"seen_until":"a","shown_until":"b"}',
        Facts(day_column="at", seen_until="a", shown_until="b", read_version=(-1, "")),
    ),
    ('{"delete_scan":true,"watermark_void":true}', Facts(delete_scan=True, watermark_void=True)),
    ('{"backfill":5,"chunk":1,"planned":"t"}', Facts(backfill=5, planned="t", chunk=1)),
    (
        '{"backfill":5,"final":true,"high":"9","low":null,"planned":"t","watermark":"8"}',
        Facts(backfill=5, planned="t", final=True, window=Bounds(high="9", watermark="8")),
    ),
    (
        '{"content_hash":"c","spellings":{"code":"character(3)"},"strategy":"full","watermark_hash":"w"}',
        Facts(content_hash="c", watermark_hash="w", strategy="full", spellings={"code": "character(3)"}),
    ),
]


@pytest.mark.parametrize(("text", "facts"), STORED)
def test_the_stored_form_never_changes(text: str, facts: Facts) -> None:
    assert json.dumps(facts.to_json(), sort_keys=True, separators=(",", ":")) == text
    assert Facts.from_json(json.loads(text)) == facts


@given(FACTS)
def test_facts_come_back(facts: Facts) -> None:
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize("name", ["of a later version", "window", "self"])
def test_a_name_that_this_version_does_not_know_is_read_over(name: str) -> None:
    assert Facts.from_json({name: {"low": 1}, "chunk": 2}) == Facts(chunk=2)


@pytest.mark.parametrize(
    "stored", [{"read_version": 5}, {"read_version": ["x", ""]}, {"read_version": [1]}, {"spellings": 5}]
)
def test_malformed_facts_are_refused(stored: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Facts.from_json(stored)
