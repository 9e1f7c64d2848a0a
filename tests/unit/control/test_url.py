"""Where the control database is, and that nothing goes there without TLS or tells the password."""

from __future__ import annotations

import pytest
from psycopg.pq import Conninfo

from airflow_dataloader.control.url import read_url, resolve_url
from airflow_dataloader.exceptions import ConfigurationError

CANARY = "canary-p4ss"
REMOTE = f"postgresql://anna:{CANARY}@db.example.org:6432/dataloader"

LAKEBASE = {
    "LAKEBASE_HOST": "lake.example.org",
    "LAKEBASE_PORT": "5433",
    "LAKEBASE_DATABASE": "dataloader",
    "LAKEBASE_USER": "anna@example.org",
    "LAKEBASE_PASSWORD": "p@ss/word#%:?",
}


@pytest.mark.parametrize(
    "url",
    [
        REMOTE,
        REMOTE.replace("postgresql://", "postgres://"),
        REMOTE.replace("postgresql://", "postgresql+psycopg://"),
        f"host=db.example.org port=6432 dbname=dataloader user=anna password={CANARY}",
        f"postgresql:///dataloader?host=db.example.org&port=6432&user=anna&password={CANARY}",
    ],
)
def test_every_form_is_read(url: str) -> None:
    read = read_url(url)
    assert str(read.place) == "dataloader at db.example.org:6432"
    assert read.parameters["user"] == "anna"
    assert read.parameters["password"] == CANARY
    assert read.parameters["sslmode"] == "require"
    assert CANARY not in repr(read)


@pytest.mark.parametrize("password", ["pa://ss", "://", "x=y ://z", "postgresql://h/d"])
def test_a_password_in_the_other_form_may_look_like_a_url(password: str) -> None:
    read = read_url(f"host=db.example.org dbname=dataloader user=anna password='{password}'")
    assert read.parameters["password"] == password
    assert str(read.place) == "dataloader at db.example.org:5432"


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
@pytest.mark.parametrize(
    "host", ["db.example.org", "10.0.0.1", "localhost,db.example.org", "localhost.evil.org"]
)
def test_another_machine_needs_tls(host: str, mode: str) -> None:
    with pytest.raises(ConfigurationError, match=f"sslmode={mode} would let .* go without TLS") as caught:
        read_url(f"postgresql://anna:{CANARY}@{host}/dataloader?sslmode={mode}")
    assert caught.value.field == "sslmode"
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_stricter_modes_stay(mode: str) -> None:
    assert read_url(f"{REMOTE}?sslmode={mode}").parameters["sslmode"] == mode


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "%2Fvar%2Frun%2Fpostgresql"]
)
def test_this_machine_needs_none(host: str) -> None:
    assert read_url(f"postgresql://anna@{host}/dataloader").parameters["sslmode"] == "prefer"
    assert read_url(f"postgresql://anna@{host}/dataloader?sslmode=disable").parameters["sslmode"] == "disable"


def test_the_address_counts_not_the_name_beside_it() -> None:
    with pytest.raises(ConfigurationError, match="without TLS"):
        read_url("host=localhost hostaddr=10.0.0.1 dbname=d sslmode=disable")


