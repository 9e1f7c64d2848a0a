"""What a load makes of its target's columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.delta_types import fits
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.core.schema_change import SchemaChange, can_take, decide, difference
from airflow_dataloader.core.strategy import SchemaPolicy
from airflow_dataloader.exceptions import SchemaRefused

EVOLVE, FREEZE, IGNORE = SchemaPolicy.EVOLVE, SchemaPolicy.FREEZE, SchemaPolicy.IGNORE
HELD = {"id": "int", "Name": "string", "price": "decimal(10,2)"}


def columns(**kinds: str) -> tuple[PlannedColumn, ...]:
    return tuple(
        PlannedColumn(
            source_name=name, name=name, select=name, wire=Wire.NATIVE, type=kind, source_type=f"their {kind}"
        )
        for name, kind in kinds.items()
    )


@pytest.mark.parametrize("policy", list(SchemaPolicy))
@pytest.mark.parametrize("replaces", [True, False])
def test_an_absent_target_becomes_what_is_planned(policy: SchemaPolicy, replaces: bool) -> None:
    change = decide(columns(id="int", new="date"), None, policy, replaces=replaces)
    assert change.after == {"id": "int", "new": "date"}
    assert change == SchemaChange(after=change.after)


def test_a_table_takes_what_its_columns_hold_or_can_become() -> None:
    assert can_take(HELD, columns(ID="smallint", name="string"))
    assert can_take(HELD, columns(id="bigint"))
    assert not can_take(HELD, columns(id="string"))
    assert not can_take(HELD, columns(id="int", NAME="int"))


def test_a_table_cannot_take_a_column_that_it_lacks() -> None:
    assert not can_take(HELD, columns(id="int", colour="string"))


def test_evolve_adds_and_widens_and_keeps_what_is_gone() -> None:
    change = decide(columns(ID="bigint", name="string", colour="string"), HELD, EVOLVE, replaces=False)
    assert change.after == {
        "id": "bigint",
        "Name": "string",
        "price": "decimal(10,2)",
        "colour": "string",
    }
    assert ([column.name for column in change.added], change.gone) == (["colour"], ("price",))
    assert not change.keeps_columns


def test_evolve_replaces_by_whatever_the_source_has() -> None:
    change = decide(columns(id="string"), HELD, EVOLVE, replaces=True)
    assert (change.after, change.gone, change.keeps_columns) == ({"id": "string"}, (), False)


@pytest.mark.parametrize("replaces", [True, False])
def test_freeze_names_what_is_new_and_what_has_changed(replaces: bool) -> None:
    with pytest.raises(SchemaRefused) as refused:
        decide(columns(id="bigint", name="string", colour="date"), HELD, FREEZE, replaces=replaces)
    assert "column colour is new (date; their date)" in refused.value.message
    assert "Column id is int at the target and bigint at the source (their bigint)" in refused.value.message
    assert refused.value.field == "colour"
    assert refused.value.fix is not None
    assert "schema_policy = 'evolve', load" in refused.value.fix


@pytest.mark.parametrize("kind", ["smallint", "string"])
def test_freeze_asks_for_a_new_table_where_the_target_cannot_follow(kind: str) -> None:
    with pytest.raises(SchemaRefused) as refused:
        decide(columns(id=kind), HELD, FREEZE, replaces=False)
    assert refused.value.fix is not None
    assert "load_full = 'true'" in refused.value.fix


@pytest.mark.parametrize("replaces", [True, False])
@pytest.mark.parametrize("policy", [FREEZE, IGNORE])
def test_a_column_that_is_gone_stays_and_another_spelling_is_no_change(
    policy: SchemaPolicy, replaces: bool
) -> None:
    change = decide(columns(name="string", Id="int"), HELD, policy, replaces=replaces)
    assert (change.after, change.gone, change.keeps_columns) == (HELD, ("price",), True)


@pytest.mark.parametrize("replaces", [True, False])
def test_ignore_leaves_new_columns_out_and_widens(replaces: bool) -> None:
    change = decide(columns(id="bigint", colour="string"), HELD, IGNORE, replaces=replaces)
    assert change.after == HELD | {"id": "bigint"}
    assert [column.name for column in change.ignored] == ["colour"]
    assert not change.added
    assert change.keeps_columns


@pytest.mark.parametrize(
    ("policy", "replaces", "fix"),
    [
        (EVOLVE, False, "set load_full"),
        (IGNORE, False, "set schema_policy"),
        (IGNORE, True, "set schema_policy"),
    ],
)
def test_a_type_that_cannot_follow_is_refused_with_both(
    policy: SchemaPolicy, replaces: bool, fix: str
) -> None:
    with pytest.raises(SchemaRefused) as refused:
        decide(columns(id="string", price="double"), HELD, policy, replaces=replaces)
    for part in ("id is int", "string at the source (their string)", "price is decimal(10,2)", "double"):
        assert part in refused.value.message
    assert refused.value.fix is not None
    assert refused.value.fix.startswith(fix)


@pytest.mark.parametrize("policy", list(SchemaPolicy))
def test_where_rows_would_be_lost_no_load_is_advised_that_replaces_the_table(policy: SchemaPolicy) -> None:
    with pytest.raises(SchemaRefused) as refused:
        decide(columns(id="string"), HELD, policy, replaces=False, keeps_older=True)
    fix = refused.value.fix or ""
    assert "load_full = 'true'" not in fix
    assert "cast the column in query" in fix


KINDS = st.sampled_from(["smallint", "int", "bigint", "decimal(9,2)", "decimal(22,2)", "double", "string"])
TABLES = st.dictionaries(st.sampled_from("abcde"), KINDS, min_size=1)


@given(source=TABLES, target=TABLES, policy=st.sampled_from(SchemaPolicy), replaces=st.booleans())
def test_whatever_is_decided_keeps_the_policy_s_promise(
    source: dict[str, str], target: dict[str, str], policy: SchemaPolicy, replaces: bool
) -> None:
    follows = {name: kind for name, kind in source.items() if name in target}
    try:
        change = decide(columns(**source), target, policy, replaces=replaces)
    except SchemaRefused:
        new = source.keys() - target.keys()
        assert any(target[name] != kind for name, kind in follows.items()) or (policy is FREEZE and new)
        assert not (policy is EVOLVE and replaces)
        return
    if policy is EVOLVE and replaces:
        assert change.after == source
        return
    loaded = source.keys() - {column.name for column in change.ignored}
    assert change.after.keys() == target.keys() | loaded
    assert all(fits(source[name], change.after[name]) for name in loaded)
    assert all(fits(kind, change.after[name]) for name, kind in target.items())
    assert set(change.gone) == target.keys() - source.keys()
    if policy is FREEZE:
        assert change.after == target
    if policy is IGNORE:
        assert change.after.keys() == target.keys()


def test_a_difference_is_told_in_words() -> None:
    assert difference({"a": "int"}, {"A": "int"}) == ""
    told = difference({"a": "int", "b": "date"}, {"a": "bigint", "c": "string"})
    assert told == "Columns of the target: c string added, a int became bigint, b dropped."
