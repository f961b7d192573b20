"""Python packages by uv and by pip, from a real index: versions, locks, entries, and why an installation fails."""

import base64
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from nodeunit.demo.python_package import wheel, wheel_name
from nodeunit.install.python.index import only_pip_knows_the_index
from tests.support.python_installs import PythonInstalls, refusal
from tests.support.registries import PythonIndex

pytestmark = pytest.mark.timeout(180)

PRINTS_ITS_PLACE = "import sys\ndef main():\n    print(__file__, *sys.argv[1:])\n"


@pytest.fixture(params=["uv", "pip"])
def installs(
    request: pytest.FixtureRequest, tmp_path: Path, python_index: PythonIndex, monkeypatch: pytest.MonkeyPatch
) -> PythonInstalls:
    return PythonInstalls(request.param, tmp_path, python_index, monkeypatch)


@pytest.fixture(scope="module", autouse=True)
def _published(python_index: PythonIndex) -> None:
    for version in ("1.0", "1.1", "2.0rc1"):
        files = {"web_app/__init__.py": PRINTS_ITS_PLACE}
        python_index.add_wheel("web-app", version, files, {"web-app": "web_app:main"}, requires=["web-dep>=1"])
    python_index.add_wheel("web-dep", "1.0", {"web_dep.py": ""})


def test_the_tool_on_path_is_taken(installs: PythonInstalls) -> None:
    installer = installs.installer()
    assert installer.missing() == ""
    assert type(installer._tool).__name__.lower() == installs.tool


@pytest.mark.parametrize(
    ("wanted", "version"), [("", "1.1"), ("latest", "1.1"), ("<1.1", "1.0"), (">=2.0rc1", "2.0rc1"), ("1.1.0", "1.1.0")]
)
async def test_a_range_or_tag_means_the_newest_version_that_fits(
    installs: PythonInstalls, wanted: str, version: str
) -> None:
    assert await installs.installer().resolve("Web_App", wanted) == version


async def test_an_installed_package_runs_under_its_final_name(installs: PythonInstalls) -> None:
    directory, lock = await installs.install("web-app", "1.0")
    assert (lock.version, lock.packages, lock.text.count("--hash=sha256:")) == ("1.0", 2, 2)
    assert lock.integrity.startswith("sha256:")

    entry = installs.installer().entry(directory, "web-app")
    assert _run(*entry.argv, "by", "interpreter").endswith("/web_app/__init__.py by interpreter\n")
    assert _run(str(Path(entry.path[0], "web-app")), "by", "script").split()[0].startswith(str(directory))

    texts = [path for path in directory.rglob("*") if path.is_file() and b"unfinished-" in path.read_bytes()]
    assert {path.suffix or path.name for path in texts} <= {".pyc", ".cfg"}, "only what Python itself corrects"


async def test_a_lock_gives_the_same_although_there_is_a_newer_dependency(installs: PythonInstalls) -> None:
    name = f"locked-{installs.tool}"
    installs.index.add_wheel(f"{name}-dep", "1.0", {"dep.py": "VERSION = 1"})
    installs.index.add_wheel(name, "1.0", {f"locked_{installs.tool}.py": ""}, requires=[f"{name}-dep"])
    _, first = await installs.install(name, "1.0")
    installs.index.add_wheel(f"{name}-dep", "1.1", {"dep.py": "VERSION = 2"})
    directory, second = await installs.install(name, "1.0", first)
    assert second == first
    assert [path.name for path in directory.rglob(f"locked_{installs.tool}_dep-*.dist-info")] == [
        f"locked_{installs.tool}_dep-1.0.dist-info"
    ]


async def test_a_lock_of_one_tool_serves_the_other(installs: PythonInstalls, monkeypatch: pytest.MonkeyPatch) -> None:
    _, lock = await installs.install("web-app", "1.0")
    other = PythonInstalls(
        "pip" if installs.tool == "uv" else "uv", _made(installs.home / "other"), installs.index, monkeypatch
    )
    _, same = await other.install("web-app", "1.0", lock)
    assert same == lock


