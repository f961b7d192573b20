"""The TimescaleDB image: one that is there, else the pinned one pulled, else one of Debian packages."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from nodeunit.demo.container import BUILT_IMAGE, image_present, image_present_or_pulled
from tools.timescaledb import debian
from tools.timescaledb.say import CannotGoOn, run, say

RELEASE = "trixie"
PACKAGES = ("postgresql-17", "postgresql-17-timescaledb")
BINARIES = "/usr/lib/postgresql/17/bin"
ENTRY = Path(__file__).with_name("entry.sh")

# What a database server does not need. Compiling queries is off, and its compiler a third of the image.
SUPERFLUOUS = (
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "var/log/*",
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3*",
    "usr/lib/postgresql/17/lib/llvmjit*",
    "usr/lib/postgresql/17/lib/bitcode",
)


def make_available(*, rebuild: bool = False) -> str:
    """Return the name of an image that the engine has; else raises CannotGoOn, saying what is missing."""
    if not rebuild:
        if image := image_present():
            say(f"the image {image} is there")
            return image
        if image := image_present_or_pulled(say):
            return image
    _build()
    return BUILT_IMAGE


def _build() -> None:
    """Install the packages into an empty folder and hand that to the engine as an image."""
    if os.geteuid() != 0:
        raise CannotGoOn("The image can neither be pulled nor built: building it needs root, for debootstrap.")
    if shutil.which("debootstrap") is None:
        debian.install("debootstrap", "debian-archive-keyring")
    scratch = Path(tempfile.mkdtemp(prefix="nodeunit-image-"))
    root = scratch / "root"
    try:
        command, environment = _debootstrap(root)
        run(f"installing {' '.join(PACKAGES)} of Debian {RELEASE}", command, environment=environment)
        _trim(root)
        shutil.copy(ENTRY, root / "usr/local/bin/entry")
        (root / "usr/local/bin/entry").chmod(0o755)
        _import(root)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    say(f"built {BUILT_IMAGE}")


def _debootstrap(root: Path) -> tuple[list[str], dict[str, str]]:
    """The command and its environment, with the mirror and proxies of apt."""
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    source = debian.mirror(RELEASE)
    if source and source.keyring:
        command.append(f"--keyring={source.keyring}")
    command += [RELEASE, str(root)]
    if source:
        command.append(source.uri)
    return command, os.environ | {f"{scheme}_proxy": proxy for scheme, proxy in debian.proxies().items()}


def _trim(root: Path) -> None:
    for pattern in SUPERFLUOUS:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _import(root: Path) -> None:
    """Stream the folder into the engine; extended attributes and ownership by number stay as they are."""
    changes = (
        f"ENV PATH={BINARIES}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ENV LANG=C.UTF-8",
        "ENV PGDATA=/var/lib/postgresql/data",
        'ENTRYPOINT ["/usr/local/bin/entry"]',
        'CMD ["postgres"]',
        "EXPOSE 5432",
    )
    command = ["docker", "import"]
    for change in changes:
        command += ["--change", change]
    say("handing it to the engine")
    with subprocess.Popen(["tar", "--numeric-owner", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as archive:
        imported = subprocess.run(
            [*command, "-", BUILT_IMAGE], stdin=archive.stdout, capture_output=True, text=True, check=False
        )
    if archive.returncode != 0 or imported.returncode != 0:
        raise CannotGoOn(f"The engine does not take the image: {imported.stderr.strip()}")
