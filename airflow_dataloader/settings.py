"""The settings of ``[dataloader]``, read from any mapping; Airflow is not known here.

Airflow's own environment names win, so that one process sees the same values with and without Airflow::

    AIRFLOW__DATALOADER__BATCH_SIZE=20
    DATALOADER_BATCH_SIZE=20
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn, Self

from airflow_dataloader import defaults
from airflow_dataloader.exceptions import ConfigurationError

#: Prefixes of the environment, the first that has a value wins.
PREFIXES = ("AIRFLOW__DATALOADER__", "DATALOADER_")

#: The documents' name for the cluster; it stands in where ``cluster`` is not set.
CLUSTER_ID = "DATABRICKS_CLUSTER_ID"

#: Ways to say where a job runs, one of which ``cluster`` must hold.
CLUSTER_KINDS = ("existing_cluster_id", "new_cluster", "environment")

_HOME = "~/.dataloader"

#: ``interval``: the load DAG runs once a minute.
SCHEDULE_MODES = ("interval",)


#: Of any count, of minutes and of seconds: beyond what makes sense, within what the database counts in.
_MOST = 1_000_000


def _number(text: str, minimum: int) -> int:
    digits = text.strip().lstrip("0") or "0"
    # Measured first: Python refuses to read thousands of digits.
    if not digits.isdecimal() or len(digits) > len(str(_MOST)) or not minimum <= int(digits) <= _MOST:
        raise ValueError(f"a whole number from {minimum} to {_MOST}")
    return int(digits)


def _cluster(text: str) -> Mapping[str, Any]:
    wanted = f"a JSON object with one of {', '.join(CLUSTER_KINDS)}"
    try:
        value = json.loads(text, parse_constant=_not_json)
        null = _path_of_null(value)
    except json.JSONDecodeError as error:
        # Not chained: the decoder's error holds the whole text.
        raise ValueError(f"{wanted}; reading it stopped at {_position(error)}") from None
    except RecursionError:
        raise ValueError(f"{wanted}, nested less deeply") from None
    except ValueError:
        raise ValueError(f"{wanted}, with numbers that JSON knows, and of fewer digits") from None
    if null is not None:
        # Airflow's hook would refuse it load by load, and say neither whose it is nor where.
        raise ValueError(f"{wanted}, and no null in it, as {null} is")
    if not isinstance(value, dict) or len(value.keys() & set(CLUSTER_KINDS)) != 1:
        raise ValueError(wanted)
    return value


def _not_json(name: str) -> NoReturn:
    """Refuse what Python reads and JSON does not know: NaN and the infinities."""
    raise ValueError(name)


def _path_of_null(value: object) -> str | None:
    """Return where a null is, as ``libraries[0].pypi``; None: nowhere."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        here = f"[{name}]" if isinstance(value, list) else str(name)
        below = "" if item is None else _path_of_null(item)
        if below is not None:
            return f"{here}{'.' if below and not below.startswith('[') else ''}{below}"
    return None


def _position(error: json.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno} ({error.msg})"


def _schedule_mode(text: str) -> str:
    if text not in SCHEDULE_MODES:
        raise ValueError(f"one of {', '.join(SCHEDULE_MODES)}")
    return text


def _home(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"a folder by its whole path, as {Path(text).parts[0]} is nobody's here") from None


def _default_home() -> Path:
    try:
        return _home(_HOME)
    except ValueError:
        raise ConfigurationError(
            "This user has no home folder.", field="DATALOADER_HOME", fix="set DATALOADER_HOME to a folder"
        ) from None


def _setting(
    default: str,
    about: str,
    parse: Callable[[str], Any] = str,
    kind: str = "string",
    *,
    sensitive: bool = False,
) -> Any:
    """Return a field whose text ``parse`` reads, with a ValueError naming what it wants; "" is None.

    A message about one that is ``sensitive`` never shows its text.
    """
    return field(
        default_factory=lambda: parse(default) if default else None,
        metadata=_metadata(default, about, parse, kind, sensitive=sensitive),
    )


def _metadata(
    default: str,
    about: str,
    parse: Callable[[str], Any],
    kind: str = "string",
    *,
    sensitive: bool = False,
) -> dict[str, object]:
    return {"default": default, "about": about, "parse": parse, "kind": kind, "sensitive": sensitive}