async def test_a_lock_that_lacks_what_this_python_needs_is_not_used(installs: PythonInstalls) -> None:
    """As one that was made with a Python for which the package needs less."""
    needs = ["web-dep; python_version >= '3'", "web-absent; python_version < '3'", "web-extra; extra == 'more'"]
    installs.index.add_wheel("partial", "1.0", {"partial/__main__.py": ""}, requires=needs)
    _, whole = await installs.install("partial", "1.0")
    _, same = await installs.install("partial", "1.0", whole)
    assert same == whole
    (line,) = [line for line in whole.text.splitlines() if line.startswith("partial==")]
    refused = await refusal(installs.install("partial", "1.0", whole._replace(text=f"{line}\n")))
    assert (refused.reason, refused.may_heal) == ("install_failed", False)
    assert refused.detail.endswith("with that of this unit it also needs web-dep.")


async def test_other_bytes_than_the_lock_are_refused(installs: PythonInstalls) -> None:
    name, module = f"swapped-{installs.tool}", f"swapped_{installs.tool}.py"
    installs.index.add_wheel(name, "1.0", {module: "good = True"})
    _, lock = await installs.install(name, "1.0")
    installs.forget_downloads()
    installs.index.add_wheel(name, "1.0", {module: "good = False"})
    refused = await refusal(installs.install(name, "1.0", lock))
    assert (refused.reason, refused.may_heal) == ("wrong_bytes", False)
    assert f"{name}==1.0" in refused.detail or f"{name}@1.0" in refused.detail


async def test_bytes_that_the_page_does_not_promise_are_refused(installs: PythonInstalls) -> None:
    name, module = f"damaged-{installs.tool}", f"damaged_{installs.tool}.py"
    installs.index.add_wheel(name, "1.0", {module: "good = True"})
    installs.index.serve_other_bytes(name, wheel_name(name, "1.0"), wheel(name, "1.0", {module: "good = False"}))
    refused = await refusal(installs.install(name, "1.0"))
    assert (refused.reason, refused.may_heal) == ("wrong_bytes", False)


async def test_an_extra_brings_its_dependencies(installs: PythonInstalls) -> None:
    metadata = (
        "Metadata-Version: 2.1\nName: extra-app\nVersion: 1.0\n"
        "Provides-Extra: web\nRequires-Dist: web-dep; extra == 'web'\n"
    )
    installs.index.add_wheel("extra-app", "1.0", {"extra_app/__main__.py": ""}, metadata=metadata)
    directory, lock = await installs.install("extra-app[web]", "1.0")
    assert lock.packages == 2
    assert installs.installer().entry(directory, "extra-app[web]").argv[-2:] == ("-m", "extra_app")


@pytest.mark.parametrize("installs", ["uv"], indirect=True)
@pytest.mark.parametrize(
    ("name", "files", "scripts", "runs"),
    [
        (
            "entry-two",
            {"entry_two.py": ""},
            {"entry-two": "entry_two:main", "other": "entry_two:main"},
            "bin/entry-two",
        ),
        ("entry-other", {"entry_other.py": ""}, {"served": "entry_other:main"}, "bin/served"),
        ("entry-module", {"another/__main__.py": "", "another/__init__.py": ""}, None, "-m another"),
        ("entry-many", {"entry_many.py": ""}, {"a": "entry_many:a", "b": "entry_many:b"}, "several programs"),
        ("entry-none", {"entry_none.py": ""}, None, "neither a console script nor a module __main__"),
    ],
)
async def test_what_is_run_of_a_package(
    installs: PythonInstalls, name: str, files: dict[str, str], scripts: dict[str, str] | None, runs: str
) -> None:
    installs.index.add_wheel(name, "1.0", files, scripts)
    directory, _ = await installs.install(name, "1.0")
    entry = installs.installer().entry(directory, name)
    assert runs in " ".join(entry.argv) if entry.argv else runs in entry.problem
    assert entry.path == (str(directory / "environment/bin"),)


async def test_what_is_not_there_is_named(installs: PythonInstalls) -> None:
    absent = await refusal(installs.installer().resolve("web-absent", ""))
    assert (absent.reason, absent.detail) == ("no_such_package", "The index has no package web-absent.")
    version = await refusal(installs.install("web-app", "7.0"))
    assert (version.reason, version.may_heal) == ("no_such_version", True)
    assert "web-app@7.0" in version.detail
    installs.index.add_wheel("web-broken", "1.0", {}, requires=["web-absent>3"])
    below = await refusal(installs.install("web-broken", "1.0"))
    assert (below.reason, below.may_heal) == ("install_failed", True)
    assert "web-broken@1.0 needs web-absent" in below.detail


