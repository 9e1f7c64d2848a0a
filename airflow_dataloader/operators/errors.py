"""Our errors as Airflow has to see them: one line, and tried again only where that can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_dataloader.exceptions import DataloaderError, TransientError


@contextmanager
def as_airflow_errors() -> Iterator[None]:
    """Raise a transient error of ours as one that Airflow's retries cover, any other as final."""
    try:
        yield
    except TransientError as error:
        raise AirflowException(str(error)) from None
    except DataloaderError as error:
        raise AirflowFailException(str(error)) from None
