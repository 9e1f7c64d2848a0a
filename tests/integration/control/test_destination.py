"""Two active rows never have one destination, wherever its schema comes from."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from tests.factories import add_source
from tests.waiting import until

INSERT = """
    INSERT INTO control.table_control (is_active, db_config_key, source_table_schema, source_table_name,
        destination_table_catalog, destination_table_schema, destination_table_name)
    VALUES (:active, :key, 'sales', :name, :catalog, :schema, :table) RETURNING config_id
"""


@pytest.fixture
def shop(control: Engine) -> str:
    """A source whose default schema is called Shop."""
    return add_source(control, default_target_schema="Shop")


def insert(
    control: Engine,
    name: str,
    table: str | None,
    *,
    schema: str | None = None,
    catalog: str | None = "bronze",
    key: str = "shop",
    active: bool = True,
) -> int:
    values = {
        "active": active,
        "key": key,
        "name": name,
        "catalog": catalog,
        "schema": schema,
        "table": table,
    }
    with transaction(control) as connection:
        return int(connection.execute(text(INSERT), values).scalar_one())


def run(control: Engine, statement: str, **values: object) -> None:
    with transaction(control) as connection:
        connection.execute(text(statement), values)


def resolved(control: Engine, config_id: int) -> str | None:
    query = text("SELECT resolved_destination FROM control.table_control WHERE config_id = :id")
    with transaction(control) as connection:
        return connection.execute(query, {"id": config_id}).scalar_one()


def test_names_are_compared_without_case_and_the_message_names_both_rows(control: Engine, shop: str) -> None:
    first = insert(control, "orders", "Orders", schema="shop")
    with pytest.raises(ConfigurationError) as caught:
        insert(control, "orders_2", "ORDERS", schema=" SHOP ", catalog="Bronze")
    message = caught.value.message
    assert "(source shop, table sales.orders_2) would load into `bronze`.`shop`.`orders`" in message
    assert f"which active config_id {first} (source shop, table sales.orders) already loads" in message
    assert caught.value.field == "destination_table_name"
    assert "is_active = false" in str(caught.value.fix)


def test_the_default_schema_counts(control: Engine, shop: str) -> None:
    first = insert(control, "a", "orders", schema="  ")
    assert resolved(control, first) == "`bronze`.`shop`.`orders`"
    with pytest.raises(ConfigurationError, match=f"active config_id {first}"):
        insert(control, "b", "orders", schema="shop")


def test_inactive_rows_may_share_and_cannot_be_activated_into_a_taken_place(
    control: Engine, shop: str
) -> None:
    first = insert(control, "a", "orders")
    second = insert(control, "b", "orders", active=False)
    with pytest.raises(ConfigurationError, match=f"config_id {second} .* active config_id {first}"):
        run(control, "UPDATE control.table_control SET is_active = true")
    run(control, "UPDATE control.table_control SET is_active = false WHERE config_id = :id", id=first)
    run(control, "UPDATE control.table_control SET is_active = true WHERE config_id = :id", id=second)


def test_two_rows_of_one_statement(control: Engine, shop: str) -> None:
    insert(control, "a", "orders", active=False)
    insert(control, "b", "orders", active=False)
    with pytest.raises(ConfigurationError, match="already loads"):
        run(control, "UPDATE control.table_control SET is_active = true")


@pytest.mark.parametrize(("catalog", "table"), [(None, "orders"), ("bronze", None), ("bronze", " ")])
def test_a_name_that_is_not_whole_is_no_destination(
    control: Engine, shop: str, catalog: str | None, table: str | None
) -> None:
    rows = [insert(control, name, table, catalog=catalog) for name in ("a", "b")]
    assert [resolved(control, row) for row in rows] == [None, None]


def test_a_dot_in_a_name_is_not_a_border(control: Engine, shop: str) -> None:
    insert(control, "a", "c", catalog="bronze", schema="a.b")
    insert(control, "b", "b.c", catalog="bronze", schema="a")
    insert(control, "c", "b`.`c", catalog="bronze", schema="a")


def test_names_of_full_length_fit_the_index(control: Engine, shop: str) -> None:
    long = "".join(chr(0x4E00 + number) for number in range(255))
    insert(control, "a", long, schema=long[::-1], catalog=long)
    with pytest.raises(ConfigurationError, match="already loads"):
        insert(control, "b", long, schema=long[::-1], catalog=long)


def test_a_changed_default_moves_the_rows_that_rely_on_it(control: Engine, shop: str) -> None:
    relying = insert(control, "a", "orders")
    fixed = insert(control, "b", "customers", schema="shop")
    run(control, "UPDATE control.table_control_dbconfig SET default_target_schema = 'crm'")
    assert resolved(control, relying) == "`bronze`.`crm`.`orders`"
    assert resolved(control, fixed) == "`bronze`.`shop`.`customers`"
    insert(control, "c", "orders", schema="shop")
    run(control, "UPDATE control.table_control_dbconfig SET default_target_schema = NULL")
    assert resolved(control, relying) is None


def test_a_source_that_is_given_its_first_default_gives_its_rows_their_destinations(
    control: Engine, shop: str
) -> None:
    run(control, "UPDATE control.table_control_dbconfig SET default_target_schema = NULL")
    first = insert(control, "a", "orders")
    assert resolved(control, first) is None
    run(control, "UPDATE control.table_control_dbconfig SET default_target_schema = 'crm'")
    assert resolved(control, first) == "`bronze`.`crm`.`orders`"
    with pytest.raises(ConfigurationError, match=f"active config_id {first} "):
        insert(control, "b", "orders", schema="crm")


def test_a_default_that_would_double_a_destination_is_refused(control: Engine, shop: str) -> None:
    relying = insert(control, "a", "orders")
    other = insert(control, "b", "orders", schema="crm")
    with pytest.raises(ConfigurationError, match=f"config_id {relying} .* active config_id {other}"):
        run(control, "UPDATE control.table_control_dbconfig SET default_target_schema = 'crm'")
    assert resolved(control, relying) == "`bronze`.`shop`.`orders`"


def test_another_source_and_a_deleted_one(control: Engine, shop: str) -> None:
    add_source(control, key="erp", default_target_schema="erp")
    row = insert(control, "a", "orders")
    run(control, "UPDATE control.table_control SET db_config_key = 'erp'")
    assert resolved(control, row) == "`bronze`.`erp`.`orders`"
    run(
        control, "UPDATE control.table_control_dbconfig SET db_config_key = 'sap' WHERE db_config_key = 'erp'"
    )
    assert resolved(control, row) == "`bronze`.`erp`.`orders`"
    run(control, "DELETE FROM control.table_control_dbconfig WHERE db_config_key = 'sap'")
    assert resolved(control, row) is None


def test_nobody_can_write_the_resolved_name(control: Engine, shop: str) -> None:
    row = insert(control, "a", "orders")
    run(control, "UPDATE control.table_control SET resolved_destination = 'mine'")
    assert resolved(control, row) == "`bronze`.`shop`.`orders`"


def test_many_at_once_leave_one(control: Engine, shop: str) -> None:
    results: list[str] = []

    def create(number: int) -> None:
        try:
            insert(control, f"t{number}", "orders")
            results.append("in")
        except DataloaderError as error:
            results.append(error.sqlstate or "")

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["23505"] * 7 + ["in"]


def test_a_default_changed_beside_an_insert_is_never_missed(control: Engine, shop: str) -> None:
    """The insert waits for the source's change, and then uses the new default."""
    with transaction(control) as change:
        change.execute(text("UPDATE control.table_control_dbconfig SET default_target_schema = 'crm'"))
        inserted: list[int] = []
        thread = threading.Thread(target=lambda: inserted.append(insert(control, "a", "orders")))
        thread.start()
        thread.join(0.3)
        assert not inserted
    thread.join()
    assert resolved(control, inserted[0]) == "`bronze`.`crm`.`orders`"


