"""The jars in ``DATALOADER_HOME/jars``: there and right, or fetched."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_dataloader.disk import disk_error
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.loader.engines.spark import ivy
from airflow_dataloader.loader.engines.spark.manifest import Jar, manifest, select
from airflow_dataloader.settings import Settings

log = logging.getLogger(__name__)

#: What a load from PostgreSQL into Delta needs.
DEFAULT = ("delta", "postgresql")

_Fetch = Callable[[Sequence[Jar], Path], None]


def ensure(names: Iterable[str], home: Path, *, environ: Mapping[str, str] | None = None) -> list[Path]:
    """Return the paths of the jars named by name or group, fetching what is missing or damaged.

    ``home`` is ``DATALOADER_HOME``. Safe to call from several processes at once. Raises ConfigurationError
    (no Java, an unknown name, a wrong checksum) and EngineFailed (no network).
    """
    wanted, folder = select(names), home / "jars"
    environ = os.environ if environ is None else environ
    if any(not jar.is_at(folder / jar.file_name) for jar in wanted):
        with _one_at_a_time(folder):
            _fetch_missing(wanted, folder, lambda jars, to: ivy.fetch(jars, to, environ))
    return [folder / jar.file_name for jar in wanted]


def present(home: Path) -> list[Path]:
    """Return the manifest's jars that are in the folder; jars of other versions beside them are left out."""
    paths = (home / "jars" / jar.file_name for jar in manifest())
    return [path for path in paths if path.is_file()]


def _fetch_missing(wanted: Sequence[Jar], folder: Path, fetch: _Fetch) -> None:
    missing = [jar for jar in wanted if not jar.is_at(folder / jar.file_name)]
    if not missing:
        return
    for jar in missing:
        if (folder / jar.file_name).exists():
            log.warning("%s is damaged, and is fetched again.", folder / jar.file_name)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as name:
        fetched = Path(name)
        fetch(missing, fetched)
        for jar in missing:
            _check(jar, fetched / jar.file_name)
            (fetched / jar.file_name).replace(folder / jar.file_name)


def _check(jar: Jar, path: Path) -> None:
    if not jar.is_at(path):
        raise ConfigurationError(
            f"What came for {jar.coordinate} is not the jar of our manifest (sha256 {jar.sha256}).",
            field=ivy.SETTINGS_VARIABLE,
            fix="see what stands between you and the repository: a proxy's page, or a mirror's other file",
        )


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """Fetch the named jars or groups, by default what PostgreSQL needs; return 0, or 1 after one line."""
    try:
        found = ensure(arguments or DEFAULT, Settings.from_environment(os.environ).home)
    except (DataloaderError, OSError) as error:
        print(f"Error: {disk_error(error, os.environ) or error}", file=sys.stderr)
        return 1
    print(f"{len(found)} jars in {found[0].parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
