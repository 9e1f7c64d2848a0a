"""The provider's description: valid, complete, and pointing at what is there."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.sdk import BaseOperator, conf
from airflow.triggers.base import BaseTrigger

from airflow_dataloader.get_provider_info import get_provider_info
from airflow_dataloader.hooks.control import ControlHook
from airflow_dataloader.operators.load import LoadOperator
from airflow_dataloader.settings import Settings

INFO = get_provider_info()


def test_airflow_finds_it() -> None:
    (found,) = [
        point
        for point in entry_points(group="apache_airflow_provider")
        if "airflow_dataloader" in point.value
    ]
    assert found.load() is get_provider_info
    assert found.dist is not None
    assert found.dist.name == INFO["package-name"]


def test_the_links_of_a_load_are_listed() -> None:
    links = {f"{type(link).__module__}.{type(link).__name__}" for link in LoadOperator.operator_extra_links}
    assert set(INFO["extra-links"]) == {name for name in links if name.startswith("airflow_dataloader.")}


def test_it_has_the_shape_that_airflow_asks_for() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_every_setting_is_an_option_and_every_option_a_setting() -> None:
    options = INFO["config"]["dataloader"]["options"]
    assert list(options) == [item.name for item in fields(Settings)]
    defaults = {f"DATALOADER_{name.upper()}": option["default"] for name, option in options.items()}
    assert Settings.from_environment(defaults) == Settings()
    for name, option in options.items():
        assert option["description"].endswith("."), name
        kind = "integer" if isinstance(getattr(Settings(), name), int) else "string"
        assert option["type"] == kind, name


def test_airflow_starts_whatever_an_option_holds() -> None:
    """At its start it reads each sensitive option, and ends where one cannot be read, for a lone % in it."""
    options = INFO["config"]["dataloader"]["options"]
    assert [name for name, option in options.items() if option.get("sensitive")] == []
    assert "dataloader" not in {section for section, _ in conf.sensitive_config_values}


def paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from paths(item)
    elif isinstance(value, str) and value.startswith("airflow_dataloader."):
        yield value


@pytest.mark.parametrize(("room", "kind"), [("operators", BaseOperator), ("triggers", BaseTrigger)])
def test_every_module_of_operators_and_of_triggers_is_listed(room: str, kind: type) -> None:
    package = importlib.import_module(f"airflow_dataloader.{room}")
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
    ]
    (listed,) = INFO[room]
    assert listed["python-modules"] == [
        module.__name__ for module in modules if any(defines(module, name, kind) for name in vars(module))
    ]


def defines(module: ModuleType, name: str, kind: type) -> bool:
    """Whether a public class of this kind is the module's own."""
    found = getattr(module, name)
    return (
        not name.startswith("_")
        and isinstance(found, type)
        and issubclass(found, kind)
        and found.__module__ == module.__name__
    )


@pytest.mark.parametrize("path", sorted(set(paths(INFO))))
def test_what_it_names_is_there(path: str) -> None:
    try:
        importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)


def test_the_connection_type_is_the_hooks() -> None:
    (described,) = INFO["connection-types"]
    assert described["connection-type"] == ControlHook.conn_type
    assert described["hook-name"] == ControlHook.hook_name
