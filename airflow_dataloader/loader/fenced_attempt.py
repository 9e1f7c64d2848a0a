"""What a dead attempt leaves outside its target: reads that a warm engine still runs, and its stage."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace

from airflow_dataloader.control.lease import Attempt
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.loader.stage_names import application_name, stage_name

log = logging.getLogger(__name__)


def clean_up_attempt(load: ActiveLoad, attempt: Attempt) -> None:
    """End the attempt's queries at the source, then remove its stage; for an attempt that is fenced.

    In this order, since a read that goes on would write the stage again. What cannot be cleared up is said
    in the log and changes nothing for this load.
    """
    name = application_name(load.started.installation, attempt.metadata_id)
    try:
        # Whoever comes under the attempt's name may end what runs under it.
        with closing(open_session(replace(load.endpoint, application_name=name))) as session:
            session.cancel_reads()
        stage = stage_name(load.config.target, load.started.installation, attempt.metadata_id, attempt.nonce)
        load.engine.drop_stage(stage)
    except DataloaderError as error:
        log.warning("What load %s left behind could not be removed: %s", attempt.metadata_id, error)
