"""Names, versions, packages and registries that attack a unit: nothing is run, nothing is written outside the store."""

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodeunit.demo.static_server import static_server
from nodeunit.install.child import Limits
from nodeunit.install.package import InstallFailed, Lock
from tests.support.hostile_registry import HostileRegistry, file, link, special
from tests.support.npm_units import npm, npm_store

ABOVE = "../" * 12
LIMITS = Limits(time_s=60, disk_bytes=20 * 2**20)

REFUSED = ("bad_manifest", "install_failed", "wrong_bytes", "too_large", "no_such_package", "registry_unreachable")


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    with static_server() as server:
        yield HostileRegistry(server)


def is_below(path: str, directory: Path) -> bool:
    return Path(path).resolve().is_relative_to(directory.resolve())


class Victim:
    """A unit in a directory that is watched: nothing outside its store and its cache may change."""

    def __init__(self, directory: Path, registry: str) -> None:
        self.directory = directory
        self.ran = directory / "ran"
        """Attacks make this file if they are run, and try to write it."""
        (directory / "innocent").write_text("as it was")
        self._store = npm_store(directory / "home", registry, limits=LIMITS)
        self._before = self._outside()

    async def install(self, name: str, wanted: str, lock: Lock | None = None) -> str:
        """Why it was refused; empty if it was installed. Whatever happened, it happened in the store."""
        try:
            found = await self._store.ensure(npm(name, wanted), lock)
        except InstallFailed as refused:
            outcome: str = refused.reason
            assert not list(self.directory.glob("home/store/npm/*")), "what was refused has no final name"
        else:
            outcome = ""
            assert is_below(found.argv[1], found.directory / "node_modules" / name), "only the package itself is run"
        assert self._outside() == self._before
        assert not list(self.directory.glob("home/store/.unfinished/*"))
        self._assert_no_way_out()
        return outcome

    def _outside(self) -> dict[str, str]:
        inside = (self.directory / "home" / "store", self.directory / "home" / "cache")
        return {
            str(path): path.read_text() if path.is_file() else ""
            for path in sorted(self.directory.rglob("*"))
            if not any(path.is_relative_to(directory) for directory in inside)
        }

    def _assert_no_way_out(self) -> None:
        store = self.directory / "home" / "store"
        for path in store.rglob("*"):
            if path.is_symlink():
                assert path.resolve().is_relative_to(store), f"{path} leads out"
            else:
                assert path.is_file() or path.is_dir(), f"{path} is neither"


@pytest.fixture
def victim(tmp_path: Path, registry: HostileRegistry) -> Victim:
    return Victim(tmp_path, registry.url)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("--registry=http://127.0.0.1:1", "1.0.0"),
        ("-g", "1.0.0"),
        ("../x", "1.0.0"),
        ("@../x", "1.0.0"),
        ("/etc/passwd", "1.0.0"),
        ("git+https://127.0.0.1:1/x.git", ""),
        ("http://127.0.0.1:1/x.tgz", ""),
        ("github:user/repo", ""),
        ("user/repo", "1.0.0"),
        ("x; touch ran", "1.0.0"),
        ("$(touch ran)", "1.0.0"),
        ("x\n--ignore-scripts=false", "1.0.0"),
        ("x.tgz", "1.0.0"),
        ("x\0", "1.0.0"),
        ("node_modules", "1.0.0"),
        ("attack", "file:../../.."),
        ("attack", "../.."),
        ("attack", "npm:other@1"),
        ("attack", "git+ssh://git@127.0.0.1/x"),
        ("attack", "http://127.0.0.1:1/x.tgz"),
        ("attack", "link:/etc"),
        ("attack", "1.0.0 --ignore-scripts=false\n"),
        ("attack", "--ignore-scripts=false"),
        ("attack", "workspace:*"),
        ("attack", "$(touch ran)"),
        ("attack", "package.tgz"),
    ],
)
async def test_no_name_and_no_version_gets_as_far_as_npm(
    victim: Victim, registry: HostileRegistry, name: str, wanted: str
) -> None:
    registry.publish("attack")
    assert await victim.install(name, wanted) == "bad_name"
    assert registry.requests == []


