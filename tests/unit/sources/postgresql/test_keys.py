"""Types that cannot be keys; whether PostgreSQL describes them so is tested on a real server."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.dialect import DescribedColumn
from airflow_dataloader.sources.postgresql.keys import refuse_loose_keys


@pytest.mark.parametrize("declared", ["citext", "public.citext"])
def test_a_text_that_ignores_case_is_refused(declared: str) -> None:
    column = DescribedColumn(name="Mail", base=declared, declared=declared)
    with pytest.raises(ConfigurationError, match=f"'Mail' is of type {declared}"):
        refuse_loose_keys([column], ["mail"])
    refuse_loose_keys([column], ["id"])


def test_an_array_of_them_is_refused() -> None:
    column = DescribedColumn(name="mails", base="citext[]", declared="citext[]", array=True)
    with pytest.raises(ConfigurationError):
        refuse_loose_keys([column], ["mails"])
