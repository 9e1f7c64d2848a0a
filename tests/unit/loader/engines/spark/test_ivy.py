from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from airflow_dataloader.exceptions import ConfigurationError, EngineFailed
from airflow_dataloader.loader.engines.spark.ivy import failure, module, network_options, settings_options
from airflow_dataloader.loader.engines.spark.manifest import Jar

UNREACHABLE = """
\t\t:: io.delta#delta-storage;4.4.0: not found
:::: ERRORS
\tHttpClientHandler: Connect to 127.0.0.1:1 failed: Connection refused url=https://user:secret@mirror/x.jar
"""
MISSING = """
\t\tmodule not found: org.postgresql#postgresql;42.99
\t\t:: org.postgresql#postgresql;42.99: not found
"""


def jar(classifier: str | None = None) -> Jar:
    return Jar(
        name="driver",
        group="driver",
        coordinate="org.example:driver:1.2",
        classifier=classifier,
        bytes=1,
        sha256="",
        licence="",
    )


def test_asks_for_the_jars_and_for_nothing_that_they_depend_on() -> None:
    dependency = ElementTree.fromstring(module([jar()])).find("dependencies/dependency")
    assert dependency is not None
    assert dependency.attrib == {
        "org": "org.example",
        "name": "driver",
        "rev": "1.2",
        "transitive": "false",
        "conf": "default->master(default)",
    }
    assert len(dependency) == 0


def test_asks_for_a_classifier_in_mavens_namespace() -> None:
    artifact = ElementTree.fromstring(module([jar("all")])).find("dependencies/dependency/artifact")
    assert artifact is not None
    assert artifact.attrib["{http://ant.apache.org/ivy/maven}classifier"] == "all"


def test_proxies_of_the_environment_become_javas() -> None:
    environ = {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "http_proxy": "proxy.example",
        "no_proxy": "localhost, .example.com",
    }
    options = network_options(environ)
    assert "-Dhttps.proxyHost=proxy.example" in options
    assert "-Dhttps.proxyPort=3128" in options
    assert "-Dhttp.proxyHost=proxy.example" in options
    assert "-Dhttp.proxyPort=80" in options
    assert "-Dhttp.nonProxyHosts=localhost|*.example.com" in options


def test_without_proxies_there_are_only_time_limits() -> None:
    assert all("Timeout" in option for option in network_options({"https_proxy": ""}))


def test_a_proxy_that_is_no_address_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY is no address") as caught:
        network_options({"HTTPS_PROXY": "http://jo:hunter2@proxy.example:none"})
    assert "hunter2" not in str(caught.value)


def test_a_settings_file_is_passed_on_and_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "ivysettings.xml"
    with pytest.raises(ConfigurationError, match="not a file"):
        settings_options({"DATALOADER_IVY_SETTINGS": str(path)})
    path.touch()
    assert settings_options({"DATALOADER_IVY_SETTINGS": str(path)}) == ["-settings", str(path)]
    assert settings_options({}) == []


def test_an_unreachable_repository_is_transient_and_no_address_is_shown() -> None:
    error = failure(UNREACHABLE)
    assert isinstance(error, EngineFailed)
    assert "Could not fetch delta-storage 4.4.0: Connect to 127.0.0.1:1 failed" in str(error)
    assert "secret" not in str(error)


def test_a_jar_that_no_repository_has_is_a_mistake_in_the_configuration() -> None:
    error = failure(MISSING)
    assert isinstance(error, ConfigurationError)
    assert "does not have postgresql 42.99" in str(error)


def test_any_other_end_shows_its_last_line() -> None:
    assert "the jars: cannot parse settings." in str(
        failure("starting\n\t:: cannot parse settings ::\n\n:: USE VERBOSE OR DEBUG MESSAGE LEVEL\n")
    )
