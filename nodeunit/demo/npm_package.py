"""An npm package as its registry serves it: a tarball, and the document of all versions with their integrity."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any


def tarball(files: Mapping[str, str | bytes]) -> bytes:
    """The files below `package/`, as `npm pack` makes it; the same files are the same bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(f"package/{name}")
            member.size, member.mode = len(data), 0o755 if data.startswith(b"#!") else 0o644
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def integrity(packed: bytes) -> str:
    """The hash that npm compares and writes into its lock file."""
    return f"sha512-{base64.b64encode(hashlib.sha512(packed).digest()).decode()}"


def described(manifest: Mapping[str, Any], packed: bytes, url: str) -> dict[str, Any]:
    """The manifest of one version with where its tarball is and what must come from there."""
    dist = {"tarball": url, "integrity": integrity(packed), "shasum": hashlib.sha1(packed).hexdigest()}
    return {**manifest, "_id": f"{manifest['name']}@{manifest['version']}", "dist": dist}


def packument(versions: Mapping[str, Mapping[str, Any]], tags: Mapping[str, str]) -> dict[str, Any]:
    """The document that a registry gives for a name; `versions` are `described`."""
    name = next(iter(versions.values()))["name"]
    return {"_id": name, "name": name, "dist-tags": dict(tags), "versions": dict(versions)}


def as_json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode()