def test_two_rows_of_one_moment_are_refused_in_words(control: Engine, shop: str) -> None:
    """The second waits at the index, where only the first row's key is known."""
    with transaction(control) as first:
        values = {
            "active": True,
            "key": "shop",
            "name": "a",
            "catalog": "bronze",
            "schema": None,
            "table": "t",
        }
        first.execute(text(INSERT), values)
        refused: list[DataloaderError] = []

        def second() -> None:
            with pytest.raises(ConfigurationError) as caught:
                insert(control, "b", "t")
            refused.append(caught.value)

        thread = threading.Thread(target=second)
        thread.start()
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )

        def waits() -> int:
            # Within one transaction it would see the same for ever.
            with control.begin() as look:
                return int(look.execute(waiting).scalar_one())

        until(waits)
    thread.join()
    assert "another active row got the same destination at the same moment" in str(refused[0])
    assert refused[0].field == "destination_table_name"
    assert "destination_key" not in str(refused[0])


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_default_is_not_changed_by_who_cannot_see_every_row(control: Engine, shop: str, level: str) -> None:
    insert(control, "orders", "orders", schema="other")
    change = "UPDATE control.table_control_dbconfig SET default_target_schema = 'other'"
    with control.connect() as session:
        session.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL {level}")
        session.exec_driver_sql("SELECT count(*) FROM control.table_control")
        relying = insert(control, "orders", "orders")
        with pytest.raises(IntegrityError, match=f"isolation level {level.lower()}"):
            session.exec_driver_sql(change)
    assert resolved(control, relying) == "`bronze`.`shop`.`orders`"
    with pytest.raises(ConfigurationError, match="already loads"):
        run(control, change)
