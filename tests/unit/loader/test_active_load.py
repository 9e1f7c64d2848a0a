"""What a load under way knows of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_dataloader.core.commit import FENCE_STEP, Commit, loader_mark, txn_version
from airflow_dataloader.core.facts import Bounds, Facts
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import LeaseLost
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.unit.loader.active_loads import active_load, target


def test_a_commit_carries_row_epoch_step_and_facts() -> None:
    commit = active_load().commit(1, Facts(window=Bounds(low="a")))
    assert commit.app_id == f"adl:{'f' * 32}:7"
    assert commit.version == txn_version(3, 1)
    assert commit.metadata_id == 41
    assert commit.facts.window == Bounds(low="a")
    assert commit.facts.content_hash == active_load().config.content_hash


def keyed(base: str, declared: str, **snapshot: Any) -> ActiveLoad:
    """Return a load whose key is a number and a column of this type, unless the snapshot says otherwise."""
    load = active_load(**({"primary_key_cols": "ID, code"} | snapshot))
    load.described = (
        DescribedColumn(name="id", base="int4", declared="integer"),
        DescribedColumn(name="code", base=base, declared=declared, modifier=7),
        DescribedColumn(name="name", base="text", declared="text"),
    )
    load.columns = plan_columns(load.described, ValuePolicy.FAIL).columns
    return load


def held(*commits: Commit) -> Target:
    entries = tuple(HistoryEntry(table_version=3, commit=commit) for commit in commits)
    return Target(version=3, columns={}, commits=entries, filled=True, continuous=True)


def test_a_commit_says_what_the_texts_of_its_key_depend_on() -> None:
    assert keyed("bpchar", "character(3)").commit(1, Facts()).facts.spellings == {"code": "character(3)"}
    assert not active_load().commit(1, Facts()).facts.spellings


@pytest.mark.parametrize("strategy", ["append_only", "full"])
def test_without_a_key_a_commit_says_so_of_all_texts(strategy: str) -> None:
    before, now = (
        keyed("bpchar", declared, primary_key_cols=None, load_strategy=strategy)
        for declared in ("character(3)", "character(5)")
    )
    commit = before.commit(1, Facts())
    assert commit.facts.spellings == {"code": "character(3)", "name": "text"}
    respelled = now.respelled(held(commit))
    assert respelled == ({"code": "character(3)"} if strategy == "append_only" else {})


def test_a_key_of_another_type_has_other_texts_than_the_newest_commit_that_published() -> None:
    old, now = keyed("bpchar", "character(3)"), keyed("bpchar", "character(5)")
    table = held(now.commit(FENCE_STEP, Facts()), old.commit(2, Facts()), now.commit(1, Facts()))
    assert now.respelled(table) == {"code": "character(3)"}
    assert old.respelled(table) == {}


@pytest.mark.parametrize("other", [False, True])
def test_a_table_in_the_place_of_another_may_hold_the_texts_of_any_commit(*, other: bool) -> None:
    old, now = keyed("bpchar", "character(3)"), keyed("bpchar", "character(5)")
    newest, before = held(now.commit(2, Facts())), held(old.commit(1, Facts())).commits
    table = replace(
        newest,
        commits=newest.commits + (() if other else before),
        commits_of_others=before if other else (),
    )
    assert now.respelled(table) == {}
    assert now.respelled(replace(table, continuous=False)) == {"code": "character(3)"}
    fenced = held(now.commit(2, Facts()), old.commit(FENCE_STEP, Facts()))
    assert now.respelled(replace(fenced, continuous=False)) == {}


def test_what_no_commit_says_is_not_taken_for_another_type() -> None:
    now = keyed("bpchar", "character(5)")
    assert now.respelled(None) == {}
    assert (
        now.respelled(
            held(active_load().commit(1, Facts()), keyed("bpchar", "character(3)").commit(1, Facts()))
        )
        == {}
    )


def test_a_stage_is_the_load_s_own_among_all_installations_and_beside_the_target() -> None:
    own = active_load()
    assert str(own.stage_name) == f"bronze.shop._adl_stage_ffffffff_41_{loader_mark(own.started.nonce)}"


def test_a_lost_row_is_noticed_at_every_moment() -> None:
    with pytest.raises(LeaseLost):
        active_load(lost=True).reached(Moment.STAGED)


def test_a_new_or_empty_table_is_replaced_and_a_filled_one_is_not() -> None:
    load = active_load()
    assert load.starts_over
    load.target = target(filled=False)
    assert load.starts_over
    load.target = target(filled=True)
    assert not load.starts_over


def test_a_filled_table_is_replaced_where_load_full_asks() -> None:
    load = active_load(load_full="true")
    load.target = target(filled=True)
    assert load.starts_over
