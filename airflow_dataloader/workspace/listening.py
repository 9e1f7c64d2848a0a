"""The socket that the workspace listens on: 127.0.0.1 and nothing else."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.free_port import free_port

_HOST = "127.0.0.1"
_TRIES = 20


def listen(port: int, last_url: str | None = None) -> socket.socket:
    """Return a bound socket; port 0 takes that of ``last_url`` if it is free, else any free one.

    Runs and connections that know the last address go on with a workspace that was started again. Raises
    ConfigurationError if ``port`` is taken.
    """
    if port:
        try:
            return _bind(port)
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} of {_HOST} cannot be used: {error.strerror}.",
                field="--port",
                fix="end whatever listens there, or take another port; 0 is any free one",
            ) from error
    for candidate in (_port_of(last_url), *(free_port() for _ in range(_TRIES))):
        try:
            if candidate:
                return _bind(candidate)
        except OSError:
            continue
    raise ConfigurationError(f"No free port was found on {_HOST}.", field="--port", fix="name a port")


def url_of(bound: socket.socket) -> str:
    """Return the address of a bound socket."""
    return f"http://{_HOST}:{bound.getsockname()[1]}"


def _port_of(url: str | None) -> int | None:
    try:
        return urlsplit(url).port if url else None
    except ValueError:
        return None


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Connections of a workspace that was killed linger; they do not make the port somebody else's.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((_HOST, port))
        # Whoever comes between this and the server waits.
        bound.listen(128)
    except OSError:
        bound.close()
        raise
    return bound
