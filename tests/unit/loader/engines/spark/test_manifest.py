from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark.manifest import Jar, manifest, select


def jar(**overrides: object) -> Jar:
    values = {
        "name": "driver",
        "group": "driver",
        "coordinate": "org.example:driver:1.2",
        "bytes": 5,
        "sha256": hashlib.sha256(b"right").hexdigest(),
        "licence": "Apache-2.0",
    }
    return Jar(**(values | overrides))  # type: ignore[arg-type]


def test_every_entry_is_pinned_by_size_and_checksum_and_has_a_licence() -> None:
    for entry in manifest():
        assert re.fullmatch(r"[\w.]+:[\w.-]+:[\w.]+", entry.coordinate), entry.name
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256), entry.name
        assert entry.bytes > 0
        assert entry.licence


def test_names_and_files_are_unique() -> None:
    assert len({entry.name for entry in manifest()}) == len(manifest())
    assert len({entry.file_name for entry in manifest()}) == len(manifest())


def test_the_file_is_named_by_artifact_version_and_classifier() -> None:
    assert jar().file_name == "driver-1.2.jar"
    assert jar(classifier="all").file_name == "driver-1.2-all.jar"


def test_selects_by_name_or_group_each_once() -> None:
    assert [entry.name for entry in select(["postgresql"])] == ["postgresql"]
    delta = [entry.name for entry in select(["delta", "delta-spark"])]
    assert delta == [
        "delta-spark",
        "delta-storage",
        "delta-kernel-api",
        "delta-kernel-defaults",
        "delta-kernel-unitycatalog",
    ]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no jar called mysql.*postgresql"):
        select(["mysql", "delta"])


@pytest.mark.parametrize(("content", "same"), [(b"right", True), (b"wrong", False), (b"right?", False)])
def test_a_file_is_the_jar_only_if_every_byte_is(tmp_path: Path, content: bytes, same: bool) -> None:
    path = tmp_path / "driver-1.2.jar"
    path.write_bytes(content)
    assert jar().is_at(path) is same


def test_an_absent_file_is_not_the_jar(tmp_path: Path) -> None:
    assert not jar().is_at(tmp_path / "driver-1.2.jar")
