"""The key of a table's rows: its columns, and the refusal of a target whose rows it does not tell apart."""

from __future__ import annotations

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.names import quoted
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.reader import Reader


def key_columns(reader: Reader) -> tuple[str, ...]:
    """Return the target's names of the key columns; raise ConfigurationError for one the source lacks."""
    return tuple(
        reader.dialect.find_column(reader.columns, name, field="primary_key_cols").name
        for name in reader.config.primary_key
    )


def refuse_repeated_keys(load: ActiveLoad) -> None:
    """Raise ConfigurationError where several of the target's rows have one key."""
    keys = key_columns(load)
    for values in load.engine.duplicates(load.config.target, keys, 1) if keys else ():
        named = ", ".join(f"{key} = {value[:100]!r}" for key, value in zip(keys, values, strict=True))
        raise ConfigurationError(
            f"The target of {load.config.label} holds several rows of one key ({named}), and a merge would "
            "make all of them that key's newest row.",
            field="primary_key_cols",
            fix="name columns that tell the rows apart, or set load_full = 'true' to replace the table once",
        )


def refuse_keyless_rows(load: ActiveLoad) -> None:
    """Raise ConfigurationError where rows of the target have NULL in the key.

    They came before their key did, as when it is a column that the source has been given since, or by a load
    that asks for none. As soon as they have one at the source, a load would add them beside what the target
    holds. No load by that key brings such rows, so that one that has looked need not look again.
    """
    keys = key_columns(load)
    lacking = " OR ".join(f"{quoted(key)} IS NULL" for key in keys)
    with load.journal.during(Phase.PLAN):
        held = load.engine.count(load.config.target, lacking)
    if held:
        raise ConfigurationError(
            f"{held} rows of {load.config.target} have NULL in the key ({', '.join(keys)}): each of them "
            "would come a second time once it has a key at the source.",
            field="primary_key_cols",
            fix="name the key by which they came; or give these rows their keys at the target, or delete "
            "them there; or set load_full = 'true' to replace the table once",
        )
