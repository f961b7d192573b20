"""The daemon's end of the socket pair to its supervisor; its messages are defined in `supervisor.protocol`."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

from nodeunit.supervisor.hello import HelloParts
from nodeunit.supervisor.protocol import Decoder, Op, encode

log = logging.getLogger(__name__)

Message = Mapping[str, Any]

READ_AT_ONCE = 65_536


class SupervisorLink:
    """Messages to and from the supervisor. `send` never waits, because requests are small and the supervisor reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, fd: int) -> "SupervisorLink":
        """Uses the file descriptor that the daemon was started with."""
        return cls(*await asyncio.open_connection(sock=socket.socket(fileno=fd)))

    def send(self, message: Op) -> None:
        """Sends a request. After the death of the supervisor it is dropped, and `messages` has ended."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def messages(self) -> AsyncIterator[Message]:
        """The messages of the supervisor, `hello` first and whole; ends with the supervisor."""
        hello = HelloParts()
        decoder = Decoder(lambda complaint: log.error("the supervisor sent an invalid message: %s", complaint))
        try:
            while data := await self._reader.read(READ_AT_ONCE):
                for part in decoder.feed(data):
                    if (message := hello.take(part)) is not None:
                        yield message
        except ConnectionError as error:
            log.error("the link to the supervisor broke: %s", error)

    async def flush(self) -> None:
        """Returns when everything has been passed to the kernel."""
        try:
            await self._writer.drain()
        except ConnectionError:
            pass
