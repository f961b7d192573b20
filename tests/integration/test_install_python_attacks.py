"""Python packages and indexes that mean harm: nothing of them runs, and nothing is written outside the store."""

import asyncio
import io
import stat
import tarfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nodeunit.demo.python_package import wheel, wheel_name
from nodeunit.install.child import Limits
from nodeunit.install.package import InstallFailed
from tests.support.python_installs import PythonInstalls, refusal
from tests.support.registries import PythonIndex, running_python_index

pytestmark = pytest.mark.timeout(180)

SMALL = Limits(time_s=120, disk_bytes=24 * 2**20, file_bytes=8 * 2**20)
DATA = "attack-1.0.data"

Contents = Mapping[str, str | bytes]


class Attack:
    """One package `attack` of version 1.0. `harm` is Python, and `shell` a command, that leaves a mark if it is run."""

    def __init__(self, index: PythonIndex, outside: Path) -> None:
        self.index = index
        self.outside = outside
        self.harm = f"open({str(outside / 'ran')!r}, 'w')\n"
        self.shell = f"touch {outside / 'ran'}"

    def wheel(self, files: Contents = {}, scripts: Mapping[str, str] | None = None, **more: object) -> None:  # noqa: B006
        self.index.add_wheel("attack", "1.0", {"attack/__init__.py": "", **files}, scripts, **more)  # type: ignore[arg-type]

    def file(self, name: str, content: bytes) -> None:
        self.index.add_file("attack", name, content)

    def source(self, backend: bool = False) -> bytes:
        """A source archive that does harm when it is built."""
        texts = {"PKG-INFO": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n", "setup.py": self.harm}
        if backend:
            texts["pyproject.toml"] = '[build-system]\nrequires = []\nbuild-backend = "harm"\nbackend-path = ["."]\n'
            texts["harm.py"] = self.harm
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path, text in texts.items():
                entry = tarfile.TarInfo(f"evil-1.0/{path}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        return packed.getvalue()


def path_up(it: Attack) -> None:
    it.wheel({"../../../../../../outside/ran": ""})


def path_absolute(it: Attack) -> None:
    it.wheel({str(it.outside / "ran"): ""})


def path_of_data_up(it: Attack) -> None:
    it.wheel({f"{DATA}/scripts/../../../../../../outside/ran": "#!python\n"})


def path_of_unknown_data(it: Attack) -> None:
    it.wheel({f"{DATA}/../../../../../outside/ran": ""})


def link_that_leads_out(it: Attack) -> None:
    packed = io.BytesIO(wheel("attack", "1.0", {"attack/__init__.py": ""}))
    with zipfile.ZipFile(packed, "a") as archive:
        link = zipfile.ZipInfo("attack/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(it.outside))
        archive.writestr("attack/link/ran", "")
    it.file(wheel_name("attack", "1.0"), packed.getvalue())


def script_name_up(it: Attack) -> None:
    it.wheel(scripts={"../../../../../outside/ran": "attack:main"})


def script_name_absolute(it: Attack) -> None:
    it.wheel(scripts={str(it.outside / "ran"): "attack:main"})


def script_of_code(it: Attack) -> None:
    it.wheel(scripts={"attack": f"os:system({it.shell!r})"})


def script_in_place_of_the_interpreter(it: Attack) -> None:
    it.wheel(scripts={"python": "attack:main", "python3": "attack:main"})


def file_in_place_of_the_interpreter(it: Attack) -> None:
    it.wheel({f"{DATA}/data/bin/python": f"#!/bin/sh\n{it.shell}\n"})


def other_configuration_of_the_environment(it: Attack) -> None:
    it.wheel({f"{DATA}/data/pyvenv.cfg": f"home = {it.outside}\ninclude-system-site-packages = true\n"})


def path_file(it: Attack) -> None:
    it.wheel({"attack.pth": f"import os; os.system({it.shell!r})\n"})


def modules_that_every_interpreter_imports(it: Attack) -> None:
    it.wheel(dict.fromkeys(("sitecustomize.py", "usercustomize.py", "encodings.py", "site.py"), it.harm))


def modules_of_the_installer(it: Attack) -> None:
    it.wheel(dict.fromkeys(("pip/__init__.py", "pip/__main__.py", "compileall.py", "runpy.py", "json.py"), it.harm))


def needs_a_file(it: Attack) -> None:
    it.outside.joinpath("evil-1.0.tar.gz").write_bytes(it.source(backend=True))
    it.wheel(requires=[f"evil @ file://{it.outside}/evil-1.0.tar.gz"])


def needs_a_folder(it: Attack) -> None:
    it.outside.joinpath("setup.py").write_text(it.harm)
    it.wheel(requires=[f"evil @ file://{it.outside}"])


def needs_an_archive_of_the_web(it: Attack) -> None:
    it.index.add_file("evil", "evil-1.0.tar.gz", it.source(backend=True))
    it.wheel(requires=[f"evil @ {it.index.url}evil/evil-1.0.tar.gz"])


def needs_a_wheel_of_the_web(it: Attack) -> None:
    it.index.add_wheel("evil", "1.0", {"evil.py": ""})
    it.wheel(requires=[f"evil @ {it.index.url}evil/{wheel_name('evil', '1.0')}"])


def needs_a_repository(it: Attack) -> None:
    it.wheel(requires=[f"evil @ git+{it.index.url}evil.git"])


def needs_a_repository_of_this_machine(it: Attack) -> None:
    it.wheel(requires=[f"evil @ git+file://{it.outside}"])


def needs_an_option(it: Attack) -> None:
    it.wheel(requires=[f"--index-url=file://{it.outside}", "-r /etc/passwd"])


def archive_that_is_built(it: Attack) -> None:
    it.file("attack-1.0.tar.gz", it.source())


def archive_with_its_own_backend(it: Attack) -> None:
    it.file("attack-1.0.zip", it.source(backend=True))
    it.file("attack-1.0.tar.gz", it.source(backend=True))


def metadata_of_another_package(it: Attack) -> None:
    it.wheel(metadata="Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")


def metadata_of_another_version(it: Attack) -> None:
    it.wheel(metadata="Metadata-Version: 2.1\nName: attack\nVersion: 6.6.6\n")


def metadata_of_no_text(it: Attack) -> None:
    it.wheel(metadata="Name: \0\x1b[2J\n" * 10_000)


def no_metadata(it: Attack) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("attack/__init__.py", "")
    it.file(wheel_name("attack", "1.0"), packed.getvalue())


def no_archive(it: Attack) -> None:
    it.file(wheel_name("attack", "1.0"), b"<html>" * 1000)


def bomb(it: Attack) -> None:
    it.wheel({"attack/zeros": bytes(64 * 2**20)})


def source_that_breaks_the_compiler(it: Attack) -> None:
    it.wheel({"attack/deep.py": "(" * 50_000, "attack/wrong.py": "\0", "attack/more.py": "-" * 200_000 + "1"})


INSTALLED = ""
ATTACKS: dict[Callable[[Attack], None], tuple[str, ...]] = {
    path_up: ("bad_manifest", INSTALLED),
    path_absolute: ("bad_manifest", INSTALLED),
    path_of_data_up: ("bad_manifest", INSTALLED),
    path_of_unknown_data: ("bad_manifest", INSTALLED),
    link_that_leads_out: ("bad_manifest", INSTALLED),
    script_name_up: ("bad_manifest", INSTALLED),
    script_name_absolute: ("bad_manifest", INSTALLED),
    script_of_code: ("bad_manifest", INSTALLED),
    script_in_place_of_the_interpreter: ("bad_manifest",),
    file_in_place_of_the_interpreter: ("bad_manifest",),
    other_configuration_of_the_environment: ("bad_manifest",),
    path_file: (INSTALLED,),
    modules_that_every_interpreter_imports: (INSTALLED,),
    modules_of_the_installer: (INSTALLED,),
    needs_a_file: ("bad_manifest",),
    needs_a_folder: ("bad_manifest",),
    needs_an_archive_of_the_web: ("bad_manifest",),
    needs_a_wheel_of_the_web: ("bad_manifest",),
    needs_a_repository: ("bad_manifest",),
    needs_a_repository_of_this_machine: ("bad_manifest",),
    needs_an_option: ("bad_manifest",),
    archive_that_is_built: ("needs_scripts",),
    archive_with_its_own_backend: ("needs_scripts",),
    metadata_of_another_package: ("bad_manifest",),
    metadata_of_another_version: ("bad_manifest",),
    metadata_of_no_text: ("bad_manifest", "install_failed", INSTALLED),
    no_metadata: ("bad_manifest",),
    no_archive: ("bad_manifest",),
    bomb: ("too_large",),
    source_that_breaks_the_compiler: (INSTALLED,),
}
"""What an installer may make of each: the reason of its refusal, or that nothing of it has done harm."""


@pytest.fixture(params=["uv", "pip"])
def installs(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PythonInstalls]:
    with running_python_index() as index:
        yield PythonInstalls(request.param, tmp_path, index, monkeypatch)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_nothing_runs_and_nothing_leaves_the_store(
    installs: PythonInstalls, attack: Callable[[Attack], None]
) -> None:
    attack(Attack(installs.index, installs.outside))
    before = installs.untouched()
    failed = None
    try:
        directory, _ = await installs.install("attack", "1.0", installer=installs.installer(limits=SMALL))
    except InstallFailed as refused:
        failed = refused
    else:
        entry = installs.installer().entry(directory, "attack")
        assert all(Path(word).is_relative_to(directory) for word in entry.argv if word.startswith("/"))
    assert installs.untouched() == before
    assert (failed.reason if failed else INSTALLED) in ATTACKS[attack], failed and failed.detail
    assert failed is None or (failed.detail.isprintable() and len(failed.detail) < 600)


@asynccontextmanager
async def index_that_sends(page: bytes, file: bytes, then: bytes) -> AsyncIterator[str]:
    """An index whose pages are `page`. It begins each file with `file` and goes on with `then` without an end; without
    any of them it says nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                if b".whl" not in request and page:
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page)
                    writer.write(head + page)
                elif file:
                    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + file)
                    while True:
                        writer.write(then)
                        await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/simple/"
    finally:
        server.close()


PAGE = f'<a href="{wheel_name("attack", "1.0")}">{wheel_name("attack", "1.0")}</a>'.encode()


@pytest.mark.parametrize(
    ("page", "file", "then", "reasons"),
    [
        (b"", b"", b"", ("timed_out",)),
        (PAGE, b"", b"", ("timed_out",)),
        (PAGE, b"PK\x03\x04", bytes(65_536), ("too_large", "timed_out", "bad_manifest")),
        (b"<html>" + b"<a href='//evil/'>" * 100_000, b"", b"", ("no_such_package", "no_such_version")),
        (b'<meta http-equiv="refresh" content="0; url=/simple/">', b"", b"", ("no_such_package", "no_such_version")),
    ],
    ids=["silent", "silent_file", "endless_file", "large_page", "empty_page"],
)
async def test_an_index_can_only_make_the_installation_fail(
    installs: PythonInstalls, page: bytes, file: bytes, then: bytes, reasons: tuple[str, ...]
) -> None:
    before = installs.untouched()
    limits = SMALL._replace(time_s=4 if "timed_out" in reasons else 120)
    async with index_that_sends(page, file, then) as url:
        failed = await refusal(
            installs.install("attack", "1.0", installer=installs.installer(index=url, limits=limits))
        )
    assert failed.reason in reasons, failed.detail
    assert failed.detail.isprintable()
    assert len(failed.detail) < 600
    assert installs.untouched() == before
