"""The database of a fleet: one server, a pair of them, or a Patroni cluster, depending on the kind of fault."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tools.faults.server import Server, both, pair, server
from tools.patroni.cluster import Cluster, cluster


@dataclass(frozen=True)
class Ground:
    """A database for one fleet. Units reach each of `servers` through a proxy of their own; without any, directly."""

    conninfo: str
    """Of the server that takes writes, whichever that is."""
    servers: tuple[str, ...] = ()
    primary: Server | None = None
    standby: Server | None = None
    cluster: Cluster | None = None

    @property
    def lasts(self) -> bool:
        """Whether another trial can use it: a pair has failed over after one."""
        return self.standby is None


@contextmanager
def one_server() -> Iterator[Ground]:
    with server() as made:
        yield Ground(made.conninfo, (made.conninfo,), made)


@contextmanager
def _pair(*, synchronous: bool) -> Iterator[Ground]:
    with pair(synchronous=synchronous) as (primary, standby):
        yield Ground(both(primary, standby), (primary.conninfo, standby.conninfo), primary, standby)


def synchronous_pair() -> AbstractContextManager[Ground]:
    return _pair(synchronous=True)


def asynchronous_pair() -> AbstractContextManager[Ground]:
    return _pair(synchronous=False)


@contextmanager
def patroni_cluster() -> Iterator[Ground]:
    with cluster() as made:
        yield Ground(made.conninfo, cluster=made)


MakeGround = Callable[[], AbstractContextManager[Ground]]
