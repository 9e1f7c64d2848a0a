"""By what a new target can be clustered."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.clustering import WITH_STATISTICS, clustering
from airflow_dataloader.exceptions import ConfigurationError
from tests.planned import column


def test_the_key_s_names_at_the_target_in_the_key_s_order() -> None:
    key = [column("line no"), column("id", "decimal(20,0)"), column("day", "date"), column("code", "string")]
    assert clustering(key, [*reversed(key)], "row 7") == ("line_no", "id", "day", "code")


def test_a_column_that_the_key_names_twice_counts_once() -> None:
    key = [column("id"), column("day", "date"), column("id")]
    assert clustering(key, key[:2], "row 7") == ("id", "day")


@pytest.mark.parametrize("kind", ["binary", "boolean", "array<int>"])
def test_a_type_without_an_order_that_delta_knows_is_refused(kind: str) -> None:
    key = [column("id"), column("digest", kind)]
    with pytest.raises(ConfigurationError) as refused:
        clustering(key, key, "config_id 7 (a → b)")
    assert refused.value.field == "cluster_by_key"
    assert str(refused.value) == (
        f"The target of config_id 7 (a → b) cannot be clustered: key column 'digest' is of type {kind}. "
        "Fix: set cluster_by_key = false on the row."
    )


def test_a_column_without_statistics_is_refused() -> None:
    columns = [column(f"c{number}") for number in range(WITH_STATISTICS + 1)]
    assert clustering(columns[-2:-1], columns, "row 7") == (f"c{WITH_STATISTICS - 1}",)
    with pytest.raises(ConfigurationError, match=f"'c{WITH_STATISTICS}' is not among the first 32"):
        clustering(columns[-1:], columns, "row 7")
