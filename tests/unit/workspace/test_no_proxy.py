from __future__ import annotations

import pytest

from airflow_dataloader.workspace.no_proxy import bypass_proxies


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "127.0.0.1,localhost"), ({"NO_PROXY": "corp.example"}, "corp.example,127.0.0.1,localhost")],
)
def test_this_machine_is_asked_without_a_proxy(given: dict[str, str], expected: str) -> None:
    assert bypass_proxies(given)["NO_PROXY"] == expected
