"""A client's session at a Spark Connect server. Imported only where one is wanted: it loads pyspark."""

from __future__ import annotations

import re
import uuid

from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

#: About 30 s in all. The default waits ten minutes for a server that is gone: a load would outlive its lease.
_RETRIES = 8
_LONGEST_PAUSE_MS = 5_000


class ConnectSession(SparkSession):
    """A session that is closed when we say so.

    Spark's own also closes itself when it is collected as garbage. That may happen in the middle of another
    session's call, on the same thread, and then waits for a lock that this thread holds: for ever.
    """

    def __del__(self) -> None:
        """Do nothing."""


def connect(remote: str) -> ConnectSession:
    """Open a session of its own.

    It is not made by the common builder, which would switch the whole process to Connect.
    """
    spark = ConnectSession(connection=session_remote(remote))
    spark.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES, max_backoff=_LONGEST_PAUSE_MS)])
    return spark


def session_remote(remote: str) -> str:
    """Return the address with a new session id, unless it names one.

    Whoever knows the id can stop the session's work when its client has died, which does not stop it.
    """
    if re.search(r";session_id=", remote):
        return remote
    base = remote if "/" in remote.removeprefix("sc://") else f"{remote}/"
    return f"{base.rstrip(';')};session_id={uuid.uuid4()}"
