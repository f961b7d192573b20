"""Every error that nodeunit raises on purpose, with its exit code; `BY_SQLSTATE` has the SQLSTATEs.

    NodeunitError
    ├── DifferenceFound            1   a check found a difference
    │   ├── ProjectionDiffers      1   a live table is not the fold of the log
    │   ├── DecisionsDiffer        1   deciding again from the recorded inputs gives another decision
    │   ├── InvariantViolated      1   the log itself breaks a rule
    │   │   └── EventUndecodable   1   a stored event does not have the shape of its type
    │   └── FaultFound             1   the doctor found something wrong
    ├── ChecksNotMade             27   the doctor found nothing, but some checks could not be made
    ├── DatabaseError             16   any other refusal of the database
    │   ├── DatabaseUnreachable   10
    │   ├── AuthenticationFailed  11
    │   ├── NotMigrated           12
    │   ├── SchemaTooNew          13
    │   ├── PostgresTooOld        14
    │   ├── PoolingProxy          15
    │   ├── EncodingUnfit         16   the database is not encoded in UTF-8
    │   ├── MigrationBlocked      60   other sessions held a lock that a migration needs for too long
    │   ├── SchemaOccupied        61   another program has a table deployment where nodeunit's would be
    │   ├── OrderAndRowDiffer     16   internal: a deployment row is not at the version of its assignment order
    │   ├── LogAppendOnly         16   someone tried to change or delete events, or to truncate a table of the log
    │   ├── UnitUnknown           17   no unit in the fleet has this name or address
    │   ├── DeploymentUnknown     18   no deployment, or more than one, has this name, package or beginning of an id
    │   ├── HistoryArchived       19   the live log begins later: an archive file has that time
    │   ├── TimeNotInLog          25   a time in the future, or before the first event
    │   ├── ArchiveConflict       16   the log is not what the archive file was written from
    │   ├── VersionConflict       16   internal: a stream is not at the version the writer expected
    │   ├── ArgumentRefused       16   what a unit or an operator hands to a function is not within its limits
    │   ├── LoginOfAnother        33   the login may not act for this unit: it is not enrolled, or for another address
    │   └── RowLocked             16   another transaction has changed or locked the row and is still open
    ├── WaitTimedOut              27   what was waited for did not come about in time
    ├── NotConfirmed              28   a change that asks was answered with no, or there was nobody to ask
    ├── LogUnavailable            26   the log of a program cannot be read now: nobody has it, or too many are read
    ├── SettingInvalid            23
    │   ├── UnknownPolicy         20
    │   ├── WeightInvalid         21
    │   └── PatternInvalid        22
    ├── InputFileInvalid          24   a file given on the command line cannot be read as what it should be
    ├── IdentityAlive             30   another daemon with this identity holds its lease
    ├── StaleEpoch                31   a later daemon of this identity has joined: this one may write nothing
    ├── DrainRefused              32   no other unit can take what a drain would stop
    ├── DeploymentRefused         40   a row breaks a constraint, or names an address that no unit has
    │   └── UndoRefused           41   the specification or the environment of then is not kept
    ├── NoDatabase                50   `nodeunit demo` can neither find nor start one
    └── DemoFailed                51

The text of an error is one sentence: the setting, row or constraint concerned, and what to do. Exit code 2
belongs to the command line parser (usage error). Which error a database refusal becomes is decided by its
SQLSTATE, never by its text.
"""

from collections.abc import Sequence
from typing import ClassVar


class NodeunitError(Exception):
    """The root; not raised itself. `exit_code` is what the command line ends with.

    `details` are shown under the sentence, each on a line of its own, such as the candidates for a name.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, sentence: str = "", *, details: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.details = tuple(details)


class DifferenceFound(NodeunitError):
    """A check was completed and found a difference."""

    exit_code = 1


class ProjectionDiffers(DifferenceFound):
    """A live projection differs from the fold of the whole log."""


class DecisionsDiffer(DifferenceFound):
    """Recorded decisions differ from those that their recorded inputs give."""


class InvariantViolated(DifferenceFound):
    """The log contains a history that the rules forbid."""


class EventUndecodable(InvariantViolated):
    """A stored event of a known type and schema version lacks a field or has one of the wrong type."""


class FaultFound(DifferenceFound):
    """`nodeunit doctor` found at least one misconfiguration."""


class ChecksNotMade(NodeunitError):
    """`nodeunit doctor` found nothing wrong, and could not make every check."""

    exit_code = 27


class DatabaseError(NodeunitError):
    """The database refused for a reason without a class of its own."""

    exit_code = 16


class DatabaseUnreachable(DatabaseError):
    """No server answers at the configured address, or it is starting or stopping."""

    exit_code = 10


class AuthenticationFailed(DatabaseError):
    """The server answers and refuses the user or its password."""

    exit_code = 11


class NotMigrated(DatabaseError):
    """The schema is missing, incomplete or older than this code; `nodeunit migrate` brings it up to date."""

    exit_code = 12


class SchemaTooNew(DatabaseError):
    """The schema no longer supports code of this version; upgrade nodeunit."""

    exit_code = 13


class PostgresTooOld(DatabaseError):
    """The server is older than the oldest supported PostgreSQL."""

    exit_code = 14


class PoolingProxy(DatabaseError):
    """The connection leads through a transaction-pooling proxy, which would lose notifications silently."""

    exit_code = 15


class EncodingUnfit(DatabaseError):
    """The database has another encoding than UTF-8 and cannot hold every row and event."""


class MigrationBlocked(DatabaseError):
    """Other sessions held a lock that a migration needs for as long as it waits."""

    exit_code = 60


class SchemaOccupied(DatabaseError):
    """Another program has a table `deployment` in the schema that nodeunit's tables would be made in."""

    exit_code = 61


