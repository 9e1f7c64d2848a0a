from __future__ import annotations

from airflow_dataloader.operators.assets import table_asset


def test_a_table_has_one_asset() -> None:
    asset = table_asset(("bronze", "shop", "orders"))
    assert (asset.name, asset.uri) == ("x-dataloader://bronze/shop/orders",) * 2


def test_a_name_cannot_look_like_another_one() -> None:
    assert table_asset(("a/b", "c", "d")) != table_asset(("a", "b/c", "d"))
    assert table_asset(("a", "b", "ü {{ x }}")).uri.isascii()


def test_names_of_any_length_have_an_asset_each() -> None:
    longest = "ü" * 255
    assets = [
        table_asset((longest, longest, last)) for last in (longest, f"{longest[:-1]}x", f"{longest[:-2]}xx")
    ]
    assert len({asset.uri for asset in assets}) == 3
    assert {len(asset.uri) for asset in assets} == {1_500}
    assert all(asset.name == asset.uri for asset in assets)
    assert assets[0] == table_asset((longest, longest, longest))


def test_a_name_that_fits_is_whole() -> None:
    whole = table_asset(("c" * 255, "s" * 255, "t" * 972))
    assert (len(whole.uri), whole.uri[-9:]) == (1_499, "t" * 9)
    assert table_asset(("c" * 255, "s" * 255, "t" * 973)).uri[-9:] == "t" * 9
    assert "~" in table_asset(("c" * 255, "s" * 255, "t" * 974)).uri
