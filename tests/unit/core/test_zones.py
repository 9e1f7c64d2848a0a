"""Time zones by name."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from airflow_dataloader.core.zones import read_zone
from airflow_dataloader.exceptions import ConfigurationError, TransientError
from tests import descriptors


@pytest.mark.parametrize(
    "zone", ["", "Europe", "Mars/Phobos", "../secrets", "/etc/passwd", "x" * 300, "a\0b"]
)
def test_what_is_no_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_zone(zone)
    assert refused.value.field == "load_timezone"
    assert refused.value.fix


def test_a_zone_that_cannot_be_read_now_is_still_one() -> None:
    ZoneInfo.clear_cache(only_keys=["Asia/Kathmandu"])
    with descriptors.none_free(), pytest.raises(TransientError, match="cannot be read") as refused:
        read_zone("Asia/Kathmandu")
    assert (refused.value.field, bool(refused.value.fix)) == ("load_timezone", True)
    assert read_zone("Asia/Kathmandu").key == "Asia/Kathmandu"
