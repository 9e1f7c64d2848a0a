"""The demo's verdict: it must be able to say no."""

from __future__ import annotations

from airflow_dataloader.workspace.demo.script import Round
from tests.integration.workspace.demo.conftest import SmallDemo


def verdict(shown: Round) -> dict[str, bool]:
    return {line.load.config.target.table: line.equal for line in shown.lines}


def test_changes_that_the_loads_see(small_demo: SmallDemo) -> None:
    first, second = small_demo.show("UPDATE small SET price = 0; INSERT INTO grows VALUES (10, 0.00)").run()
    assert verdict(first) == verdict(second) == {"small": True, "grows": True}
    (grown,) = (line.load for line in second.lines if line.load.config.target.table == "grows")
    assert (grown.rows_inserted, grown.rows_updated, grown.target_version) == (1, 0, 1)
    assert grown.seconds > 0
    assert {line.load.id for line in first.lines}.isdisjoint(line.load.id for line in second.lines)


def test_a_change_below_the_watermark_is_a_difference(small_demo: SmallDemo) -> None:
    first, second = small_demo.show("UPDATE grows SET price = 0 WHERE id = 1").run()
    assert first.equal
    assert verdict(second) == {"small": True, "grows": False}


def test_a_load_that_failed_is_a_difference(small_demo: SmallDemo) -> None:
    _, second = small_demo.show("DROP TABLE small").run()
    assert verdict(second) == {"small": False, "grows": True}
    assert any("source_table_name" in line for line in small_demo.told.lines)
