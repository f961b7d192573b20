"""The environment of a program: a few variables, without any of the unit's secrets."""

import os
from collections.abc import Mapping

ADDRESS_MARK = "NODE_UNIT_ADDRESS"
DEPLOYMENT_MARK = "DEPLOYMENT_ID"
CLAIM_VERSION = "NODEUNIT_CLAIM_VERSION"

FALLBACK_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def base_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """`PATH`, `HOME` and `LANG` of `environ` (default: this process), each with a fallback, and nothing else."""
    source = os.environ if environ is None else environ
    return {
        "PATH": source.get("PATH") or FALLBACK_PATH,
        "HOME": source.get("HOME") or "/",
        "LANG": source.get("LANG") or "C.UTF-8",
    }


def clean_environment(
    row_env: Mapping[str, str],
    *,
    deployment_id: str,
    address: str,
    claim_version: int,
    environ: Mapping[str, str] | None = None,
    home: str = "",
) -> dict[str, str]:
    """The environment of a deployment's program: the base, the row's own `env`, and the three that the unit sets.
    `home`: that of the program's user, if it is not the user of the unit.

    A row may override `PATH`, `HOME` and `LANG`. It cannot override the unit's three: the supervisor finds a program's
    tree by the first two, and a fencing token is useless if the row can set it. `claim_version` is that token: a
    resource that the program writes to can refuse a version lower than one it has seen.
    """
    return {
        **base_environment(environ),
        **({"HOME": home} if home else {}),
        **row_env,
        DEPLOYMENT_MARK: deployment_id,
        ADDRESS_MARK: address,
        CLAIM_VERSION: str(claim_version),
    }
