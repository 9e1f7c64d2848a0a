"""Addresses of sessions."""

from __future__ import annotations

import pytest

from airflow_dataloader.workspace.spark.address import server_of, with_session


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("sc://h", "sc://h/;user_id=dataloader;session_id=S"),
        ("sc://h:1/", "sc://h:1/;user_id=dataloader;session_id=S"),
        ("sc://h:1/;token=t", "sc://h:1/;token=t;user_id=dataloader;session_id=S"),
        ("sc://h:1/;session_id=old;token=t;", "sc://h:1/;token=t;user_id=dataloader;session_id=S"),
        ("sc://h:1/;user_id=me;use_ssl=true", "sc://h:1/;user_id=me;use_ssl=true;session_id=S"),
    ],
)
def test_the_session_takes_the_place_of_any_other(remote: str, expected: str) -> None:
    assert with_session(remote, "S") == expected


@pytest.mark.parametrize(
    "rest", ["", "/", "/;token=t", "/;session_id=s;token=t;", "/;x-proxy-login=p", "/;user_id=dataloader"]
)
def test_a_server_is_named_without_its_token(rest: str) -> None:
    assert server_of(f"sc://h:1{rest}") == "sc://h:1"


def test_another_user_s_sessions_are_others() -> None:
    named = server_of("sc://h:1/;user_id=me;token=t;session_id=s")
    assert named == "sc://h:1/;user_id=me"
    assert with_session(named, "S") == "sc://h:1/;user_id=me;session_id=S"
