"""Secret scopes."""

from __future__ import annotations

import stat
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.secret_store import LONGEST, SecretFile


@pytest.fixture
def store(tmp_path: Path) -> SecretFile:
    return SecretFile(tmp_path / "secrets.json")


def test_a_secret_is_found_whatever_its_case(store: SecretFile) -> None:
    store.put("Vault", "Shop-Password", " p ä\n")
    assert store.get("vault", "SHOP-PASSWORD") == " p ä\n"
    assert store.get("vault", "other") is None
    assert store.get("other", "shop-password") is None
    assert store.has_scope("VAULT")
    assert not store.has_scope("other")
    assert store.values() == {" p ä\n"}


def test_only_its_owner_may_read_the_file(store: SecretFile, tmp_path: Path) -> None:
    store.put("a", "b", "c")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_later_value_takes_the_place_of_the_earlier(store: SecretFile) -> None:
    store.put("a", "b", "old")
    store.put("A", "B", "new")
    assert store.values() == {"new"}


@pytest.mark.parametrize(
    ("scope", "name", "value"),
    [
        ("", "n", "v"),
        ("s", " ", "v"),
        ("s", "n", ""),
        ("s", "n", "x" * (LONGEST + 1)),
        ("s", "n", "xx\udce9"),
    ],
)
def test_what_is_no_secret_is_refused_without_showing_it(
    store: SecretFile, scope: str, name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        store.put(scope, name, value)
    assert "xx" not in str(caught.value)
    assert store.values() == set()


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": {"b": "s3cret',
        b"\xff s3cret",
        b'["s3cret"]',
        b'{"a": "s3cret"}',
        b'{"a": {"s3cret": 7}}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_cannot_be_read_is_named_without_its_content(
    store: SecretFile, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        store.put("a", "b", "c")
    assert str(path) in caught.value.message
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert path.read_bytes() == content


def test_none_is_lost_when_many_are_stored_at_once(store: SecretFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.put("s", f"n{number}", f"v{number}"), range(40)))
    assert store.values() == {f"v{number}" for number in range(40)}
