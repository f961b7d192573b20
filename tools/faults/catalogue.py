"""Every kind of fault by its name, and which of them are drawn at random."""

from tools.faults import kinds
from tools.faults.kinds import Kind
from tools.faults.pairs import PAIRS
from tools.faults.standing import STANDING
from tools.faults.transactions import TRANSACTIONS

SINGLE: dict[str, Kind] = {
    name: kind for name, kind in (kinds.KINDS | STANDING | TRANSACTIONS).items() if name not in kinds.NOT_AT_RANDOM
}
"""One fault at a time."""

GROUPS: dict[str, list[str]] = {"single": [*SINGLE], "transactions": [*TRANSACTIONS], "pairs": [*PAIRS]}
"""Names that stand for many on the command line."""

ALL: dict[str, Kind] = kinds.KINDS | STANDING | TRANSACTIONS | PAIRS