def lifecycle(victim: Victim, registry: HostileRegistry) -> None:
    stages = ("preinstall", "install", "postinstall", "prepare", "prepublish", "preprepare", "postprepare", "prepack")
    scripts = dict.fromkeys(stages, f"touch {victim.ran}")
    registry.publish("below", scripts=scripts, hasInstallScript=True)
    registry.publish("attack", scripts=scripts, dependencies={"below": "1.0.0"})


def native_addon(victim: Victim, registry: HostileRegistry) -> None:
    binding = f'{{"targets": [{{"target_name": "x", "variables": {{"x": "<!(touch {victim.ran})"}}}}]}}'
    registry.publish("attack", [file("package/binding.gyp", binding)], gypfile=True)


def own_npmrc(victim: Victim, registry: HostileRegistry) -> None:
    scripts = {"postinstall": f"touch {victim.ran}"}
    npmrc = "ignore-scripts=false\nscript-shell=/bin/sh\n"
    registry.publish("attack", [file("package/.npmrc", npmrc), file(".npmrc", npmrc)], scripts=scripts)


def bundled(victim: Victim, registry: HostileRegistry) -> None:
    inner = f'{{"name": "inner", "version": "1.0.0", "scripts": {{"postinstall": "touch {victim.ran}"}}}}'
    members = [file("package/node_modules/inner/package.json", inner)]
    registry.publish("attack", members, dependencies={"inner": "1.0.0"}, bundleDependencies=["inner"])


def shrinkwrap(victim: Victim, registry: HostileRegistry) -> None:
    """Its own lock, of which npm takes what it says about those below."""
    text = f"""{{"name": "attack", "version": "1.0.0", "lockfileVersion": 3, "packages": {{
        "": {{"dependencies": {{"inner": "1.0.0"}}}},
        "node_modules/inner": {{"version": "1.0.0", "resolved": "file:{victim.directory}", "link": true}}}}}}"""
    registry.publish(
        "attack", [file("package/npm-shrinkwrap.json", text)], dependencies={"inner": "1.0.0"}, _hasShrinkwrap=True
    )


