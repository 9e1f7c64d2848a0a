"""The tries of an Airflow task as ``historical_metadata.airflow_task`` names them.

A try writes its name on the load that it answers for. Airflow renames the task's instance for every try, and
counts its tries on, also when the task is cleared: of two tries, the one with the higher number is the newer.
"""

from __future__ import annotations


def try_name(task_instance_id: str, number: int) -> str:
    """Return what stands on a load as ``airflow_task``, for the try that answers for it."""
    return f"{task_instance_id}/{number}"


def try_number(airflow_task: str | None) -> int:
    """Return which try of its task wrote its name on a load; 0: none that can be told."""
    number = (airflow_task or "").rpartition("/")[2]
    return int(number) if number.isdecimal() else 0
