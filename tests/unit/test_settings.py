from __future__ import annotations

import traceback
from pathlib import Path

import pytest

import airflow_dataloader
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.settings import Settings


def test_everything_has_a_default() -> None:
    settings = Settings.from_environment({})
    assert settings.home == Path.home() / ".dataloader"
    assert settings.control_conn_id == "dataloader_control"
    assert settings.databricks_conn_id == "databricks_default"
    assert settings.cluster is None
    assert settings.loader_path is None
    assert (settings.batch_size, settings.max_concurrent_loads) == (10, 32)
    assert (settings.queued_minutes, settings.progress_minutes, settings.lease_seconds) == (60, 10, 60)
    assert settings.poll_seconds == 10


def test_every_setting_is_read_somewhere() -> None:
    package = Path(airflow_dataloader.__file__).parent
    code = [path.read_text() for path in package.rglob("*.py") if path.name != "settings.py"]
    for option in Settings.options():
        assert any(f"settings.{option.name}" in text for text in code), option.name


def test_airflows_name_wins_over_ours_and_an_empty_value_is_none() -> None:
    environ = {
        "AIRFLOW__DATALOADER__BATCH_SIZE": "20",
        "DATALOADER_BATCH_SIZE": "30",
        "AIRFLOW__DATALOADER__POLL_SECONDS": "",
        "DATALOADER_POLL_SECONDS": "5",
        "DATALOADER_CONTROL_URL": "postgresql://elsewhere/dataloader",
    }
    settings = Settings.from_environment(environ)
    assert settings.batch_size == 20
    assert settings.poll_seconds == 5


def test_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert Settings.from_environment({"DATALOADER_HOME": "here"}).home == tmp_path / "here"
    assert Settings.from_environment({"DATALOADER_HOME": "~/there"}).home == Path("/home/someone/there")


def test_a_home_that_is_nobody_s_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({"DATALOADER_HOME": "~nouserx/there"})
    assert str(caught.value) == (
        "DATALOADER_HOME is '~nouserx/there'. "
        "Fix: set it to a folder by its whole path, as ~nouserx is nobody's here."
    )

    def nobody(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    # As for a number without an entry in the machine's list of users.
    monkeypatch.setattr(Path, "expanduser", nobody)
    with pytest.raises(ConfigurationError, match="This user has no home folder") as caught:
        Settings.from_environment({})
    assert caught.value.field == "DATALOADER_HOME"


def test_cluster_is_one_of_the_jobs_apis_ways() -> None:
    new = '{"new_cluster": {"num_workers": 2}, "libraries": []}'
    settings = Settings.from_environment({"DATALOADER_CLUSTER": new, "DATABRICKS_CLUSTER_ID": "0101-abc"})
    assert settings.cluster == {"new_cluster": {"num_workers": 2}, "libraries": []}


def test_the_documents_name_of_the_cluster_is_honoured() -> None:
    settings = Settings.from_environment({"DATABRICKS_CLUSTER_ID": "0101-abc"})
    assert settings.cluster == {"existing_cluster_id": "0101-abc"}


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("DATALOADER_BATCH_SIZE", "0", "a whole number from 1 to 1000000"),
        ("DATALOADER_BATCH_SIZE", "ten", "a whole number from 1 to 1000000"),
        ("DATALOADER_POLL_SECONDS", "-1", "a whole number from 1 to 1000000"),
        ("AIRFLOW__DATALOADER__LEASE_SECONDS", "5", "a whole number from 30 to 1000000"),
        ("DATALOADER_BATCH_SIZE", "1000001", "a whole number from 1 to 1000000"),
        ("DATALOADER_QUEUED_MINUTES", "9" * 5_000, "a whole number from 1 to 1000000"),
        ("DATALOADER_SCHEDULE_MODE", "asset", "one of interval"),
    ],
)
def test_a_bad_value_names_its_variable_and_what_it_must_be(name: str, text: str, wanted: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({name: text})
    assert caught.value.field == name
    assert caught.value.message == f"{name} is {text!r}."
    assert caught.value.fix is not None
    assert wanted in caught.value.fix


SECRET = "S3cretPw"
CLUSTER = "AIRFLOW__DATALOADER__CLUSTER"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f'{{"new_cluster": {{"x": "{SECRET}"}},}}', "reading it stopped at line 1, column 35"),
        (SECRET, "a JSON object with one of existing_cluster_id"),
        (f'["{SECRET}"]', "a JSON object"),
        (f'{{"existing_cluster_id": "{SECRET}", "new_cluster": {{}}}}', "a JSON object with one of"),
        ("[" * 100_000, "nested less deeply"),
        (f'{{"new_cluster": {{"x": ["{SECRET}", null]}}}}', "no null in it, as new_cluster.x[1] is"),
        (f'{{"existing_cluster_id": null, "x": "{SECRET}"}}', "no null in it, as existing_cluster_id is"),
        (f'{{"new_cluster": {{"x": "{SECRET}", "y": NaN}}}}', "with numbers that JSON knows"),
        (f'{{"new_cluster": {{"x": "{SECRET}", "y": {"9" * 5000}}}}}', "of fewer digits"),
    ],
)
def test_a_bad_value_that_may_hold_secrets_is_not_shown(text: str, wanted: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({CLUSTER: text})
    assert caught.value.field == CLUSTER
    assert caught.value.message == f"{CLUSTER} cannot be used."
    assert caught.value.fix is not None
    assert wanted in caught.value.fix
    assert SECRET not in "".join(traceback.format_exception(caught.value))
