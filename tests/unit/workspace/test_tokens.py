"""Tokens."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.tokens import hashed, new_token, owner_token, same


def test_the_owner_s_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = owner_token(path)
    assert owner_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_file_without_a_token_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=str(path)) as caught:
        owner_token(path)
    assert caught.value.fix is not None
    path.unlink()
    assert owner_token(path)


def test_tokens_differ_and_a_hash_does_not_show_them() -> None:
    one, other = new_token(), new_token()
    assert one != other
    assert hashed(one) != hashed(other)
    assert one not in hashed(one)
    assert same(one, one)
    assert not same(one, other)
    assert not same(one, "ü")
