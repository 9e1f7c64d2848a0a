from __future__ import annotations

from pathlib import Path

from airflow_dataloader.loader.engines.spark.ca_certificates import trust_options


def test_the_machines_java_keeps_its_administrators_list(tmp_path: Path) -> None:
    assert trust_options(Path("/usr/lib/jvm/java-17"), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
