"""What Airflow reads of this package without importing more of it."""

from __future__ import annotations

from typing import Any

from airflow_dataloader.settings import Option, Settings

_SINCE = "0.1.0"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, in the shape of Airflow's provider_info.schema.json."""
    return {
        "package-name": "airflow-dataloader",
        "name": "Dataloader",
        "description": "Bulk loader: rows of a control table become Delta tables, exactly once.",
        "hooks": [{"integration-name": "Dataloader", "python-modules": ["airflow_dataloader.hooks.control"]}],
        "operators": [
            {
                "integration-name": "Dataloader",
                "python-modules": [
                    "airflow_dataloader.operators.claim",
                    "airflow_dataloader.operators.load",
                    "airflow_dataloader.operators.maintain",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": "Dataloader",
                "python-modules": [
                    "airflow_dataloader.triggers.load",
                    "airflow_dataloader.triggers.maintain",
                ],
            }
        ],
        "bundles": [{"integration-name": "Dataloader", "python-modules": ["airflow_dataloader.bundles"]}],
        "connection-types": [_control_connection()],
        "extra-links": ["airflow_dataloader.operators.links.LoadRecordLink"],
        "cli": ["airflow_dataloader.cli.airflow_command.commands"],
        "config": {
            "dataloader": {
                "description": "Settings of the data loader. Without Airflow, DATALOADER_<OPTION> sets them.",
                "options": {option.name: _option(option) for option in Settings.options()},
            }
        },
    }


def _option(option: Option) -> dict[str, Any]:
    # None is called sensitive, though cluster may hold secrets: Airflow reads such options when it starts,
    # and does not start over one that it cannot read.
    return {
        "description": option.about,
        "version_added": _SINCE,
        "type": option.kind,
        "example": None,
        "default": option.default,
    }


def _control_connection() -> dict[str, Any]:
    return {
        "connection-type": "dataloader_control",
        "hook-class-name": "airflow_dataloader.hooks.control.ControlHook",
        "hook-name": "Dataloader control database",
        "ui-field-behaviour": {
            "hidden-fields": ["extra"],
            "relabeling": {"schema": "Database"},
            "placeholders": {"port": "5432", "schema": "dataloader"},
        },
        "conn-fields": {
            "sslmode": {
                "label": "TLS",
                "description": "TLS is required unless the host is this machine; the default is require.",
                "schema": {
                    "type": ["string", "null"],
                    "enum": ["require", "verify-ca", "verify-full"],
                },
            },
            "sslrootcert": {
                "label": "Root certificate",
                "description": "File of certificates that verify-ca and verify-full trust, or 'system'.",
                "schema": {"type": ["string", "null"]},
            },
        },
    }