def test_an_absent_host_is_the_one_that_libpq_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    local = read_url("postgresql:///dataloader")
    assert (local.parameters["sslmode"], local.place.host) == ("prefer", "local socket")
    monkeypatch.setenv("PGHOST", "db.example.org")
    assert read_url("postgresql:///dataloader").parameters["sslmode"] == "require"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what this machine's libpq is told out of the tests."""
    for option in Conninfo.get_defaults():
        if option.envvar:
            monkeypatch.delenv(option.envvar.decode(), raising=False)
    for name in ("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "variables", "place", "mode"),
    [
        ("postgresql://localhost/d", {"PGHOSTADDR": "192.0.2.2"}, "192.0.2.2", "require"),
        ("postgresql:///d", {"PGHOSTADDR": "192.0.2.2"}, "192.0.2.2", "require"),
        ("postgresql://db.example.org/d", {"PGHOSTADDR": "127.0.0.1"}, "127.0.0.1", "prefer"),
        ("host=localhost hostaddr=127.0.0.1 dbname=d", {"PGHOSTADDR": "192.0.2.2"}, "127.0.0.1", "prefer"),
        ("postgresql://db.example.org/d", {"PGSSLMODE": "disable"}, "db.example.org", "require"),
        ("postgresql://db.example.org/d", {"PGSSLMODE": "verify-full"}, "db.example.org", "verify-full"),
        ("postgresql://localhost/d", {"PGSSLMODE": "disable"}, "localhost", "disable"),
        ("postgresql://localhost,db.example.org/d", {}, "localhost,db.example.org", "require"),
        (
            "host=localhost,db.example.org hostaddr=127.0.0.1, dbname=d",
            {},
            "127.0.0.1,db.example.org",
            "require",
        ),
        ("host=db.example.org,localhost hostaddr=127.0.0.1, dbname=d", {}, "127.0.0.1,localhost", "prefer"),
        ("postgresql://localhost,127.0.0.1/d", {}, "localhost,127.0.0.1", "prefer"),
        ("postgresql://[2001:db8::1]/d", {}, "2001:db8::1", "require"),
        ("postgresql://[::1]/d", {"PGHOSTADDR": "2001:db8::1"}, "2001:db8::1", "require"),
        ("host=/run/pg,db.example.org dbname=d", {}, "/run/pg,db.example.org", "require"),
        ("host=/run/pg dbname=d", {"PGHOST": "db.example.org"}, "/run/pg", "prefer"),
        ("postgresql:///d", {"PGHOST": "/run/pg,db.example.org"}, "/run/pg,db.example.org", "require"),
        (
            "postgresql:///d",
            {"PGSERVICEFILE": "/a/file", "PGSYSCONFDIR": "/a/folder"},
            "local socket",
            "prefer",
        ),
    ],
)
def test_the_address_is_the_one_that_libpq_would_use(
    monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str], place: str, mode: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    read = read_url(url)
    assert (read.place.host, read.parameters["sslmode"]) == (place, mode)
    assert {"host", "hostaddr", "port", "sslmode"} <= read.parameters.keys(), (
        "the environment changes them no more"
    )


def test_the_port_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "6432")
    assert read_url("postgresql://localhost/d").place.port == "6432"
    assert read_url("postgresql://localhost:7/d").place.port == "7"


@pytest.mark.parametrize("url", ["service=control", "postgresql://localhost/d?service=control"])
def test_a_service_may_lead_anywhere(url: str) -> None:
    with pytest.raises(ConfigurationError, match="service file") as caught:
        read_url(url)
    assert caught.value.field == "service"
    with pytest.raises(ConfigurationError, match="service file"):
        resolve_url({"DATALOADER_CONTROL_URL": url})


def test_a_service_of_the_environment_may_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "control")
    with pytest.raises(ConfigurationError, match="service file") as caught:
        read_url("postgresql://localhost/dataloader")
    assert caught.value.field == "PGSERVICE"


@pytest.mark.parametrize("mode", ["Disable", "DISABLE", "disable ", "off"])
def test_a_mode_that_libpq_does_not_know(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    with pytest.raises(ConfigurationError, match="none that libpq knows") as caught:
        read_url(f"host=db.example.org dbname=d sslmode='{mode}'")
    assert caught.value.field == "sslmode"
    monkeypatch.setenv("PGSSLMODE", mode)
    with pytest.raises(ConfigurationError, match="none that libpq knows") as caught:
        read_url(REMOTE)
    assert caught.value.field == "PGSSLMODE"


def test_a_port_of_lakebase_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="LAKEBASE_PORT is not a number") as caught:
        resolve_url(LAKEBASE | {"LAKEBASE_PORT": "five"})
    assert caught.value.field == "LAKEBASE_PORT"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:p4@ss-canary@db.example.org/dataloader",
        "postgresql://anna:12/ss-canary@db.example.org/dataloader",
        "postgresql://anna:pa/ss-canary@db.example.org/dataloader",
        "postgresql://anna:ss-canary@db.example.org:port/dataloader",
        "postgresql://anna:%zzss-canary@db.example.org/dataloader",
        "postgresql://anna:%e9ss-canary@db.example.org/dataloader",
        "postgresql://anna:ss-canary@db.example.org/%ff",
        "postgresql://anna:ss-canary@db.example.org/dataloader?nonsense=ss-canary",
        "mysql://anna:ss-canary@db.example.org/dataloader",
        "password=ss-canary host",
        "ss-canary",
    ],
)
def test_what_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        read_url(url)
    assert "canary" not in f"{caught.value!s} {caught.value!r} {caught.value.__cause__}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "%XX" in str(caught.value.fix)


