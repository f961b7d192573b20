"""A TCP proxy in front of the database: it cuts, slows down, goes deaf, or blows at a byte of one's choice."""

import asyncio
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

CLAIM = b"claim_deployment"
_PREPARES_CLAIM = re.compile(rb"P.{4}(\w+)\0[^\0]*" + CLAIM, re.DOTALL)


@dataclass
class Fuse:
    """Blows once, that many bytes after the beginning of the next claim: of what the client sends, or of the answer."""

    sent: int | None = None
    received: int | None = None
    strands: bool = False
    """Whether the connection is stranded then; else it is reset."""
    passed: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    """Bytes since the claim began, by whether the client sent them."""
    blown: bool = False


def by_any_of(routes: list["Proxy"]) -> str:
    """The conninfo of whichever server takes writes, each by its proxy."""
    if len(routes) == 1:
        return routes[0].conninfo
    return make_conninfo(
        routes[0].conninfo,
        host=",".join("127.0.0.1" for _ in routes),
        port=",".join(str(route.port) for route in routes),
        target_session_attrs="read-write",
        connect_timeout=2,
    )


class Proxy:
    """Carries connections from `port` on the loopback address to one upstream address, while it is entered.

    All faults can be ended again, and the port stays the same throughout.
    """

    def __init__(self, upstream: str) -> None:
        """`upstream` is the conninfo of a server that listens on TCP."""
        address = conninfo_to_dict(upstream)
        self._host, self._port = str(address["host"]), int(str(address["port"]))
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._hears = asyncio.Event()
        self._hears.set()
        self._delay_s = 0.0
        self._stranded: set[asyncio.Task[None]] = set()
        self._fuse: Fuse | None = None
        self._claiming: asyncio.Task[None] | None = None
        self.port = 0
        self.accepted = 0
        """How many connections were ever accepted."""

    @property
    def conninfo(self) -> str:
        """The upstream's conninfo with the proxy in place of its address."""
        return make_conninfo(self._upstream, host="127.0.0.1", port=self.port)

    @property
    def open_links(self) -> int:
        return len(self._links)

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        await self.cut()

    async def accept(self) -> None:
        """Listen (again) for connections."""
        if self._server is None:
            self._server = await asyncio.start_server(self._link, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Close the port: new connections are refused at once, those that are open live on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def cut(self) -> None:
        """Reset every open connection, as a dying peer or an impatient firewall does."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def delay(self, seconds: float) -> None:
        """Hold back everything that passes, in each direction, for this long (0 ends it)."""
        self._delay_s = seconds

    def go_deaf(self) -> None:
        """Go on accepting and keep connections open, but pass nothing: no byte, no end of stream, no reset."""
        self._hears.clear()

    def hear_again(self) -> None:
        """Pass on what has piled up, and everything after it."""
        self._hears.set()

    def strand(self) -> None:
        """The open connections pass nothing ever again, unless cut; new ones work, as after a middlebox restarted."""
        self._stranded |= self._links

    def set_fuse(self, fuse: Fuse | None) -> None:
        """Watch for the next claim."""
        self._fuse, self._claiming = fuse, None

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        self.accepted += 1
        writers = [writer]
        try:
            await self._hears.wait()
            there, back = await asyncio.open_connection(self._host, self._port)
            writers.append(back)
            names: set[bytes] = {CLAIM}
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(task, reader, back, names))
                pumps.create_task(self._pump(task, there, writer, None))
        except* OSError:
            pass  # one side has gone; the other is told in the finally
        except* asyncio.CancelledError:
            pass  # cut
        finally:
            for each in writers:
                each.transport.abort()
            self._links.discard(task)
            self._stranded.discard(task)

    async def _pump(
        self,
        link: "asyncio.Task[None]",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        claims: set[bytes] | None,
    ) -> None:
        """One direction. `claims`, of the client's: the names by which claims go on this connection."""
        while data := await reader.read(65536):
            await self._hears.wait()
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            if claims is not None:
                self._look_for_claim(link, data, claims)
            if link in self._stranded:
                continue
            if self._claiming is link and (left := self._burn(len(data), sent=claims is not None)) is not None:
                writer.write(data[:left])
                await writer.drain()
                assert self._fuse is not None
                if not self._fuse.strands:
                    raise ConnectionResetError
                self._stranded.add(link)
                continue
            writer.write(data)
            await writer.drain()
        await self._hears.wait()
        raise ConnectionResetError  # an orderly end on one side ends both

    def _look_for_claim(self, link: "asyncio.Task[None]", data: bytes, claims: set[bytes]) -> None:
        """A claim is prepared once on each connection, and only named from then on."""
        claims |= {b"\0" + name + b"\0" for name in _PREPARES_CLAIM.findall(data)}
        if self._fuse is not None and self._claiming is None and any(name in data for name in claims):
            self._claiming = link

    def _burn(self, passing: int, *, sent: bool) -> int | None:
        """How many of the bytes may still pass; None: all, the fuse burns on."""
        fuse = self._fuse
        if fuse is None or fuse.blown:
            return None
        before = fuse.passed[sent]
        fuse.passed[sent] += passing
        limit = fuse.sent if sent else fuse.received
        if limit is None or before + passing < limit:
            return None
        fuse.blown = True
        return limit - before
