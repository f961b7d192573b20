"""The TimescaleDB image: one that is there, else the pinned one pulled, else one of Debian packages.

The built image carries the checksum of what it was made from. An image made from other sources is rebuilt: an older
one, or one of another origin with the same name.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from nodeunit.demo import container
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


CONFIGURATION = (
    f"ENV PATH={BINARIES}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    "ENV PGDATA=/var/lib/postgresql/data",
    'ENTRYPOINT ["/usr/local/bin/entry"]',
    'CMD ["postgres"]',
    "EXPOSE 5432",
)


def checksum(packages: tuple[str, ...] = ()) -> str:
    """The checksum of everything that the image is made from, except the package versions of the mirror."""
    recipe = repr((RELEASE, packages or PACKAGES, SUPERFLUOUS, CONFIGURATION)).encode()
    return hashlib.sha256(recipe + ENTRY.read_bytes()).hexdigest()


def usable() -> str:
    """The name of the image to run tests on. Raises CannotGoOn, which says why there is none."""
    if image := container.image_present(checksum()):
        return image
    if refusal := container.docker_refusal():
        raise CannotGoOn(f"No Docker engine answers ({refusal}): `make database` makes one available.")
    if container.made_from(container.BUILT_IMAGE) is None:
        raise CannotGoOn("No TimescaleDB image is there: `make database` makes one available.")
    raise CannotGoOn(
        f"The image {container.BUILT_IMAGE} was not made from what this checkout describes:"
        " `make database` makes it anew."
    )


def make_available(*, rebuild: bool = False) -> str:
    """Return the name of an image that the engine has. Raises CannotGoOn, which says what is missing."""
    if not rebuild:
        if image := container.image_present(checksum()):
            say(f"the image {image} is there")
            return image
        if container.made_from(container.BUILT_IMAGE) is not None:
            say(f"the image {container.BUILT_IMAGE} was not made from what this checkout describes")
        if image := container.image_present_or_pulled(say, checksum()):
            return image
    build(container.BUILT_IMAGE)
    return container.BUILT_IMAGE


def build(name: str, packages: tuple[str, ...] = PACKAGES) -> None:
    """Install the packages into an empty folder and hand that to the engine as an image of this name.

    Raises CannotGoOn, saying what is missing.
    """
    if os.geteuid() != 0:
        raise CannotGoOn("The image can neither be pulled nor built: building it needs root, for debootstrap.")
    if shutil.which("debootstrap") is None:
        debian.install("debootstrap", "debian-archive-keyring")
    scratch = Path(tempfile.mkdtemp(prefix="nodeunit-image-"))
    root = scratch / "root"
    try:
        command, environment = _debootstrap(root, packages)
        run(f"installing {' '.join(packages)} of Debian {RELEASE}", command, environment=environment)
        _trim(root)
        shutil.copy(ENTRY, root / "usr/local/bin/entry")
        (root / "usr/local/bin/entry").chmod(0o755)
        import_folder(root, name, packages)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    say(f"built {name}")


def _debootstrap(root: Path, packages: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """The command and its environment, with the mirror and proxies of apt."""
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}"]
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


def import_folder(root: Path, name: str, packages: tuple[str, ...] = ()) -> None:
    """Stream the folder into the engine; extended attributes and ownership by number stay as they are."""
    command = ["docker", "import"]
    for change in (*CONFIGURATION, f"LABEL {container.MADE_FROM}={checksum(packages)}"):
        command += ["--change", change]
    say("handing it to the engine")
    with subprocess.Popen(["tar", "--numeric-owner", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as archive:
        imported = subprocess.run(
            [*command, "-", name], stdin=archive.stdout, capture_output=True, text=True, check=False
        )
    if archive.returncode != 0 or imported.returncode != 0:
        raise CannotGoOn(f"The engine does not take the image: {imported.stderr.strip()}")