async def test_a_package_without_a_wheel_names_the_setting(installs: PythonInstalls) -> None:
    installs.index.add_file(
        "sourced", "sourced-1.0.tar.gz", _source_archive("sourced", "1.0", {"setup.py": "raise SystemExit(1)"})
    )
    for attempt in (installs.installer().resolve("sourced", ""), installs.install("sourced", "1.0")):
        refused = await refusal(attempt)
        assert (refused.reason, refused.may_heal) == ("needs_scripts", False)
        assert "NODE_UNIT_PYTHON_SOURCE_BUILDS=true" in refused.detail


async def test_a_package_for_another_python_is_named(installs: PythonInstalls) -> None:
    metadata = "Metadata-Version: 2.1\nName: future\nVersion: 1.0\nRequires-Python: >=4\n"
    installs.index.add_wheel("future", "1.0", {"future.py": ""}, metadata=metadata)
    installs.index.add_file("compiled", "compiled-1.0-cp27-cp27m-win32.whl", wheel("compiled", "1.0", {}))
    for name in ("future", "compiled"):
        refused = await refusal(installs.install(name, "1.0"))
        assert refused.reason == "no_such_version"
        assert "is for the Python of this unit" in refused.detail


async def test_an_index_that_does_not_answer_heals(installs: PythonInstalls, unused_tcp_port: int) -> None:
    installer = installs.installer(index=f"http://user:secret@127.0.0.1:{unused_tcp_port}/simple/")
    refused = await refusal(installer.resolve("web-app", ""))
    assert (refused.reason, refused.may_heal) == ("registry_unreachable", True)
    assert "secret" not in refused.detail


async def test_a_unit_may_allow_source_builds(installs: PythonInstalls) -> None:
    built = base64.b64encode(wheel("built", "1.0", {"built/__main__.py": ""}))
    backend = (
        "import base64, os\n"
        "def build_wheel(directory, config_settings=None, metadata_directory=None):\n"
        f"    with open(os.path.join(directory, {wheel_name('built', '1.0')!r}), 'wb') as file:\n"
        f"        file.write(base64.b64decode({built!r}))\n"
        f"    return {wheel_name('built', '1.0')!r}\n"
    )
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    archive = _source_archive("built", "1.0", {"pyproject.toml": project, "backend.py": backend})
    installs.index.add_file("built", "built-1.0.tar.gz", archive)
    assert (await refusal(installs.install("built", "1.0"))).reason == "needs_scripts"
    allowed = installs.installer(source_builds=True)
    directory, lock = await installs.install("built", "1.0", installer=allowed)
    assert allowed.entry(directory, "built").argv[-2:] == ("-m", "built")
    assert hashlib.sha256(archive).hexdigest() in lock.text
    assert (await refusal(installs.install("built", "1.0", lock))).reason == "needs_scripts", "elsewhere"


def test_uv_is_left_alone_where_only_pip_knows_the_index(tmp_path: Path) -> None:
    home, system = _made(tmp_path / "home"), _made(tmp_path / "etc")
    assert not only_pip_knows_the_index(home, system)
    _made(home / ".config/pip").joinpath("pip.conf").write_text("[global]\ntimeout = 60\n")
    assert not only_pip_knows_the_index(home, system)
    system.joinpath("pip.conf").write_text("[global]\nindex_url = http://127.0.0.1/simple\n")
    assert only_pip_knows_the_index(home, system)
    _made(home / ".config/uv").joinpath("uv.toml").write_text('index-url = "http://127.0.0.1/simple"\n')
    assert not only_pip_knows_the_index(home, system)


def _run(*argv: str) -> str:
    return subprocess.run(
        argv, check=True, capture_output=True, text=True, timeout=30, env={"PATH": "/usr/bin:/bin"}
    ).stdout


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def _source_archive(name: str, version: str, files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    texts = {"PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", **files}
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in texts.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
