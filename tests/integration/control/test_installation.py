"""A control database is known by its id."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.installation import check_installation
from airflow_dataloader.exceptions import ConfigurationError
from tests.integration.control.drive import sql

OTHER = "0123456789abcdef" * 2


def test_its_own_id_and_no_other_is_accepted(control: Engine) -> None:
    (row,) = sql(control, "SELECT id FROM control.installation")
    check_installation(control, row.id)
    with pytest.raises(ConfigurationError) as caught:
        check_installation(control, OTHER)
    assert str(caught.value).startswith(
        f"This run was submitted for control database {OTHER}, and its cluster leads to {row.id}."
    )