class OrderAndRowDiffer(DatabaseError):
    """A deployment row is not at the version of its assignment order; run `nodeunit projections verify`."""


class LogAppendOnly(DatabaseError):
    """Events were to be changed, deleted or dropped before they are archived, or a table was to be truncated."""


class UnitUnknown(DatabaseError):
    """No unit in the fleet has this name or address."""

    exit_code = 17


class DeploymentUnknown(DatabaseError):
    """No deployment has this name, package or beginning of an id, or several have."""

    exit_code = 18


class HistoryArchived(DatabaseError):
    """The requested time is before the beginning of the live log."""

    exit_code = 19


class TimeNotInLog(DatabaseError):
    """The log says nothing about the time asked for: it is in the future, or before the first event."""

    exit_code = 25


class ArchiveConflict(DatabaseError):
    """The events before the cut differ from those in the archive file, or cannot be cut off there."""


class VersionConflict(DatabaseError):
    """The stream has a newer version: the append is a late repetition, or two writers use the same stream."""


class ArgumentRefused(DatabaseError):
    """An argument of a function is not a finite number in its range, or not a text of its form."""


class LoginOfAnother(DatabaseError):
    """The login of the database is not enrolled for the address of this unit; see `nodeunit enroll`."""

    exit_code = 33


class RowLocked(DatabaseError):
    """Another transaction, perhaps a person's, has changed or locked the row. The unit waits outside the database,
    because a waiting session may hold locks that others need."""


class WaitTimedOut(NodeunitError):
    """What a command waited for did not come about in time."""

    exit_code = 27


class NotConfirmed(NodeunitError):
    """A change that asks first was answered with no, or nobody can be asked."""

    exit_code = 28


class LogUnavailable(NodeunitError):
    """No unit sends the log of a program, or as many logs are being read as are allowed at once."""

    exit_code = 26


class SettingInvalid(NodeunitError):
    """The value of a setting is not allowed."""

    exit_code = 23


class UnknownPolicy(SettingInvalid):
    """The name of the claim policy is unknown."""

    exit_code = 20


class WeightInvalid(SettingInvalid):
    """A weight is negative or not a finite number."""

    exit_code = 21


class PatternInvalid(SettingInvalid):
    """The pattern of trusted packages is not a valid regular expression."""

    exit_code = 22


class InputFileInvalid(NodeunitError):
    """A file given on the command line is not what it should be."""

    exit_code = 24


class IdentityAlive(NodeunitError):
    """Another daemon with the same name and password holds an unexpired lease."""

    exit_code = 30


class StaleEpoch(NodeunitError):
    """This daemon was succeeded or declared lost; nothing it writes is accepted any more."""

    exit_code = 31


class DrainRefused(NodeunitError):
    """A drain would stop programs that no other unit can run."""

    exit_code = 32


class DeploymentRefused(NodeunitError):
    """A deployment row breaks a constraint, or was assigned to an address that no unit has."""

    exit_code = 40


class UndoRefused(DeploymentRefused):
    """An earlier specification of a row, or its environment of then, is not kept."""

    exit_code = 41


class NoDatabase(NodeunitError):
    """No database was given and none could be started."""

    exit_code = 50


class DemoFailed(NodeunitError):
    """The demo ran and did not end in the state it promises."""

    exit_code = 51


BY_SQLSTATE: dict[str, type[NodeunitError]] = {
    "NU001": StaleEpoch,
    "NU002": IdentityAlive,
    "NU003": OrderAndRowDiffer,
    "NU004": DeploymentRefused,
    "NU005": LogAppendOnly,
    "NU006": VersionConflict,
    "NU007": UnitUnknown,
    "NU008": ArchiveConflict,
    "NU009": RowLocked,
    "NU010": LogUnavailable,
    "NU011": LoginOfAnother,
    "NU012": ArgumentRefused,
    "NU013": UndoRefused,
}
"""The SQLSTATEs that nodeunit's own SQL functions and triggers raise, and the error each becomes."""
