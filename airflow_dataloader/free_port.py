"""A port of the loopback interface that nobody listens on."""

from __future__ import annotations

import random
import socket

# Below the range that systems give to outgoing connections (32768 and up on Linux, 49152 elsewhere): a client
# that keeps knocking at a stopped server's port in that range can connect to itself and hold the port.
_FIRST, _LAST = 20_000, 32_000
_TRIES = 100


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago; the caller must cope with losing it."""
    for _ in range(_TRIES):
        port = random.randint(_FIRST, _LAST)  # noqa: S311 - which free port it is, is no secret
        if _is_free(port):
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST} in {_TRIES} tries")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
