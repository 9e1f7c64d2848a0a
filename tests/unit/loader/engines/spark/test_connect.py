"""Addresses of Spark Connect sessions."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.engines.spark.connect import session_remote


@pytest.mark.parametrize(
    ("remote", "start"),
    [
        ("sc://localhost:15002", "sc://localhost:15002/;session_id="),
        ("sc://localhost:15002/", "sc://localhost:15002/;session_id="),
        ("sc://localhost:15002/;token=abc", "sc://localhost:15002/;token=abc;session_id="),
        ("sc://localhost:15002/;token=abc;", "sc://localhost:15002/;token=abc;session_id="),
    ],
)
def test_every_session_has_an_id_of_its_own(remote: str, start: str) -> None:
    one, other = session_remote(remote), session_remote(remote)
    assert one.startswith(start)
    assert one != other


def test_a_given_id_is_kept() -> None:
    remote = "sc://h:1/;session_id=0b9e5a4e-3f53-4c5b-9a51-1c1c6b1f9a11;token=t"
    assert session_remote(remote) == remote
