"""A TCP proxy that can fall silent, hang up, let nothing through, or cut a stream off at a byte."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from sqlalchemy import make_url


def through(url: str, port: int, host: str = "127.0.0.1") -> str:
    """Return a database's URL that leads to another port of this machine, such as a proxy's."""
    return make_url(url).set(host=host, port=port).render_as_string(hide_password=False)


@contextmanager
def proxied(url: str) -> Iterator[tuple[Proxy, str]]:
    """Yield a proxy before the database of ``url``, and the URL that leads through it."""
    port = make_url(url).port
    assert port is not None
    with Proxy(port) as proxy:
        yield proxy, through(url, proxy.port)


class Fault(StrEnum):
    """What happens to the server's answers from a byte of each connection on; it is asked all the same."""

    #: They stay away; both ends stay connected.
    STALL = "stall"
    #: The client gets a reset.
    RESET = "reset"
    #: The client gets a clean end of the stream.
    TRUNCATE = "truncate"
    #: They come slowly.
    THROTTLE = "throttle"
    #: Nothing is asked any more, from the first byte of the next question on: the client gets a reset.
    AWAY = "away"


#: Bytes a second of a throttled connection.
THROTTLED = 1_000_000


@dataclass
class Plan:
    """The fault that connections meet; None: none."""

    fault: Fault | None = None
    #: Bytes of answers that each connection gets before.
    after: int = 0
    #: What the client must have asked on the connection before, as it goes over the wire.
    asked: bytes = b""


class Proxy:
    """Forwards 127.0.0.1:``port`` to ``target`` in a thread of its own; ``plan`` may be changed any time."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.plan = Plan()
        self.port = 0
        #: Connections that have met the fault.
        self.met = 0

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        )
        self._server = started.result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.plan.fault is Fault.AWAY:
            self.met += 1
            _reset(writer)
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        asked = bytearray()
        asking = asyncio.create_task(self._ask(reader, writer, there_writer, asked))
        try:
            with suppress(OSError):
                await self._answer(there_reader, writer, asked)
        finally:
            asking.cancel()
            for one in (writer, there_writer):
                one.close()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
        asked: bytearray,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.plan.fault is Fault.AWAY:
                    self.met += 1
                    _reset(client)
                    # Which ends the answers, and with them this connection.
                    server.transport.abort()
                    return
                if self.plan.asked:
                    asked += data
                server.write(data)
                await server.drain()
            server.write_eof()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytearray
    ) -> None:
        passed = 0
        while data := await reader.read(65536):
            plan = self.plan
            due = plan.asked in asked and passed + len(data) > plan.after
            if plan.fault is Fault.THROTTLE:
                self.met += due
                await asyncio.sleep(len(data) / THROTTLED)
            elif plan.fault not in {None, Fault.AWAY} and due:
                writer.write(data[: max(0, plan.after - passed)])
                await self._meet(plan.fault, reader, writer)
                return
            passed += len(data)
            writer.write(data)
            await writer.drain()

    async def _meet(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.met += 1
        if fault is Fault.STALL:
            # Answers are taken from the server and thrown away, so that it notices nothing either.
            while await reader.read(65536):
                pass
        elif fault is Fault.RESET:
            _reset(writer)
        else:
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Have the connection end with a reset once it is closed."""
    plain = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
