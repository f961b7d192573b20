"""What the doctor says of a database, as tests compare it: names of findings."""

from collections.abc import Mapping

from nodeunit.audit.doctor.examination import examine
from nodeunit.domain.finding import Examination, Finding, Limits


async def examined(
    conninfo: str, environ: Mapping[str, str] | None = None, limits: Limits | None = None
) -> Examination:
    return await examine(conninfo, environ, limits or Limits())


def names(found: Examination) -> list[str]:
    return [one.name for one in found.findings]


def the_only(found: Examination) -> Finding:
    """The one finding. Each has a cause and what mends it."""
    (one,) = found.findings
    assert one.cause
    assert one.mend
    return one
