"""A Python package as its index serves it: a wheel, and the pages of the simple repository (PEP 503) with hashes."""

import base64
import hashlib
import html
import io
import re
import zipfile
from collections.abc import Iterable, Mapping

EPOCH = (1980, 1, 1, 0, 0, 0)


def normalised(name: str) -> str:
    """The name by which an index knows a project (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel_name(name: str, version: str) -> str:
    """The file name of a wheel for every platform."""
    return f"{normalised(name).replace('-', '_')}-{version}-py3-none-any.whl"


def wheel(
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    entry_points: Mapping[str, str] | None = None,
    requires: Iterable[str] = (),
    metadata: str | None = None,
) -> bytes:
    """A wheel of pure Python; the same arguments are the same bytes.

    `entry_points` are console scripts, each with its `module:function`; `metadata` replaces the text of METADATA.
    """
    about = f"{wheel_name(name, version).split('-py3')[0]}.dist-info"
    if metadata is None:
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    contents: dict[str, bytes] = {
        path: text.encode() if isinstance(text, str) else text
        for path, text in {
            **files,
            f"{about}/METADATA": metadata,
            f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: nodeunit\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            **({f"{about}/entry_points.txt": _scripts(entry_points)} if entry_points else {}),
        }.items()
    }
    contents[f"{about}/RECORD"] = _record(contents, f"{about}/RECORD")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return packed.getvalue()


def project_page(files: Mapping[str, bytes]) -> bytes:
    """The page of one project: a link to each of its files, which stand beside the page, with its hash."""
    links = (
        f'<a href="{html.escape(name)}#sha256={hashlib.sha256(data).hexdigest()}">{html.escape(name)}</a><br>'
        for name, data in files.items()
    )
    return "\n".join(["<!DOCTYPE html>", *links, ""]).encode()


def _scripts(entry_points: Mapping[str, str]) -> str:
    return "\n".join(["[console_scripts]", *(f"{name} = {target}" for name, target in entry_points.items()), ""])


def _record(contents: Mapping[str, bytes], own: str) -> bytes:
    lines = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for path, data in contents.items()
    ]
    return "\n".join([*lines, f"{own},,", ""]).encode()
