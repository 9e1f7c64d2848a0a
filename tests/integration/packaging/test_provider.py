"""What Airflow's own command says of the installed provider."""

from __future__ import annotations

from pathlib import Path

from tests.integration.packaging.provider_command import NAME, airflow


def test_the_provider_is_listed_with_its_hooks_and_operators(tmp_path: Path) -> None:
    (provider,) = airflow(tmp_path, "providers", "get", NAME, "--full")
    assert provider["package-name"] == NAME
    modules = {
        kind: {module for part in provider[kind] for module in part["python-modules"]}
        for kind in ("hooks", "operators", "triggers", "bundles")
    }
    assert modules == {
        "hooks": {"airflow_dataloader.hooks.control"},
        "operators": {f"airflow_dataloader.operators.{name}" for name in ("claim", "load", "maintain")},
        "triggers": {f"airflow_dataloader.triggers.{name}" for name in ("load", "maintain")},
        "bundles": {"airflow_dataloader.bundles"},
    }


def test_its_connection_type_is_one_of_airflow_s(tmp_path: Path) -> None:
    """That list is made by importing each hook's class."""
    hooks = {hook["connection_type"]: hook for hook in airflow(tmp_path, "providers", "hooks")}
    assert hooks["dataloader_control"]["class"] == "airflow_dataloader.hooks.control.ControlHook"
    assert hooks["dataloader_control"]["package_name"] == NAME
    assert hooks["dataloader_control"]["hook_name"] == "Dataloader control database"


def test_its_connection_has_fields_of_its_own(tmp_path: Path) -> None:
    fields = airflow(tmp_path, "providers", "widgets")
    ours = {field["connection_parameter_name"] for field in fields if field["package_name"] == NAME}
    assert ours == {f"extra__dataloader_control__{name}" for name in ("sslmode", "sslrootcert")}


def test_its_entry_in_the_navigation_is_plugged_in(tmp_path: Path) -> None:
    plugins = {plugin["name"]: plugin for plugin in airflow(tmp_path, "plugins")}
    (view,) = plugins["dataloader"]["external_views"]
    assert (view["name"], view["href"]) == ("Data loads", "/dags?tags=dataloader")
    assert plugins["dataloader"]["source"].startswith(NAME)