def test_a_variable_of_libpq_that_is_not_utf8_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", b"caf\xe9".decode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match="PGHOST holds bytes that are not UTF-8") as caught:
        read_url("dbname=d")
    assert caught.value.field == "PGHOST"
    assert str(read_url(REMOTE).place) == "dataloader at db.example.org:6432"


def test_the_url_comes_before_lakebase() -> None:
    url = resolve_url({"DATALOADER_CONTROL_URL": REMOTE, **LAKEBASE})
    assert str(read_url(url).place) == "dataloader at db.example.org:6432"


@pytest.mark.parametrize(
    "url",
    [
        REMOTE,
        f"{REMOTE}?sslmode=verify-full&application_name=a%20b",
        "postgresql://[::1]:6432/dataloader",
        "postgresql://anna@%2Frun%2Fpg/dataloader",
        "host=a.example.org,b.example.org port=1,2 user=anna password='x y' dbname=dataloader",
    ],
)
def test_a_resolved_url_says_the_same(url: str) -> None:
    assert read_url(resolve_url({"DATALOADER_CONTROL_URL": url})) == read_url(url)


def test_lakebase_variables_with_any_password() -> None:
    read = read_url(resolve_url(LAKEBASE))
    assert str(read.place) == "dataloader at lake.example.org:5433"
    assert read.parameters["password"] == LAKEBASE["LAKEBASE_PASSWORD"]
    assert read.parameters["user"] == LAKEBASE["LAKEBASE_USER"]


@pytest.mark.parametrize(("environment", "database"), [("npd", "dataloader_test"), ("prod", "dataloader")])
def test_the_environment_names_a_database_that_nothing_else_names(environment: str, database: str) -> None:
    without = REMOTE.removesuffix("/dataloader")
    chosen = resolve_url({"DATALOADER_CONTROL_URL": without, "DATALOADER_ENVIRONMENT": environment})
    assert read_url(chosen).place.database == database
    named = resolve_url({"DATALOADER_CONTROL_URL": f"{without}/mine", "DATALOADER_ENVIRONMENT": environment})
    assert read_url(named).place.database == "mine"


def test_no_database_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="names no database") as caught:
        resolve_url({"DATALOADER_CONTROL_URL": REMOTE.removesuffix("/dataloader")})
    assert "DATALOADER_ENVIRONMENT" in str(caught.value.fix)


def test_nothing_configured_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="No control database is configured") as caught:
        resolve_url({})
    assert "DATALOADER_CONTROL_URL" in str(caught.value.fix)


NOT_UTF8 = b"p\xe9ss".decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"DATALOADER_CONTROL_URL": f"postgresql://ann:{NOT_UTF8}@127.0.0.1/d"}, "DATALOADER_CONTROL_URL"),
        ({"DATALOADER_CONTROL_URL": f"host=h password={NOT_UTF8} dbname=d"}, "DATALOADER_CONTROL_URL"),
        ({**LAKEBASE, "LAKEBASE_PASSWORD": NOT_UTF8}, "LAKEBASE_PASSWORD"),
        # As a secret may have it, which libpq would read as far as that.
        ({"DATALOADER_CONTROL_URL": "host=h dbname=d\0 sslmode=verify-full"}, "DATALOADER_CONTROL_URL"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(environ: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve_url(environ)
    assert caught.value.field == name
    assert "ss" not in caught.value.message.replace("password", "")
