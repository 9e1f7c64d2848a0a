"""What one process brings to every load that it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.observer import LogObserver, Observer
from airflow_dataloader.loader.secrets import SecretChain, default_secrets


@dataclass(frozen=True, kw_only=True)
class LoaderContext:
    """One engine session and the way to the control database; its loads run one after another."""

    control: ControlEngine
    engine: Engine
    secrets: SecretChain = field(default_factory=default_secrets)
    observer: Observer = field(default_factory=LogObserver)
    times: LeaseTimes = field(default_factory=LeaseTimes)
    #: The Databricks run that this process is, where it is one.
    databricks_run: str | None = None
    workspace_host: str | None = None
