"""Every kind of fault by its name, its database, and which of them are drawn at random."""

from tools.faults import kinds
from tools.faults.failovers import FAILOVERS
from tools.faults.grounds import MakeGround, asynchronous_pair, one_server, patroni_cluster, synchronous_pair
from tools.faults.kinds import Kind
from tools.faults.pairs import PAIRS
from tools.faults.patroni import PATRONI
from tools.faults.standing import STANDING
from tools.faults.transactions import TRANSACTIONS

SINGLE: dict[str, Kind] = {
    name: kind for name, kind in (kinds.KINDS | STANDING | TRANSACTIONS).items() if name not in kinds.NOT_AT_RANDOM
}
"""One fault at a time."""

GROUPS: dict[str, list[str]] = {
    "single": [*SINGLE],
    "transactions": [*TRANSACTIONS],
    "pairs": [*PAIRS],
    "failovers": ["fail-over", *FAILOVERS],
    "patroni": [*PATRONI],
}
"""Names of groups on the command line."""

ALL: dict[str, Kind] = kinds.KINDS | STANDING | TRANSACTIONS | PAIRS | FAILOVERS | PATRONI

_GROUNDS: dict[str, MakeGround] = {
    **dict.fromkeys(PATRONI, patroni_cluster),
    "fail-over": synchronous_pair,
    "failover-old-primary-alive": synchronous_pair,
    "failover-both-in-reach": synchronous_pair,
    "failover-asynchronous": asynchronous_pair,
}


def ground_of(kind: str) -> MakeGround:
    """The database of a fleet in trials of this kind."""
    return _GROUNDS.get(kind, one_server)