def _count(default: int, about: str, minimum: int = 1) -> Any:
    return _setting(str(default), about, lambda text: _number(text, minimum), "integer")


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a process whose settings are not its user's: none of them but ``home``."""
    dropped = {prefix + item.name.upper() for prefix in PREFIXES for item in fields(Settings)}
    dropped = (dropped | {CLUSTER_ID}) - {prefix + "HOME" for prefix in PREFIXES}
    return {name: value for name, value in environ.items() if name not in dropped}


@dataclass(frozen=True, kw_only=True)
class Option:
    """A setting as a configuration reference describes it."""

    name: str
    #: ``string`` or ``integer``.
    kind: str
    #: As text; empty: none.
    default: str
    about: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting that something reads: its default, what it means, and its name, which is the field's."""

    home: Path = field(
        default_factory=_default_home,
        metadata=_metadata(_HOME, "Folder of jars, local warehouse, local workspace and demo.", _home),
    )
    control_conn_id: str = _setting(defaults.CONTROL_CONN_ID, "Airflow connection of the control database.")
    databricks_conn_id: str = _setting(
        defaults.DATABRICKS_CONN_ID, "Airflow connection of the Databricks workspace, or of the local one."
    )
    cluster: Mapping[str, Any] | None = _setting(
        "",
        "Where jobs run, in the Jobs API's words: a JSON object with one of existing_cluster_id, new_cluster "
        "or environment (serverless), and with what else the run's task needs, libraries for example. "
        "Empty: the workspace's own default.",
        _cluster,
        sensitive=True,
    )
    loader_path: str | None = _setting(
        "",
        f"Workspace folder that holds airflow_dataloader/ and spark_tasks/. Empty: {defaults.LOADER_PATH}.",
    )
    schedule_mode: str = _setting(
        "interval", "What starts the load DAG. interval: it looks once a minute.", _schedule_mode
    )
    batch_size: int = _count(defaults.BATCH_SIZE, "Rows that one claim takes at most.")
    max_concurrent_loads: int = _count(
        defaults.MAX_CONCURRENT_LOADS, "Loads that may live at the same time, over all sources."
    )
    queued_minutes: int = _count(defaults.QUEUED_MINUTES, "Minutes that a load may stay Queued.")
    progress_minutes: int = _count(
        defaults.PROGRESS_MINUTES,
        "Minutes that a load may stay In Progress without progress. Airflow gives such a load up; the loader "
        "ends it half a minute earlier, by this setting in its own environment on the cluster. Set both.",
    )
    lease_seconds: int = _count(
        defaults.LEASE_SECONDS,
        "Seconds that one heartbeat is good for. A heartbeat comes every 10 s, so 30 forgives two lost ones. "
        "Only loaders read it, each from its own environment, on the cluster for example.",
        minimum=30,
    )
    poll_seconds: int = _count(10, "Seconds between two looks at a Databricks run.")

    @classmethod
    def options(cls) -> list[Option]:
        """Return what there is to set, in order."""
        described = ("kind", "default", "about")
        return [
            Option(name=item.name, **{name: item.metadata[name] for name in described})
            for item in fields(cls)
        ]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment's names; an empty value counts as none.

        Raises ConfigurationError naming the variable at fault and what it must be.
        """
        found: dict[str, tuple[str, str]] = {}
        for item in fields(cls):
            names = [prefix + item.name.upper() for prefix in PREFIXES]
            name = next((name for name in names if environ.get(name)), None)
            if name is not None:
                found[item.name] = (name, environ[name])
        if "cluster" not in found and environ.get(CLUSTER_ID):
            cluster = json.dumps({"existing_cluster_id": environ[CLUSTER_ID]})
            found["cluster"] = (CLUSTER_ID, cluster)
        return cls._parse(found)

    @classmethod
    def _parse(cls, found: Mapping[str, tuple[str, str]]) -> Self:
        """Build from setting → (the name a person knows it by, its text)."""
        values: dict[str, Any] = {}
        for item in fields(cls):
            if item.name not in found:
                continue
            name, text = found[item.name]
            try:
                values[item.name] = item.metadata["parse"](text)
            except ValueError as error:
                shown = "cannot be used" if item.metadata["sensitive"] else f"is {text!r}"
                raise ConfigurationError(f"{name} {shown}.", field=name, fix=f"set it to {error}") from None
        return cls(**values)
