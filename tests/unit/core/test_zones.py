"""Time zones by name."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.zones import read_zone
from airflow_dataloader.exceptions import ConfigurationError


@pytest.mark.parametrize(
    "zone", ["", "Europe", "Mars/Phobos", "../secrets", "/etc/passwd", "x" * 300, "a\0b"]
)
def test_what_is_no_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_zone(zone)
    assert refused.value.field == "load_timezone"
    assert refused.value.fix
