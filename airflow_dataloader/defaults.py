"""What holds where nothing is set: for the settings, and for whoever is called without them."""

from __future__ import annotations

#: Airflow's connections.
CONTROL_CONN_ID = "dataloader_control"
DATABRICKS_CONN_ID = "databricks_default"

#: Where a workspace holds the loader.
LOADER_PATH = "/Workspace/Shared/airflow_dataloader"

#: Rows that one claim takes at most, and loads that may live at the same time.
BATCH_SIZE = 10
MAX_CONCURRENT_LOADS = 32

#: How long a load may stay Queued, and go on without a sign of progress.
QUEUED_MINUTES = 60
PROGRESS_MINUTES = 10

#: How long a start or a heartbeat is good for.
LEASE_SECONDS = 60
