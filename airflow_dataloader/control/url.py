"""Where the control database is: reading a URL, and insisting on TLS.

Nothing here ever puts a URL, or a part of one that could hold a password, into a message.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from psycopg.pq.misc import ConninfoOption

from airflow_dataloader.core.texts import can_be_kept
from airflow_dataloader.exceptions import ConfigurationError

_DATABASES = {"npd": "dataloader_test", "prod": "dataloader"}

#: Modes of libpq that would go on without encryption if the server offers none.
_WITHOUT_TLS = frozenset({"disable", "allow", "prefer"})
_WITH_TLS = frozenset({"require", "verify-ca", "verify-full"})

#: What decides where a connection goes, and whether with TLS; libpq takes each from the environment, too.
_WHERE = ("host", "hostaddr", "port", "sslmode")

#: How a URL begins.
_SCHEME = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)

_FORM = "write postgresql://user:password@host:5432/database, with %XX for special characters in a part"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A control database, for messages."""

    host: str
    port: str
    database: str

    def __str__(self) -> str:
        """Return ``database at host:port``."""
        return f"{self.database} at {self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class ControlUrl:
    """A control database's URL, read and checked."""

    place: Place
    #: libpq's parameters, the password among them. Nothing that decides where the connection goes, and
    #: whether with TLS, is left to the environment; an empty value is libpq's own default.
    parameters: Mapping[str, str] = field(repr=False)


def resolve_url(environ: Mapping[str, str]) -> str:
    """Return the control database's URL from ``DATALOADER_CONTROL_URL``, else from ``LAKEBASE_*``.

    Where neither names a database, ``DATALOADER_ENVIRONMENT`` (``npd`` or ``prod``) does. Raises
    ConfigurationError when there is no URL, or no database.
    """
    parameters = _given(environ)
    if not parameters.get("dbname"):
        environment = environ.get("DATALOADER_ENVIRONMENT", "")
        if environment not in _DATABASES:
            raise ConfigurationError(
                "The control database's URL names no database.",
                field="DATALOADER_CONTROL_URL",
                fix="add the database to the URL, or set DATALOADER_ENVIRONMENT to npd or prod",
            )
        parameters["dbname"] = _DATABASES[environment]
    return _as_url(parameters)


def names_control(environ: Mapping[str, str]) -> bool:
    """Whether ``environ`` says where the control database is, rightly or wrongly."""
    return bool(environ.get("DATALOADER_CONTROL_URL") or environ.get("LAKEBASE_HOST"))


def read_url(url: str) -> ControlUrl:
    """Read a URL in libpq's or SQLAlchemy's form, or libpq's ``key=value`` form.

    TLS is required unless every address is loopback or a unix socket. What the URL leaves open is resolved as
    libpq would, its environment variables included. Raises ConfigurationError.
    """
    parameters = _parameters(url, setting="DATALOADER_CONTROL_URL")
    if os.environ.get("PGSERVICE") is not None:
        raise _no_service("PGSERVICE", "unset it, and write the server into the control database's URL")
    where = _resolved(parameters)
    addresses, mode = _addresses(where), where["sslmode"]
    if mode not in _WITH_TLS | _WITHOUT_TLS:
        raise ConfigurationError(
            "The sslmode for the control database is none that libpq knows.",
            field="sslmode" if "sslmode" in parameters else "PGSSLMODE",
            fix="use require, verify-ca or verify-full, in lower case",
        )
    if mode in _WITHOUT_TLS and not all(_is_local(address) for address in addresses):
        if "sslmode" in parameters:
            raise ConfigurationError(
                f"sslmode={mode} would let the connection to {','.join(addresses)} go without TLS.",
                field="sslmode",
                fix="remove it, or use sslmode=require, verify-ca or verify-full",
            )
        where["sslmode"] = "require"
    place = Place(
        host=",".join(addresses) if any(addresses) else "local socket",
        port=where["port"] or "5432",
        database=parameters.get("dbname", "?"),
    )
    return ControlUrl(place=place, parameters={**parameters, **where})


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    if url := environ.get("DATALOADER_CONTROL_URL"):
        return _parameters(url, setting="DATALOADER_CONTROL_URL")
    if not environ.get("LAKEBASE_HOST"):
        raise ConfigurationError(
            "No control database is configured.",
            field="DATALOADER_CONTROL_URL",
            fix="set DATALOADER_CONTROL_URL, or LAKEBASE_HOST, LAKEBASE_PORT, LAKEBASE_DATABASE, "
            "LAKEBASE_USER and LAKEBASE_PASSWORD",
        )
    names = {
        "LAKEBASE_HOST": "host",
        "LAKEBASE_PORT": "port",
        "LAKEBASE_DATABASE": "dbname",
        "LAKEBASE_USER": "user",
        "LAKEBASE_PASSWORD": "password",
    }
    port = environ.get("LAKEBASE_PORT", "")
    if port and not (port.isascii() and port.isdecimal()):
        raise ConfigurationError(
            "LAKEBASE_PORT is not a number.",
            field="LAKEBASE_PORT",
            fix="set it to the server's port, e.g. 5432",
        )
    found = {name: environ[variable] for variable, name in names.items() if environ.get(variable)}
    for variable, name in names.items():
        if not _is_text(found.get(name, "")):
            raise _not_utf8(variable)
    return found


