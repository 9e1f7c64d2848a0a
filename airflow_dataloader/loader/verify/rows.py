"""Compares rows of the control table, one after another; the trouble of one never stops the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from airflow_dataloader.control.row_state import RowState, row_states
from airflow_dataloader.core.commit import app_id
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.problems import problems
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.reading import take_columns
from airflow_dataloader.loader.verify.compare import compare
from airflow_dataloader.loader.verify.source_view import open_source_view
from airflow_dataloader.loader.verify.verified import Verified


def verify_rows(
    context: LoaderContext,
    config_ids: Sequence[int],
    *,
    begin: Callable[[str], None] = lambda _: None,
    report: Callable[[Verified], None] = lambda _: None,
) -> list[Verified]:
    """Compare the rows of these ids; ``begin`` is told of each one's label, ``report`` of its end.

    Raises ConfigurationError naming ids that no row has, before anything is compared.
    """
    known = {row.config_id for row in row_states(context.control, config_ids)}
    missing = [str(config_id) for config_id in config_ids if config_id not in known]
    if missing:
        raise ConfigurationError(
            f"No row has config_id {' or '.join(missing)}.", field="parameters", fix="pass ids of rows"
        )
    ended = []
    for config_id in config_ids:
        # As it is now: those before may have taken hours.
        for row in row_states(context.control, [config_id]):
            begin(row.label)
            verified = verify_row(context, row)
            report(verified)
            ended.append(verified)
    return ended


def verify_row(context: LoaderContext, row: RowState) -> Verified:
    """Compare one row, and say whether a load came in between."""
    try:
        verified = _compare(context, row)
    except DataloaderError as error:
        verified = Verified(config_id=row.config_id, label=row.label, reason=str(error))
    notes = list(verified.notes)
    if row.live:
        notes.append("A load of the row is under way: a later comparison may find something else.")
    elif _moved_on(context, row):
        notes.append("A load of the row began during the comparison, which may have seen half of it.")
    return replace(verified, notes=tuple(notes))


def _compare(context: LoaderContext, row: RowState) -> Verified:
    wrong = problems(row.snapshot)
    if wrong:
        first = wrong[0]
        raise ConfigurationError(
            f"{row.label} cannot be loaded: {first.field}: {first.what}.", field=first.field, fix=first.fix
        )
    config = LoadConfig.from_snapshot(row.snapshot)
    if row.backfilling:
        raise ConfigurationError(
            f"The backfill of {row.label} has not ended.",
            field="load_strategy",
            fix="let the backfill go on, and verify the row when its load_strategy has become incremental",
        )
    with open_source_view(context, config) as view:
        # Of the history nothing is wanted but the version: the row's newest commit is far enough back.
        writer = app_id(row.installation, row.config_id)
        target = context.engine.inspect(config.target, writer, back_to=row.epoch + 1)
        if target is None:
            raise ConfigurationError(
                f"Target {config.target} of {row.label} does not exist.",
                field="destination_table_name",
                fix="load the row first",
            )
        view.target = target
        if view.partitioned_by:
            take_columns(view, view.described)
        return compare(view, target)


def _moved_on(context: LoaderContext, row: RowState) -> bool:
    return [now.epoch for now in row_states(context.control, [row.config_id])] != [row.epoch]
