"""Jars really fetched by Ivy, from the public repository and from a folder that stands in for a mirror."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError, EngineFailed
from airflow_dataloader.loader.engines.spark import jars
from airflow_dataloader.loader.engines.spark.manifest import manifest, select

REPOSITORY = Path(__file__).parents[5]
DRIVER = select(["postgresql"])[0]

MIRROR = """
<ivysettings>
  <settings defaultResolver="mirror"/>
  <resolvers>
    <filesystem name="mirror" m2compatible="true">
      <artifact pattern="{folder}/[artifact]-[revision](-[classifier]).[ext]"/>
    </filesystem>
  </resolvers>
</ivysettings>
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that holds every jar of the manifest, fetched once for all tests of this file."""
    home = tmp_path_factory.mktemp("home")
    jars.ensure({jar.group for jar in manifest()}, home)
    return home


@pytest.fixture
def mirror(tmp_path: Path, home: Path) -> Path:
    """Return a folder that serves the PostgreSQL driver through an Ivy settings file."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    shutil.copy(home / "jars" / DRIVER.file_name, folder)
    (folder / "ivysettings.xml").write_text(MIRROR.format(folder=folder))
    return folder


def behind(mirror: Path) -> dict[str, str]:
    return {**os.environ, "DATALOADER_IVY_SETTINGS": str(mirror / "ivysettings.xml")}


def unreachable() -> dict[str, str]:
    """Return an environment whose only way out is a proxy that is not there."""
    return {**os.environ, "https_proxy": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}


def test_every_jar_of_the_manifest_can_be_fetched_and_is_what_it_says(home: Path) -> None:
    assert {path.name for path in jars.present(home)} == {jar.file_name for jar in manifest()}
    assert all(jar.is_at(home / "jars" / jar.file_name) for jar in manifest())
    left = {path.name for path in (home / "jars").iterdir()} - {jar.file_name for jar in manifest()}
    assert left == {".lock"}


def test_what_is_there_is_not_fetched_again(home: Path) -> None:
    found = jars.ensure(["delta"], home, environ=unreachable())
    assert [path.name for path in found] == [jar.file_name for jar in select(["delta"])]


def test_a_damaged_jar_is_fetched_again(tmp_path: Path, mirror: Path) -> None:
    path = tmp_path / "home" / "jars" / DRIVER.file_name
    path.parent.mkdir(parents=True)
    content = bytearray((mirror / DRIVER.file_name).read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    assert jars.ensure(["postgresql"], tmp_path / "home", environ=behind(mirror)) == [path]
    assert DRIVER.is_at(path)


def test_another_file_under_the_right_name_is_refused_and_not_kept(tmp_path: Path, mirror: Path) -> None:
    (mirror / DRIVER.file_name).write_bytes(b"<html>Please log in to the network</html>")
    with pytest.raises(ConfigurationError, match="is not the jar of our manifest"):
        jars.ensure(["postgresql"], tmp_path / "home", environ=behind(mirror))
    assert jars.present(tmp_path / "home") == []


def test_a_mirror_without_the_jar_is_named_as_the_fault(tmp_path: Path, mirror: Path) -> None:
    (mirror / DRIVER.file_name).unlink()
    with pytest.raises(ConfigurationError, match=r"does not have postgresql 42.*DATALOADER_IVY_SETTINGS"):
        jars.ensure(["postgresql"], tmp_path / "home", environ=behind(mirror))


def test_no_network_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match=r"Could not fetch postgresql .*Connection refused") as caught:
        jars.ensure(["postgresql"], tmp_path / "home", environ=unreachable())
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "home" / "jars").glob("*.jar"))


def test_two_processes_fetch_once(tmp_path: Path, mirror: Path) -> None:
    """The second finds the jar when it has the lock; it could not fetch it itself."""
    home = tmp_path / "home"
    program = (
        "import sys; from pathlib import Path\n"
        "from airflow_dataloader.loader.engines.spark import jars\n"
        "print('here', flush=True)\n"
        "print(jars.ensure(['postgresql'], Path(sys.argv[1]))[0])\n"
    )
    with jars._one_at_a_time(home / "jars"):
        second = subprocess.Popen(
            [sys.executable, "-c", program, str(home)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=unreachable(),
        )
        assert second.stdout is not None
        assert second.stdout.readline() == "here\n"
        shutil.copy(mirror / DRIVER.file_name, home / "jars")
    output, _ = second.communicate()
    assert output == f"{home / 'jars' / DRIVER.file_name}\n"


def test_the_command_says_what_there_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_HOME", str(home))
    assert jars.main([]) == 0
    assert capsys.readouterr().out == f"6 jars in {home / 'jars'}\n"
    assert jars.main(["mysql"]) == 1
    assert "no jar called mysql" in capsys.readouterr().err


def test_a_home_that_cannot_be_made_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATALOADER_HOME", "/proc/nope")
    assert jars.main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: /proc/nope cannot be used: ")
