"""How to connect: for a JVM and for psycopg, from one list of options that a row may set."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as percent
from urllib.parse import urlencode

from psycopg import pq

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.model import JdbcOptions
from airflow_dataloader.sources.postgresql.transaction import ENGLISH, LOCK_TIMEOUT, STYLES

DRIVER = "org.postgresql.Driver"

#: Bytes that PostgreSQL keeps of an application name.
_NAME_LENGTH = 63

#: Settings of a transaction by which a server may refuse to read a query's own texts at all.
_READ_BY = ("standard_conforming_strings", "xmloption")

#: What the load's own connection has found out, and engines must have from the beginning.
_AT_SOURCE = frozenset({"DateStyle", *ENGLISH})

#: What ends a setting for the server, or escapes its end.
_SEPARATES = re.compile(r"[\\\s]")
_ESCAPED = r"\\\g<0>"

#: Seconds that the driver can wait at most: it counts milliseconds in 32 bits.
_LONGEST_WAIT = 2_147_483

#: Milliseconds that sent bytes, or probes of a silent connection, may stay without an answer. Not every
#: system can be told; there, bytes that nobody takes are sent again for a quarter of an hour.
_UNANSWERED = 60_000

#: A host that cannot smuggle anything into a JDBC URL: a name or an address.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, kw_only=True)
class _Option:
    """One key of ``connection_options``, and what the two drivers call it."""

    jdbc: tuple[str, ...] = ()
    psycopg: tuple[str, ...] = ()
    accepts: Callable[[str], bool]
    #: What a right value looks like.
    fix: str


def _is_seconds(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) <= 86_400


_SECONDS = "set it to a number of seconds"

#: Everything else is refused: a driver's options can make it load classes, write files or log passwords.
_OPTIONS = {
    "sslmode": _Option(
        jdbc=("sslmode",),
        psycopg=("sslmode",),
        accepts=_SSL_MODES.__contains__,
        fix=f"set it to one of {', '.join(_SSL_MODES)}",
    ),
    "sslrootcert": _Option(
        jdbc=("sslrootcert",),
        psycopg=("sslrootcert",),
        accepts=lambda text: text.startswith("/"),
        fix="set it to the path of a certificate file that every machine of the load has",
    ),
    "connect_timeout": _Option(
        jdbc=("connectTimeout", "loginTimeout"),
        psycopg=("connect_timeout",),
        accepts=_is_seconds,
        fix=_SECONDS,
    ),
    "socket_timeout": _Option(jdbc=("socketTimeout",), accepts=_is_seconds, fix=_SECONDS),
    # For the transaction that reads, not for a driver.
    "row_security": _Option(
        accepts=("on", "off").__contains__,
        fix="set it to on if the login shall load the rows that policies let it see, or remove it",
    ),
}

#: Where libpq tells no default and takes no empty text for one, and where the default depends on its build.
_UNTOLD = {
    "sslcertmode": "allow",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
    # All that the JVM's driver knows, too: whatever the server asks for.
    "require_auth": "password,md5,gss,sspi,scram-sha-256,none",
    "gssencmode": "disable",
}


def _defaults() -> dict[str, str]:
    """Return libpq's defaults of all that it would otherwise take from its environment variables.

    PGHOSTADDR above all: they are meant for the control database or for somebody's shell, and the JVM's
    driver does not know them. A load's connections have to lead to one server, by the same rules. An empty
    text is none. Nothing overrides PGSERVICE.
    """
    told = {
        option.keyword.decode(): (option.compiled or b"").decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar and option.keyword != b"service"
    }
    return told | {name: value for name, value in _UNTOLD.items() if name in told}


_NOT_FROM_ENVIRONMENT = _defaults()

#: Variables of the environment whose settings libpq has every server begin with, over the source's own.
_SENT_BY_LIBPQ = ("PGDATESTYLE", "PGTZ", "PGGEQO")


def jdbc(endpoint: Endpoint) -> JdbcOptions:
    """Return URL and properties for the JVM's driver.

    Only the login travels as properties. Spark Connect writes their names in lower case, and the driver
    passes over what it does not know: a timeout would be void without a word. The URL arrives as it is.
    """
    options = {
        "ApplicationName": endpoint.application_name[:_NAME_LENGTH],
        "connectTimeout": "15",
        "loginTimeout": "30",
        # Without it a connection that falls silent is waited for until the machine is switched off.
        "socketTimeout": str(min(endpoint.read_seconds, _LONGEST_WAIT)),
        "tcpKeepAlive": "true",
    }
    if endpoint.takes_settings:
        options["options"] = _settings(endpoint)
    for name, value in _checked(endpoint).items():
        options.update(dict.fromkeys(_OPTIONS[name].jdbc, value))
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    place = f"{host}:{endpoint.port}/{percent(endpoint.database, safe='')}"
    return JdbcOptions(
        url=f"jdbc:postgresql://{place}?{urlencode(options, quote_via=percent)}",
        driver=DRIVER,
        properties={"user": endpoint.user, "password": endpoint.password},
    )


def forget_settings_of_libpq() -> None:
    """Take out of this process's environment what would go before the source's own settings.

    No argument of a connection keeps libpq from sending them.
    """
    for variable in _SENT_BY_LIBPQ:
        os.environ.pop(variable, None)


def psycopg_kwargs(endpoint: Endpoint) -> dict[str, Any]:
    """Return the arguments of ``psycopg.connect``."""
    kwargs: dict[str, Any] = {
        **_NOT_FROM_ENVIRONMENT,
        "host": endpoint.host,
        "port": endpoint.port,
        "dbname": endpoint.database,
        "user": endpoint.user,
        "password": endpoint.password,
        "application_name": endpoint.application_name[:_NAME_LENGTH],
        "client_encoding": "UTF8",
        "connect_timeout": "15",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": _UNANSWERED,
        # Transaction poolers lose prepared statements.
        "prepare_threshold": None,
        "autocommit": True,
    }
    if endpoint.takes_settings:
        kwargs["options"] = _settings(endpoint)
    for name, value in _checked(endpoint).items():
        kwargs.update(dict.fromkeys(_OPTIONS[name].psycopg, value))
    return kwargs


def row_security(endpoint: Endpoint) -> dict[str, str]:
    """Return the setting that has the server refuse what policies would leave rows out of.

    Rows that a login may not see would count as deleted, and never be read once they lie below a watermark.
    """
    return {"row_security": endpoint.options.get("row_security", "off")}


def _settings(endpoint: Endpoint) -> str:
    """Return the settings that a connection has from its beginning.

    An engine asks for a read's schema outside of the transaction that it reads in, and runs nothing of ours
    before. The server reads a query's own texts for that, too, and takes the order of days and months from
    here: the JVM's driver says ISO and no order, by which that of the role or database would be lost.
    """
    settings = {
        "lock_timeout": str(LOCK_TIMEOUT),
        **row_security(endpoint),
        **{name: STYLES[name] for name in _READ_BY},
        **{name: value for name, value in endpoint.settings.items() if name in _AT_SOURCE},
    }
    return " ".join(f"-c {name}={_SEPARATES.sub(_ESCAPED, value)}" for name, value in settings.items())


def _checked(endpoint: Endpoint) -> dict[str, str]:
    if not _HOST.fullmatch(endpoint.host):
        raise ConfigurationError(
            "The source's host is neither a name nor an address.",
            field="db_config_value.host",
            fix="store the host alone in the secret: no scheme, no port, no path",
        )
    for name, value in endpoint.options.items():
        option = _OPTIONS.get(name)
        if option is None:
            raise ConfigurationError(
                f"Connection option {name!r} is not allowed.",
                field=f"connection_options.{name}",
                fix=f"remove it; allowed are {', '.join(_OPTIONS)}",
            )
        if not option.accepts(value):
            raise ConfigurationError(
                f"Connection option {name!r} cannot be {value!r}.",
                field=f"connection_options.{name}",
                fix=option.fix,
            )
    return dict(endpoint.options)
