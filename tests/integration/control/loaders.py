"""What a loader may try with its load, at any time: each try is accepted or refused as the model says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import Engine

from airflow_dataloader.control import lease, settle
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.exceptions import Fenced
from tests.integration.control.lifecycle import FINAL, SHARED, ModelLoad

Draw = st.DataObject

FAILURE = Failure(phase=Phase.STAGE, error="Oops", message="oops", transient=True)
WATERMARKS = st.none() | st.sampled_from(["1", "2", "3"])


def start(engine: Engine, load: ModelLoad, data: Draw) -> None:
    """Start it, or say so once more; another loader with the same load comes late."""
    nonce = data.draw(st.sampled_from(["a", "a", "a", "b"]))
    ids = (engine, load.metadata_id, load.epoch)
    if not (load.alive and load.nonce in {None, nonce}):
        with pytest.raises(Fenced):
            lease.start(*ids, nonce=nonce)
        return
    started = lease.start(*ids, nonce=nonce)
    assert [attempt.metadata_id for attempt in started.uncertain] == load.owed()
    assert started.config.incremental_value == load.snapshot["incremental_value"]
    load.nonce, load.started, load.status, load.row.status = nonce, started, "In Progress", "In Progress"
    load.aged.discard("lease_until")


def submit(engine: Engine, load: ModelLoad, data: Draw) -> None:
    """Record the run that executes it."""
    run = data.draw(st.sampled_from(["r1", "r2"]))
    ids = (engine, load.metadata_id, load.epoch)
    if load.status in FINAL or load.row.deleted or load.row.epoch != load.epoch:
        with pytest.raises(Fenced):
            update_run_tracking(*ids, databricks_run=run)
    else:
        update_run_tracking(*ids, databricks_run=run)
        load.run = run


def heartbeat(engine: Engine, load: ModelLoad, data: Draw) -> None:
    """Renew its lease."""
    progressed = data.draw(st.booleans())
    ids = (engine, load.metadata_id, load.epoch, load.nonce or "a")
    if load.alive and load.status == "In Progress":
        lease.heartbeat(*ids, progressed=progressed)
        load.aged -= {"lease_until", "progress_at"} if progressed else {"lease_until"}
    else:
        with pytest.raises(Fenced):
            lease.heartbeat(*ids, progressed=progressed)


def stranger(engine: Engine, load: ModelLoad, data: Draw) -> None:
    """Speak for a load that somebody else started."""
    if load.started is None or load.status in FINAL:
        return
    guessed = replace(load.started, nonce="guessed")
    # A load that a reap has taken over has the next epoch, and no loader knows that.
    strange = [-1] if load.fenced else [-1, 1]
    other = replace(load.started, epoch=load.epoch + data.draw(st.sampled_from(strange)))
    ids = (engine, load.metadata_id, load.epoch)
    done: dict[str, Any] = {"receipt": Receipt(), "watermark": "9"}
    words: dict[str, Callable[[], object]] = {
        "heartbeat": lambda: lease.heartbeat(*ids, guessed.nonce, progressed=True),
        "succeed": lambda: settle.succeed(engine, guessed, **done),
        "fail": lambda: settle.fail(engine, guessed, failure=FAILURE, receipt=None),
        "epoch": lambda: settle.succeed(engine, other, **done),
    }
    word = data.draw(st.sampled_from(list(words)))
    with pytest.raises(Fenced):
        words[word]()


def succeed(engine: Engine, load: ModelLoad, data: Draw) -> None:
    """Settle it; an answer that was lost makes it say so twice."""
    if load.started is None:
        return
    published, clear = data.draw(st.booleans()), data.draw(st.booleans())
    watermark, after = data.draw(WATERMARKS), data.draw(st.sampled_from([None, "rolling"]))
    facts: dict[str, Any] = {
        "receipt": Receipt(target_version=7 if published else None, rows_inserted=1),
        "watermark": watermark,
        "clear_load_full": clear,
        "strategy_after": after,
    }
    if not load.alive:
        if load.status != "Succeeded":
            with pytest.raises(Fenced):
                settle.succeed(engine, load.started, **facts)
        return
    wanted: dict[str, Any] = {"incremental_value": watermark, "load_strategy": after}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if clear:
        wanted["load_full"] = None
    row = load.row.values
    edited = [name for name in SHARED if row[name] != load.snapshot[name]]
    kept = tuple(name for name in edited if name in wanted and row[name] != wanted[name])
    for _ in range(data.draw(st.integers(1, 2))):
        assert settle.succeed(engine, load.started, **facts).kept_edits == kept
    row.update({name: value for name, value in wanted.items() if name not in kept})
    load.row.retry_count = 0
    load.paid = published
    load.end("Succeeded", "loader")


def fail(engine: Engine, load: ModelLoad, data: Draw) -> None:
    """Settle it as failed or cancelled."""
    if load.started is None:
        return
    unknown, fenced, cancelled = (data.draw(st.booleans()) for _ in range(3))
    facts: dict[str, Any] = {
        "failure": replace(FAILURE, outcome_unknown=unknown),
        "receipt": Receipt(fence_version=0) if fenced else None,
        "cancelled": cancelled,
    }
    status = "Cancelled" if cancelled else "Failed"
    if load.alive:
        settle.fail(engine, load.started, **facts)
        load.outcome_unknown, load.paid = unknown, fenced
        load.end(status, "loader")
    elif not (load.settled_by == "loader" and load.status == status):
        with pytest.raises(Fenced):
            settle.fail(engine, load.started, **facts)


def adopt(engine: Engine, load: ModelLoad, data: Draw) -> None:
    """Find the commit of an earlier attempt at the target, and record it."""
    if load.started is None or not load.started.uncertain:
        return
    attempt, watermark = data.draw(st.sampled_from(load.started.uncertain)), data.draw(WATERMARKS)
    facts: dict[str, Any] = {"found": Receipt(target_version=5), "watermark": watermark}
    if not load.alive:
        with pytest.raises(Fenced):
            settle.adopt(engine, load.started, attempt, **facts)
        return
    moves = watermark is not None and load.row.values["incremental_value"] in {attempt.low, watermark}
    adopted = settle.adopt(engine, load.started, attempt, **facts)
    assert adopted.moved is moves
    load.started = adopted.started
    load.adopt(attempt.metadata_id, watermark if moves else None)


ACTIONS: Mapping[str, Callable[[Engine, ModelLoad, Draw], None]] = {
    "start": start,
    "submit": submit,
    "heartbeat": heartbeat,
    "stranger": stranger,
    "succeed": succeed,
    "fail": fail,
    "adopt": adopt,
}
