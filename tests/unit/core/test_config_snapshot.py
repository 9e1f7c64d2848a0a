"""Reading loose values of a control table."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.config_snapshot import split_columns
from tests.unit.core.snapshots import snapshot


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("TRUE ", True),
        ("1", True),
        ("yes", True),
        ("false", False),
        ("", False),
        ("0", False),
    ],
)
def test_load_full_is_text_in_the_documents(text: str, expected: bool) -> None:
    assert LoadConfig.from_snapshot(snapshot(load_full=text)).load_full is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ()),
        ("  ", ()),
        ("id", ("id",)),
        ("a , b,", ("a", "b")),
        ('"a,b",c', ("a,b", "c")),
        ('a,\n "b"', ("a", "b")),
        ("a,\r\nb\r\n", ("a", "b")),
        ("a\r,b\r", ("a", "b")),
        ('"say ""hi"""', ('say "hi"',)),
    ],
)
def test_column_lists(text: str | None, expected: tuple[str, ...]) -> None:
    assert split_columns(text) == expected
