"""Fetching jars with Ivy, whose program pyspark carries.

Ivy knows where public jars are, and a company's mirror or a closed network's folder is one settings file away
(``DATALOADER_IVY_SETTINGS``); so no address stands in our code.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from airflow_dataloader.exceptions import ConfigurationError, EngineFailed
from airflow_dataloader.loader.engines.spark.ca_certificates import trust_options
from airflow_dataloader.loader.engines.spark.java import java_home
from airflow_dataloader.loader.engines.spark.manifest import Jar
from airflow_dataloader.loader.engines.spark.pyspark_home import pyspark_folder

SETTINGS_VARIABLE = "DATALOADER_IVY_SETTINGS"

_MAVEN = "http://ant.apache.org/ivy/maven"
_PATTERN = "[artifact]-[revision](-[classifier]).[ext]"
#: How Ivy ends every report of a problem.
_HINT = "USE VERBOSE OR DEBUG"
_TIMEOUT_SECONDS = 900
_CONNECT_MILLISECONDS = 20_000
_READ_MILLISECONDS = 60_000


def fetch(jars: Sequence[Jar], to: Path, environ: Mapping[str, str]) -> None:
    """Put ``jars`` into the folder ``to`` under their file names; nothing is checked here.

    Raises ConfigurationError if Java, pyspark or a jar is missing, EngineFailed if the network is.
    """
    classes = f"{pyspark_folder() / 'jars'}/*"
    java = java_home(environ)
    with tempfile.TemporaryDirectory(prefix=".ivy-", dir=to) as name:
        work = Path(name)
        (work / "ivy.xml").write_text(module(jars))
        command = [
            *(java / "bin" / "java", f"-Divy.home={work}", f"-Divy.default.ivy.user.dir={work}"),
            *network_options(environ),
            *trust_options(java, work),
            *("-cp", classes, "org.apache.ivy.Main", "-ivy", work / "ivy.xml", "-cache", work / "cache"),
            *settings_options(environ),
            *("-confs", "default", "-retrieve", to / _PATTERN),
        ]
        _run([str(word) for word in command], environ)


def module(jars: Sequence[Jar]) -> str:
    """Return the Ivy file that asks for exactly these jars, and for nothing that they depend on."""
    ElementTree.register_namespace("m", _MAVEN)
    root = ElementTree.Element("ivy-module", version="2.0")
    ElementTree.SubElement(root, "info", organisation="airflow_dataloader", module="jars")
    ElementTree.SubElement(ElementTree.SubElement(root, "configurations"), "conf", name="default")
    dependencies = ElementTree.SubElement(root, "dependencies")
    for jar in jars:
        organisation, artifact, version = jar.coordinate.split(":")
        dependency = ElementTree.SubElement(
            dependencies,
            "dependency",
            {"org": organisation, "name": artifact, "rev": version},
            transitive="false",
            # A closed network's folder may hold the jars alone, without the POMs that define "master".
            conf="default->master(default)",
        )
        if jar.classifier:
            names = {"name": artifact, "type": "jar", f"{{{_MAVEN}}}classifier": jar.classifier}
            ElementTree.SubElement(dependency, "artifact", names)
    return ElementTree.tostring(root, encoding="unicode")


def settings_options(environ: Mapping[str, str]) -> list[str]:
    """Return Ivy's option for the settings file that the environment names, if it names one."""
    path = environ.get(SETTINGS_VARIABLE)
    if not path:
        return []
    if not Path(path).is_file():
        raise ConfigurationError(
            f"{SETTINGS_VARIABLE} is {path!r}, which is not a file.",
            field=SETTINGS_VARIABLE,
            fix="name an Ivy settings file, or unset it",
        )
    return ["-settings", path]


def network_options(environ: Mapping[str, str]) -> list[str]:
    """Return what the environment says of proxies in Java's own words, and time limits.

    Raises ConfigurationError for a proxy that is no address.
    """
    options = [
        f"-Dsun.net.client.defaultConnectTimeout={_CONNECT_MILLISECONDS}",
        f"-Dsun.net.client.defaultReadTimeout={_READ_MILLISECONDS}",
    ]
    for scheme in ("http", "https"):
        variable = f"{scheme}_proxy" if environ.get(f"{scheme}_proxy") else f"{scheme.upper()}_PROXY"
        host, port = _proxy(variable, environ.get(variable) or "")
        if host:
            options += [f"-D{scheme}.proxyHost={host}", f"-D{scheme}.proxyPort={port}"]
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY")
    if exceptions:
        hosts = [host.strip() for host in exceptions.split(",") if host.strip()]
        patterns = "|".join(f"*{host}" if host.startswith(".") else host for host in hosts)
        options.append(f"-Dhttp.nonProxyHosts={patterns}")
    return options


def _proxy(variable: str, text: str) -> tuple[str | None, int]:
    try:
        proxy = urlsplit(text if "//" in text else f"//{text}")
        return proxy.hostname, proxy.port or 80
    except ValueError:
        # Not with its text and not with the error's, which may hold a password.
        raise ConfigurationError(
            f"{variable} is no address of a proxy.", field=variable, fix="write it as http://host:port"
        ) from None


def _run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    try:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            env=dict(environ),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineFailed(
            f"The jars did not arrive within {_TIMEOUT_SECONDS // 60} minutes.", fix="try again"
        ) from error
    if ran.returncode != 0:
        raise failure(ran.stdout + ran.stderr)


def failure(output: str) -> ConfigurationError | EngineFailed:
    """Return the error that Ivy's output stands for: what it could not reach, else what was not there."""
    causes = re.findall(r"^\s*HttpClientHandler: (.*?)(?: url=\S*)?$", output, re.MULTILINE)
    missing = re.findall(r":: (\S+)#(\S+);(\S+): not found", output)
    names = ", ".join(f"{artifact} {version}" for _, artifact, version in missing) or "the jars"
    if causes:
        return EngineFailed(
            f"Could not fetch {names}: {causes[0]}.",
            fix=f"check the network, or name an Ivy settings file for a mirror in {SETTINGS_VARIABLE}",
        )
    if missing:
        return ConfigurationError(
            f"The repository does not have {names}.",
            field=SETTINGS_VARIABLE,
            fix=f"look at the Ivy settings file that {SETTINGS_VARIABLE} names",
        )
    said = [line.strip(": \t") for line in output.splitlines() if line.strip() and _HINT not in line]
    last = said[-1] if said else "Ivy said nothing"
    return EngineFailed(f"Could not fetch the jars: {last}.", fix="fix the reported problem, and try again")
