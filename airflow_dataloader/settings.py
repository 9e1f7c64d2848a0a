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
from typing import Any, Self

from airflow_dataloader.exceptions import ConfigurationError

#: Prefixes of the environment, the first that has a value wins.
PREFIXES = ("AIRFLOW__DATALOADER__", "DATALOADER_")

#: The documents' name for the cluster; it stands in where ``cluster`` is not set.
CLUSTER_ID = "DATABRICKS_CLUSTER_ID"

#: Ways to say where a job runs, one of which ``cluster`` must hold.
CLUSTER_KINDS = ("existing_cluster_id", "new_cluster", "environment")

SCHEDULE_MODES = ("asset", "interval")


def _number(text: str, minimum: int) -> int:
    if not text.strip().isdecimal() or int(text) < minimum:
        raise ValueError(f"a whole number, at least {minimum}")
    return int(text)


def _cluster(text: str) -> Mapping[str, Any]:
    wanted = f"a JSON object with one of {', '.join(CLUSTER_KINDS)}"
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{wanted} ({error})") from error
    if not isinstance(value, dict) or len(value.keys() & set(CLUSTER_KINDS)) != 1:
        raise ValueError(wanted)
    return value


def _schedule_mode(text: str) -> str:
    if text not in SCHEDULE_MODES:
        raise ValueError(f"one of {', '.join(SCHEDULE_MODES)}")
    return text


def _home(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _read(parse: Callable[[str], Any]) -> dict[str, Any]:
    """Return the metadata of a field whose text ``parse`` reads, with a ValueError naming what it wants."""
    return {"parse": parse}


def _count(default: int, minimum: int = 1) -> Any:
    return field(default=default, metadata=_read(lambda text: _number(text, minimum)))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its default. A field's name is the setting's name."""

    #: Folder of jars, local warehouse, local workspace and demo.
    home: Path = field(default_factory=lambda: _home("~/.dataloader"), metadata=_read(_home))
    #: Airflow connections of the control database and of Databricks.
    control_conn_id: str = field(default="dataloader_control", metadata=_read(str))
    databricks_conn_id: str = field(default="databricks_default", metadata=_read(str))
    #: Where jobs run, in the Jobs API's words; None: the connection decides.
    cluster: Mapping[str, Any] | None = field(default=None, metadata=_read(_cluster))
    #: Workspace folder that holds ``airflow_dataloader/`` and ``spark_tasks/``; None: where deploy puts it.
    loader_path: str | None = field(default=None, metadata=_read(str))
    #: ``asset``: woken by the control database; ``interval``: looks once a minute.
    schedule_mode: str = field(default="asset", metadata=_read(_schedule_mode))
    #: Rows that one claim takes at most.
    batch_size: int = _count(10)
    #: Loads that may live at the same time, over all sources.
    max_concurrent_loads: int = _count(32)
    #: Loads that share one Databricks run.
    tables_per_run: int = _count(1)
    #: Minutes that a load may stay Queued, In Progress, or In Progress without progress.
    queued_minutes: int = _count(60)
    running_minutes: int = _count(180)
    progress_minutes: int = _count(10)
    #: Seconds that one heartbeat is good for. A heartbeat comes every 10 s, so 30 forgives two lost ones.
    lease_seconds: int = _count(60, minimum=30)
    #: Minutes between two looks of the monitors.
    longqueued_interval_minutes: int = _count(10)
    longrunning_interval_minutes: int = _count(10)
    failed_interval_minutes: int = _count(15)
    landing_table_interval_minutes: int = _count(30)
    #: Early retries of a failed row before a person has to look; 0 for none.
    max_retries: int = _count(3, minimum=0)
    #: Seconds between two looks at a Databricks run.
    poll_seconds: int = _count(10)

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
    def from_section(cls, section: Mapping[str, str]) -> Self:
        """Read a configuration section, whose keys are the settings' names; unknown keys are refused."""
        known = {item.name for item in fields(cls)}
        for name in section.keys() - known:
            raise ConfigurationError(
                f"There is no setting {name!r}.", field=name, fix=f"use one of {', '.join(sorted(known))}."
            )
        return cls._parse({name: (name, text) for name, text in section.items() if text})

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
                raise ConfigurationError(
                    f"{name} is {text!r}.", field=name, fix=f"set it to {error}."
                ) from error
        return cls(**values)
