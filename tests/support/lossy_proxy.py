"""A TCP proxy that loses one statement or its answer: the ways in which an outcome becomes unknown."""

import asyncio
from enum import Enum
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Loss(Enum):
    """What becomes of the statement; the client's connection is reset in each case."""

    REQUEST = "it never reaches the server"
    ANSWER = "the server has done it, and the answer is lost"
    IN_FLIGHT = "it reaches the server, and the client is cut off at once"
    LATE = "it is kept on the way until `deliver`"


class LossyProxy:
    """Passes everything on until `lose` names a statement by bytes that occur in it; loses that one, once."""

    def __init__(self, upstream: str) -> None:
        address = conninfo_to_dict(upstream)
        self._host, self._port = str(address["host"]), int(str(address["port"]))
        self._upstream = upstream
        self._links: set[asyncio.Task[None]] = set()
        self._marker, self._loss = b"", Loss.REQUEST
        self._late: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        """Set when the statement was lost."""
        self._deliver = asyncio.Event()

    @property
    def conninfo(self) -> str:
        return make_conninfo(self._upstream, host="127.0.0.1", port=self._listening.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._link, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        for link in list(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def lose(self, marker: bytes, loss: Loss) -> None:
        """Lose the next statement in which `marker` occurs."""
        self._marker, self._loss = marker, loss

    async def deliver(self) -> bytes:
        """Pass on what was kept; returns the server's answer to it."""
        self._deliver.set()
        return await self._late

    async def _link(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        server, to_server = await asyncio.open_connection(self._host, self._port)
        answers = asyncio.create_task(self._pass(server, to_client))
        try:
            while data := await client.read(1 << 20):
                if self._marker and self._marker in data:
                    self._marker = b""
                    answers.cancel()
                    await asyncio.wait([answers])
                    await self._lose(data, server, to_server, to_client)
                    return
                to_server.write(data)
                await to_server.drain()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            answers.cancel()
            to_client.transport.abort()
            to_server.transport.abort()
            self._links.discard(task)

    async def _lose(
        self,
        data: bytes,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
    ) -> None:
        if self._loss is Loss.ANSWER:
            to_server.write(data)
            await server.read(1 << 20)
        if self._loss is Loss.IN_FLIGHT:
            to_server.write(data)
        to_client.transport.abort()
        self.lost.set()
        if self._loss is Loss.IN_FLIGHT:
            await server.read(1 << 20)
        if self._loss is Loss.LATE:
            await self._deliver.wait()
            to_server.write(data)
            self._late.set_result(await server.read(1 << 20))

    async def _pass(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            while data := await server.read(1 << 20):
                to_client.write(data)
                await to_client.drain()
        except OSError:
            pass
        to_client.transport.abort()
