"""Addresses of Spark Connect sessions."""

from __future__ import annotations

import re

_USER = "dataloader"


def server_of(remote: str) -> str:
    """Return which server an address leads to, and as whom, without what only its clients may know.

    A session is known by its user too: nobody ends another user's.
    """
    base, *parameters = remote.split(";")
    # Any other one is a header, and may hold a login.
    user = [one for one in parameters if one.startswith("user_id=") and one != f"user_id={_USER}"]
    return ";".join([base.rstrip("/") + ("/" if user else ""), *user])


def with_session(remote: str, session: str) -> str:
    """Return the address with this session id in place of any other, and with a user.

    A session is known by both, and without a user every client would take that of its own process.
    """
    base = re.sub(r";session_id=[^;]*", "", remote).rstrip(";")
    if "/" not in base.removeprefix("sc://"):
        base += "/"
    user = "" if ";user_id=" in base else f";user_id={_USER}"
    return f"{base}{user};session_id={session}"