def archive_above(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", [file(f"package/{ABOVE}{victim.ran}"), file(f"{ABOVE}{victim.ran}")])


def archive_absolute(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", [file(str(victim.ran)), file(f"package/{victim.ran}")])


def archive_over_a_file(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish(
        "attack", [file("package/../../../package.json", "{}"), file("package/../../.bin/node", "x", 0o755)]
    )


def archive_through_a_link(victim: Victim, registry: HostileRegistry) -> None:
    members = [
        link("package/out", str(victim.directory)),
        file("package/out/ran"),
        file("package/out/innocent", "evil"),
    ]
    registry.publish("attack", members)


def archive_through_a_hard_link(victim: Victim, registry: HostileRegistry) -> None:
    innocent = str(victim.directory / "innocent")
    members = [link("package/out", innocent, tarfile.LNKTYPE), file("package/out", "evil")]
    registry.publish("attack", members, bin="out")


def archive_of_devices(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", [special("package/null", tarfile.CHRTYPE), special("package/pipe", tarfile.FIFOTYPE)])


def archive_that_bursts(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", [file("package/large", "0" * 50_000_000)])


def bin_above(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", bin={"attack": f"{ABOVE}bin/sh", "other": "/bin/sh"})


def bin_named_above(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", bin={f"{ABOVE}{victim.ran}": "index.js", "../../../../ran": "index.js"})


def bin_directory_above(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", directories={"bin": ABOVE, "man": ABOVE, "lib": "/"}, man=["../../../innocent"])


def main_above(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", main=f"{ABOVE}etc/passwd")


def manifest_no_json(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", manifest="{not json")


def manifest_of_wrong_types(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", manifest='{"name": ["attack"], "version": {}, "bin": [[]], "main": 7, "scripts": 1}')


def manifest_deep(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish(
        "attack", manifest='{"name": "attack", "version": "1.0.0", "x": ' + "[" * 50_000 + "]" * 50_000 + "}"
    )


def manifest_large(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", manifest='{"name": "attack", "version": "1.0.0", "x": "' + "x" * 3_000_000 + '"}')


def of_another_name(victim: Victim, registry: HostileRegistry) -> None:
    other = '{"name": "../../../ran", "version": "../../ran", "bin": "index.js"}'
    registry.publish("attack", manifest=other, document={"name": "../../../ran", "_id": "/etc"})


def below_from(wanted: str) -> Callable[[Victim, HostileRegistry], None]:
    def attack(victim: Victim, registry: HostileRegistry) -> None:
        registry.publish("attack", dependencies={"below": wanted})

    attack.__name__ = f"below from {wanted}"
    return attack


def below_named(name: str) -> Callable[[Victim, HostileRegistry], None]:
    def attack(victim: Victim, registry: HostileRegistry) -> None:
        registry.publish("attack", dependencies={name: "1.0.0"})

    attack.__name__ = f"below named {name}"
    return attack


def tarball_elsewhere(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", dist={"tarball": f"file://{victim.directory}/innocent"})


def wrong_hash(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", dist={"integrity": "sha512-" + "A" * 86 + "=="})


def no_hash(victim: Victim, registry: HostileRegistry) -> None:
    registry.publish("attack", dist={"integrity": "", "shasum": ""})


def document_no_json(victim: Victim, registry: HostileRegistry) -> None:
    registry.serve("/attack", b"<html>", "application/json")


def document_of_wrong_types(victim: Victim, registry: HostileRegistry) -> None:
    registry.serve("/attack", b'{"name": 1, "versions": [1], "dist-tags": "latest"}', "application/json")


ATTACKS = [
    lifecycle, native_addon, own_npmrc, bundled, shrinkwrap,
    archive_above, archive_absolute, archive_over_a_file, archive_through_a_link, archive_through_a_hard_link,
    archive_of_devices, archive_that_bursts,
    bin_above, bin_named_above, bin_directory_above, main_above,
    manifest_no_json, manifest_of_wrong_types, manifest_deep, manifest_large, of_another_name,
    below_from("git+https://127.0.0.1:1/x.git"), below_from("http://127.0.0.1:1/x.tgz"), below_from("file:../../../.."),
    below_from("npm:../../ran@1"), below_named("../../../ran"), below_named("--global"),
    tarball_elsewhere, wrong_hash, no_hash, document_no_json, document_of_wrong_types,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__.replace("_", " "))
async def test_nothing_is_run_and_nothing_written_elsewhere(
    victim: Victim, registry: HostileRegistry, attack: Callable[[Victim, HostileRegistry], None]
) -> None:
    attack(victim, registry)
    assert await victim.install("attack", "1.0.0") in ("", *REFUSED)
    assert not victim.ran.exists()


@pytest.mark.parametrize(
    "place",
    ["../../ran", "node_modules/../../../ran", "node_modules/attack/../../ran", "ran"],
)
async def test_a_lock_of_an_attacker_is_refused(victim: Victim, registry: HostileRegistry, place: str) -> None:
    registry.publish("attack")
    own = '"node_modules/attack": {"version": "1.0.0", "integrity": "sha512-x"}'
    text = (
        f'{{"lockfileVersion": 3, "packages": {{{own}, "{place}": {{"version": "1.0.0", "integrity": "sha512-x"}}}}}}'
    )
    assert await victim.install("attack", "1.0.0", Lock("1.0.0", "sha512-x", text)) == "bad_manifest"
    assert registry.requests == []
