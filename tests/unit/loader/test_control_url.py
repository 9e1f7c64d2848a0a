"""Which control database a loader takes: the environment's, and the secret's only where that names none."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.control_url import find_control_url
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain

SECRET = "DATALOADER_SECRET_DATALOADER_CONTROL_URL"
OTHER = "postgresql://ann:s3cret@other.example:5432/dataloader"
STORE = SecretChain(EnvironmentSecrets({SECRET: OTHER}))
EMPTY = SecretChain(EnvironmentSecrets({}))


def test_the_environment_comes_before_the_secret() -> None:
    url = "postgresql://db.example:5433/ours"
    assert find_control_url({"DATALOADER_CONTROL_URL": url}, STORE) == url
    assert find_control_url({"LAKEBASE_HOST": "db.example", "LAKEBASE_DATABASE": "ours"}, STORE) == (
        "postgresql://db.example/ours"
    )


@pytest.mark.parametrize("environ", [{}, {"DATALOADER_CONTROL_URL": "", "LAKEBASE_HOST": ""}])
def test_the_secret_is_asked_where_the_environment_names_none(environ: dict[str, str]) -> None:
    assert find_control_url(environ, STORE) == OTHER


@pytest.mark.parametrize(
    ("environ", "field"),
    [
        ({"DATALOADER_CONTROL_URL": "postgresql://a@b@c/x"}, "DATALOADER_CONTROL_URL"),
        ({"DATALOADER_CONTROL_URL": "postgresql://db.example"}, "DATALOADER_CONTROL_URL"),
        ({"DATALOADER_CONTROL_URL": "postgresql:///x?service=y"}, "service"),
        (
            {"LAKEBASE_HOST": "db.example", "LAKEBASE_DATABASE": "ours", "LAKEBASE_PORT": "x"},
            "LAKEBASE_PORT",
        ),
    ],
)
def test_a_mistake_in_the_environment_never_leads_to_the_secret_s_database(
    environ: dict[str, str], field: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_control_url(environ, STORE)
    assert caught.value.field == field


def test_where_none_is_named_all_three_places_are() -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_control_url({}, EMPTY)
    assert str(caught.value).endswith(
        "LAKEBASE_USER and LAKEBASE_PASSWORD, or store the URL as secret 'control_url' of scope 'dataloader'."
    )
    for name in ("DATALOADER_CONTROL_URL", "LAKEBASE_HOST"):
        assert name in str(caught.value)


def test_a_mistake_in_the_secret_names_the_secret() -> None:
    wrong = SecretChain(EnvironmentSecrets({SECRET: "postgresql://ann:s3cret@db.example"}))
    with pytest.raises(ConfigurationError, match=r"^Secret 'control_url' .* names no database") as caught:
        find_control_url({}, wrong)
    assert "s3cret" not in str(caught.value)
