"""What this Debian machine offers: installing packages, and the mirror that apt is configured with."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote
from urllib.request import OpenerDirector, ProxyHandler, build_opener

from tools.timescaledb.say import CannotGoOn, run

APT = Path("/etc/apt")


@dataclass(frozen=True)
class Source:
    """One place that apt takes binary packages from."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)

    @property
    def keyring(self) -> str | None:
        """The binary keyring that signs this source, if it names one; debootstrap accepts no other format."""
        signed_by = self.options.get("signed-by", "")
        return signed_by if signed_by.startswith("/") and signed_by.endswith((".gpg", ".pgp")) else None


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str) -> None:
    """Install packages without their recommendations; raises CannotGoOn in the words of apt."""
    if not can_install():
        raise CannotGoOn(f"{', '.join(packages)} cannot be installed: this needs root and apt-get.")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run("reading package lists", ["apt-get", "update"], environment=quiet)
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    run(f"installing {', '.join(packages)}", command, environment=quiet)


def exists(package: str) -> bool:
    """Whether apt knows the package (after its lists were read)."""
    shown = subprocess.run(["apt-cache", "show", package], capture_output=True, check=False)
    return shown.returncode == 0


def mirror(release: str) -> Source | None:
    """The first configured source that has Debian's `release`, whatever this machine's own release is."""
    opener = build_opener(ProxyHandler(proxies() or None))
    for source in sources():
        if "main" in source.components and _has(opener, source.uri, release):
            return source
    return None


def _has(opener: OpenerDirector, uri: str, release: str) -> bool:
    """Whether the release there is Debian's: other distributions use the same names."""
    try:
        with opener.open(f"{uri.rstrip('/')}/dists/{release}/InRelease", timeout=10) as answer:
            head = answer.read(4096).decode(errors="replace").splitlines()
    except (OSError, ValueError):
        return False
    return "Origin: Debian" in head and f"Codename: {release}" in head


def proxies() -> dict[str, str]:
    """The proxies that apt is told to use, by scheme."""
    found: dict[str, str] = {}
    for scheme in ("http", "https"):
        answer = subprocess.run(
            ["apt-config", "shell", "PROXY", f"Acquire::{scheme}::Proxy"],
            capture_output=True,
            text=True,
            check=False,
        )
        value = "".join(shlex.split(answer.stdout)).removeprefix("PROXY=")
        if value and value != "DIRECT":
            found[scheme] = value
    return found


def sources() -> Iterator[Source]:
    """All sources of apt, of both formats, that a plain download can reach."""
    lists = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.exists():
            yield from parse_one_line(path.read_text().splitlines())
    for path in sorted((APT / "sources.list.d").glob("*.sources")):
        yield from parse_deb822(path.read_text())


def parse_one_line(lines: Iterable[str]) -> Iterator[Source]:
    """`deb [signed-by=... arch=...] URI SUITE COMPONENT...`"""
    for line in lines:
        words = line.split("#")[0].split()
        if not words or words[0] != "deb":
            continue
        words = words[1:]
        options: dict[str, str] = {}
        if words and words[0].startswith("["):
            end = next((i for i, word in enumerate(words) if word.endswith("]")), 0)
            for option in " ".join(words[: end + 1]).strip("[] ").split():
                key, _, value = option.partition("=")
                options[key.lower()] = value
            words = words[end + 1 :]
        if len(words) >= 2:
            for uri in _plain_uris(words[0]):
                yield Source(uri, (words[1],), tuple(words[2:]), options)


def parse_deb822(text: str) -> Iterator[Source]:
    """Stanzas of `Types:`, `URIs:`, `Suites:`, `Components:`, `Signed-By:`, `Enabled:`."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1].isspace() and key:
                fields[key] += f" {line.strip()}"
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in (
            "no",
            "false",
        ):
            continue
        for uri in (plain for each in fields.get("uris", "").split() for plain in _plain_uris(each)):
            yield Source(
                uri,
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                fields,
            )


def _plain_uris(uri: str) -> Iterator[str]:
    """A URI that a plain download understands; a list of mirrors in a file stands for what it lists."""
    kind, _, path = uri.partition("mirror+file:")
    if not kind and path:
        for line in Path(unquote(path)).read_text().splitlines():
            yield from _plain_uris("".join(line.split("#")[0].split()[:1]))
    elif uri.startswith(("http://", "https://", "file:/")):
        yield uri
