"""Keeps requests of this machine to itself away from the proxies of its environment."""

from __future__ import annotations

from collections.abc import Mapping

_HOSTS = "127.0.0.1,localhost"


def bypass_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep a process of this environment from asking a proxy for this machine."""
    return {
        name: ",".join(filter(None, (environment.get(name), _HOSTS))) for name in ("NO_PROXY", "no_proxy")
    }
