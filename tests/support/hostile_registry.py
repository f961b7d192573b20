"""A registry that serves npm whatever an attack needs: archives, manifests and documents that no honest one would."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any

from nodeunit.demo import npm_package
from nodeunit.demo.static_server import StaticServer

Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: str = "", mode: int = 0o644) -> Member:
    """A file of an archive under exactly this name, which may lead out of it."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content.encode()), mode
    return info, content.encode()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Member:
    """A symbolic or hard link of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def special(name: str, kind: bytes) -> Member:
    """A device or a pipe of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.devmajor, info.devminor = kind, 1, 3
    return info, b""


def archive(members: Iterable[Member]) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as made:
        for info, content in members:
            made.addfile(info, io.BytesIO(content))
    return packed.getvalue()


class HostileRegistry:
    """Serves versions 1.0.0 of packages over a plain server of files."""

    def __init__(self, server: StaticServer) -> None:
        self._server = server
        self.url = server.url

    @property
    def requests(self) -> list[str]:
        """The paths that were asked for."""
        return self._server.requests

    def publish(
        self,
        name: str,
        members: Iterable[Member] = (),
        *,
        manifest: str | None = None,
        document: Mapping[str, Any] | None = None,
        dist: Mapping[str, Any] | None = None,
        **said: Any,
    ) -> None:
        """`members` are beside an index.js and a package.json, which is the text `manifest` if that is given, and else
        says `said`, as the registry does. `document` and `dist` replace what the registry says elsewhere."""
        own = {"name": name, "version": "1.0.0", **said}
        text = json.dumps(own) if manifest is None else manifest
        packed = archive([file("package/package.json", text), file("package/index.js"), *members])
        described = npm_package.described(own, packed, f"{self.url}/{name}/-/file.tgz")
        described["dist"].update(dist or {})
        whole = {**npm_package.packument({"1.0.0": described}, {"latest": "1.0.0"}), **(document or {})}
        self.serve(f"/{name}", npm_package.as_json(whole), "application/json")
        self.serve(f"/{name}/-/file.tgz", packed)

    def serve(self, path: str, content: bytes, kind: str = "application/octet-stream") -> None:
        self._server.put(path, content, kind)
