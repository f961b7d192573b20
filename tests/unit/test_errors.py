"""The drawing of the error tree is the tree, and exit codes tell errors apart."""

import re

from nodeunit import errors
from nodeunit.errors import BY_SQLSTATE, NodeunitError


def _tree(error: type[NodeunitError]) -> list[type[NodeunitError]]:
    return [error, *(below for child in error.__subclasses__() for below in _tree(child))]


def test_the_drawing_shows_every_error_with_its_exit_code_and_place() -> None:
    drawn = re.findall(r"^ +([│├└─ ]*)(\w+)(?: +(\d+))?", errors.__doc__ or "", re.MULTILINE)
    depths = {name: len(branch) // 4 for branch, name, _ in drawn}
    codes = {name: int(code) for _, name, code in drawn if code}
    tree = _tree(NodeunitError)
    assert [name for _, name, _ in drawn] == [error.__name__ for error in tree]
    assert codes == {error.__name__: error.exit_code for error in tree if error is not NodeunitError}
    assert depths == {error.__name__: len(error.__mro__) - len(NodeunitError.__mro__) for error in tree}


def test_exit_codes_leave_the_usage_error_and_the_signals_alone() -> None:
    codes = {error.exit_code for error in _tree(NodeunitError)}
    assert not codes & {0, 2}
    assert max(codes) < 126


def test_bad_input_has_distinct_exit_codes() -> None:
    told_apart = [
        errors.DatabaseUnreachable, errors.AuthenticationFailed, errors.NotMigrated, errors.SchemaTooNew,
        errors.PostgresTooOld, errors.PoolingProxy, errors.UnknownPolicy, errors.WeightInvalid,
        errors.PatternInvalid, errors.SettingInvalid, errors.InputFileInvalid, errors.IdentityAlive, errors.StaleEpoch,
        errors.DeploymentRefused, errors.NoDatabase, errors.DemoFailed, errors.DatabaseError,
    ]  # fmt: skip
    assert len({error.exit_code for error in told_apart}) == len(told_apart)


def test_own_sqlstates_have_their_own_class_of_codes() -> None:
    assert all(re.fullmatch(r"NU\d{3}", state) for state in BY_SQLSTATE)
    assert len(set(BY_SQLSTATE.values())) == len(BY_SQLSTATE)
