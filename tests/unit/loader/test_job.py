"""What a load under way knows of itself."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.commit import txn_version
from airflow_dataloader.exceptions import LeaseLost
from airflow_dataloader.loader.observer import Moment
from tests.unit.loader.jobs import job, target


def test_a_commit_carries_row_epoch_step_and_facts() -> None:
    commit = job().commit(1, {"low": "a"})
    assert commit.app_id == f"adl:{'f' * 32}:7"
    assert commit.version == txn_version(3, 1)
    assert commit.metadata_id == 41
    assert commit.facts["low"] == "a"
    assert commit.facts["content_hash"] == job().config.content_hash


def test_a_stage_is_the_load_s_own_among_all_installations_and_beside_the_target() -> None:
    assert str(job().stage_name) == "bronze.shop._adl_stage_ffffffff_41"


def test_a_lost_row_is_noticed_at_every_moment() -> None:
    with pytest.raises(LeaseLost):
        job(lost=True).reached(Moment.STAGED)


def test_a_new_or_empty_table_is_replaced_and_a_filled_one_is_not() -> None:
    load = job()
    assert load.replaces_table
    load.target = target(filled=False)
    assert load.replaces_table
    load.target = target(filled=True)
    assert not load.replaces_table


def test_a_filled_table_is_replaced_where_load_full_asks() -> None:
    load = job(load_full="true")
    load.target = target(filled=True)
    assert load.replaces_table


def test_no_password_in_a_job_s_own_description() -> None:
    assert "hunter2" not in repr(job())
