"""The load task on a cluster that leads to somebody else's control database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.loader.tasks.load import main
from tests.factories import add_row, add_source
from tests.integration.control.drive import claim_now, load

OTHER = "0123456789abcdef" * 2


def test_a_run_of_another_control_database_is_refused_and_touches_nothing(
    control: Engine,
    control_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_source(control, "shop")
    claimed = claim_now(control, add_row(control))
    monkeypatch.setenv("DATALOADER_CONTROL_URL", control_url)
    # Nobody listens there: it is refused before Spark is asked for.
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1:9")
    before = load(control, claimed.metadata_id)
    assert main([f"{claimed.metadata_id}:{claimed.epoch}", f"--installation={OTHER}"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"Error: This run was submitted for control database {OTHER}, and")
    assert load(control, claimed.metadata_id) == before
