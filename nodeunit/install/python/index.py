"""Where the installer of this unit asks for Python packages.

The index and its credentials belong to the unit: NODE_UNIT_PYTHON_INDEX, or what the unit's user has configured in the
files of pip or uv. Both reach the installer and nothing else. NODE_UNIT_PYTHON_INDEX is the only index where it is set,
because another beside it could serve a package of the same name.
"""

import configparser
import os
import ssl
from pathlib import Path


def pip_environment(index: str) -> dict[str, str]:
    """The variables with which pip asks `index` alone; none if it is empty: pip then reads its user's files."""
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, **_certificates("PIP_CERT")} if index else {}


def uv_environment(index: str) -> dict[str, str]:
    """The same for uv."""
    return {"UV_NO_CONFIG": "1", "UV_DEFAULT_INDEX": index, **_certificates("SSL_CERT_FILE")} if index else {}


def only_pip_knows_the_index(home: Path, system: Path = Path("/etc")) -> bool:
    """Whether the unit's user has given pip an index and uv none. Then uv, which does not read the files of pip, would
    ask the public index for a private package."""
    for_uv = (home / ".config/uv/uv.toml", system / "uv/uv.toml", system / "xdg/uv/uv.toml")
    for_pip = (home / ".config/pip/pip.conf", home / ".pip/pip.conf", system / "pip.conf", system / "xdg/pip/pip.conf")
    return not any(path.exists() for path in for_uv) and any(_names_an_index(path) for path in for_pip)


def _certificates(variable: str) -> dict[str, str]:
    """Those of the system, where an organisation puts its own."""
    file = ssl.get_default_verify_paths().cafile
    return {variable: file} if file else {}


def _names_an_index(path: Path) -> bool:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return True  # pip itself will say what is wrong with the file
    names = {name.replace("_", "-") for section in parser.sections() for name in parser[section]}
    return not names.isdisjoint({"index-url", "extra-index-url", "find-links", "no-index"})
