from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, Fenced
from airflow_dataloader.operators.errors import as_airflow_errors


def test_what_may_pass_is_left_to_airflows_retries() -> None:
    with pytest.raises(AirflowException, match="gone") as caught, as_airflow_errors():
        raise ControlUnavailable("gone")
    assert not isinstance(caught.value, AirflowFailException)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("error", [ConfigurationError("wrong", fix="mend it"), Fenced("held by load 3")])
def test_what_will_not_pass_is_final_and_one_line(error: Exception) -> None:
    with pytest.raises(AirflowFailException) as caught, as_airflow_errors():
        raise error
    assert str(caught.value) == str(error)


def test_anything_else_is_a_bug_and_shows_itself() -> None:
    with pytest.raises(ZeroDivisionError), as_airflow_errors():
        raise ZeroDivisionError
