"""A Spark Connect session that ends when it is told to. Imported only where wanted: it loads pyspark."""

from __future__ import annotations

from pyspark.sql.connect.session import SparkSession


class ConnectSession(SparkSession):
    """One session, opened by ``ConnectSession(connection=address)``.

    Spark's own closes itself when it is collected as garbage, in the middle of whatever this thread does, and
    may then wait for a lock that this thread holds: for ever. The common builder would switch the whole
    process to Connect.
    """

    def __del__(self) -> None:
        """Do nothing."""
