"""Where a command finds its control database."""

from __future__ import annotations

import pytest

from airflow_dataloader.cli.control import control_engine, control_url
from airflow_dataloader.exceptions import ConfigurationError


def test_the_environment_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", "postgresql://ann:s3cret@db.example:5433/dataloader")
    assert control_url() == "postgresql://ann:s3cret@db.example:5433/dataloader"
    engine = control_engine()
    assert (engine.url.host, engine.url.port, engine.url.database) == ("db.example", 5433, "dataloader")
    assert "s3cret" not in repr(engine)


def test_where_nothing_says_it_the_message_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATALOADER_CONTROL_URL", "LAKEBASE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError) as caught:
        control_engine()
    assert caught.value.field == "DATALOADER_CONTROL_URL"
    assert "LAKEBASE_HOST" in str(caught.value.fix)
