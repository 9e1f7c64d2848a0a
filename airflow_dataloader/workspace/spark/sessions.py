"""Ends a Spark Connect session from outside, and asks a server whether it lives. Loads pyspark."""

from __future__ import annotations

import time
import uuid
from typing import Any

import grpc
from pyspark.sql.connect import proto
from pyspark.sql.connect.client.core import DefaultChannelBuilder

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.workspace.spark.address import with_session

#: Seconds that one question may take; a server that collects its garbage may well need some.
_SECONDS = 20.0

#: Generated code without types.
_STUB: Any = proto.SparkConnectServiceStub

#: Seconds between the tries to release a session whose last operation is still about to end.
_ON_ITS_WAY_OUT = (0.1, 0.5, 1.0, 2.0, 4.0)

#: The session was closed by its own client, or its server was replaced: there is nothing to end.
_GONE = (
    "INVALID_HANDLE.SESSION_CLOSED",
    "INVALID_HANDLE.SESSION_NOT_FOUND",
    "INVALID_HANDLE.SESSION_CHANGED",
)


def end_session(remote: str, session: str, *, seconds: float = _SECONDS) -> None:
    """Interrupt what the session runs, and release it: its id is worth nothing afterwards.

    Raises EngineFailed if the server does not say that it is done.
    """
    with _Client(with_session(remote, session), seconds) as client:
        client.ask(
            "Interrupt",
            proto.InterruptRequest(
                session_id=session,
                user_context=client.user,
                interrupt_type=proto.InterruptRequest.InterruptType.INTERRUPT_TYPE_ALL,
            ),
        )
        release = proto.ReleaseSessionRequest(session_id=session, user_context=client.user)
        for pause in _ON_ITS_WAY_OUT:
            try:
                client.ask("ReleaseSession", release)
            except _Stumbled:
                # The operation that was interrupted had not left yet; the next answer says that all is gone.
                time.sleep(pause)
            else:
                return
        client.ask("ReleaseSession", release)


def answers(remote: str, *, seconds: float = _SECONDS) -> bool:
    """Whether the server does what it is asked."""
    try:
        ask_version(remote, seconds=seconds)
    except EngineFailed:
        return False
    return True


def ask_version(remote: str, *, seconds: float = _SECONDS) -> None:
    """Ask the server for its version; raise EngineFailed if it does not answer. No session stays behind."""
    session = str(uuid.uuid4())
    version = proto.AnalyzePlanRequest.SparkVersion()
    with _Client(with_session(remote, session), seconds) as client:
        client.ask(
            "AnalyzePlan",
            proto.AnalyzePlanRequest(session_id=session, user_context=client.user, spark_version=version),
        )
        client.ask(
            "ReleaseSession", proto.ReleaseSessionRequest(session_id=session, user_context=client.user)
        )


class _Stumbled(EngineFailed):
    """The server broke over its own answer."""


class _Client:
    """One connection for a question or two. Spark's own client waits and repeats where we must decide."""

    def __init__(self, remote: str, seconds: float) -> None:
        self._builder = DefaultChannelBuilder(remote)
        self._seconds = seconds

    def __enter__(self) -> _Client:
        self._channel = self._builder.toChannel()
        self._stub = _STUB(self._channel)
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    @property
    def user(self) -> Any:
        """Half of a session's name at the server."""
        return proto.UserContext(user_id=self._builder.userId or "")

    def ask(self, question: str, request: Any) -> None:
        """Ask once; a session that is gone already is a good answer."""
        try:
            getattr(self._stub, question)(request, metadata=self._builder.metadata(), timeout=self._seconds)
        except grpc.RpcError as error:
            said = str(error)
            if any(gone in said for gone in _GONE):
                return
            kind = _Stumbled if error.code() is grpc.StatusCode.INTERNAL else EngineFailed
            raise kind(f"The Spark server did not answer {question}: {_reason(error)}") from None


def _reason(error: grpc.RpcError) -> str:
    lines = [line for line in (error.details() or "").splitlines() if line.strip()]
    return f"{error.code().name} {lines[0] if lines else ''}".strip()
