"""The key of a table's rows: its columns, and the refusal of a target that holds several rows of one key."""

from __future__ import annotations

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.reading import Reader


def key_columns(job: Reader) -> tuple[str, ...]:
    """Return the target's names of the key columns; raise ConfigurationError for one the source lacks."""
    return tuple(
        job.dialect.find_column(job.columns, name, field="primary_key_cols").name
        for name in job.config.primary_key
    )


def refuse_repeated_keys(job: Job) -> None:
    """Raise ConfigurationError where several of the target's rows have one key."""
    keys = key_columns(job)
    for values in job.engine.duplicates(job.config.target, keys, 1) if keys else ():
        named = ", ".join(f"{key} = {value[:100]!r}" for key, value in zip(keys, values, strict=True))
        raise ConfigurationError(
            f"The target of {job.config.label} holds several rows of one key ({named}), and a merge would "
            "make all of them that key's newest row.",
            field="primary_key_cols",
            fix="name columns that tell the rows apart, or set load_full = 'true' to replace the table once",
        )