def _parameters(url: str, *, setting: str) -> dict[str, str]:
    unreadable = ConfigurationError("The control database's URL cannot be read.", field=setting, fix=_FORM)
    if not _is_text(url):
        raise unreadable
    # Anywhere else, it is a part of libpq's other form: a password may have it.
    scheme, mark, rest = url.strip().partition("://") if _SCHEME.match(url) else (url, "", "")
    if mark:
        # An unescaped @ or / in a password would make a part of it look like a host or a database.
        authority = rest.split("?", 1)[0]
        if scheme.split("+")[0] not in {"postgresql", "postgres"} or "@" in authority.partition("@")[2]:
            raise unreadable
        if "/" in authority.partition("@")[0] and "@" in authority:
            raise unreadable
    try:
        found = conninfo_to_dict(f"postgresql://{rest}" if mark else url)
    except (psycopg.Error, UnicodeDecodeError):
        # The second for a percent escape of what is not UTF-8.
        raise unreadable from None
    parameters = {name: str(value) for name, value in found.items() if value is not None and value != ""}
    if not all(port.isdecimal() for port in parameters.get("port", "0").split(",") if port):
        raise unreadable
    for name in ("service", "servicefile"):
        if name in parameters:
            raise _no_service(name, f"remove it, and write what the service says into {setting}")
    return parameters


def _is_text(value: str) -> bool:
    """Whether it can be sent: bytes of the environment that are not UTF-8 are surrogates here.

    libpq reads to a NUL and no further: what stands behind it, an sslmode say, would be left out.
    """
    return can_be_kept(value)


def _not_utf8(variable: str) -> ConfigurationError:
    return ConfigurationError(
        f"{variable} holds bytes that are not UTF-8.", field=variable, fix="write it in UTF-8"
    )


def _no_service(field: str, fix: str) -> ConfigurationError:
    """Refuse a service file: libpq reads it when it connects, so nobody knows before where that leads."""
    return ConfigurationError(
        f"{field} would have a service file decide where the control database is, and whether TLS is used.",
        field=field,
        fix=fix,
    )


def _resolved(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return what decides where a connection goes, from the URL or else as libpq finds it."""
    found = {option.keyword.decode(): option for option in Conninfo.get_defaults()}
    return {name: parameters.get(name) or _default(found.get(name)) for name in _WHERE}


def _default(option: ConninfoOption | None) -> str:
    value = (option.val if option else None) or b""
    try:
        return value.decode()
    except UnicodeDecodeError:
        variable = option.envvar if option else None
        raise _not_utf8((variable or b"PG*").decode()) from None


def _addresses(where: Mapping[str, str]) -> list[str]:
    """Return where a connection would go, in the order of its attempts; empty: the default unix socket."""
    hosts, addresses = where["host"].split(","), where["hostaddr"].split(",")
    return [address or host or "" for host, address in zip_longest(hosts, addresses)]


def _is_local(host: str) -> bool:
    if host in {"", "localhost"} or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _as_url(parameters: Mapping[str, str]) -> str:
    """Write parameters as one URL that libpq and SQLAlchemy read alike."""
    rest = dict(parameters)
    database = quote(rest.pop("dbname", ""), safe="")
    authority = ""
    if rest.get("host") and "," not in rest["host"]:
        host = rest.pop("host")
        authority = f"[{host}]" if ":" in host else quote(host, safe="")
        if port := rest.pop("port", ""):
            authority += f":{port}"
        if user := rest.pop("user", ""):
            password = rest.pop("password", None)
            secret = "" if password is None else f":{quote(password, safe='')}"
            authority = f"{quote(user, safe='')}{secret}@{authority}"
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in rest.items())
    return f"postgresql://{authority}/{database}{'?' if query else ''}{query}"
