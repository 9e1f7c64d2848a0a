from __future__ import annotations

from airflow_dataloader.operators.assets import table_asset


def test_a_table_has_one_asset() -> None:
    asset = table_asset(("bronze", "shop", "orders"))
    assert (asset.name, asset.uri) == ("x-dataloader://bronze/shop/orders",) * 2


def test_a_name_cannot_look_like_another_one() -> None:
    assert table_asset(("a/b", "c", "d")) != table_asset(("a", "b/c", "d"))
    assert table_asset(("a", "b", "ü {{ x }}")).uri.isascii()
