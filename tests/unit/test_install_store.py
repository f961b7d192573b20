"""The install store: what has its final name is complete, and one installation serves all who want it."""

import asyncio
import hashlib
import os
import time
from pathlib import Path

import pytest

from nodeunit.install.package import Installed, InstallFailed, Lock, Package
from nodeunit.install.record import RECORD
from nodeunit.install.store import InstallStore
from tests.support.folder_installer import FolderInstaller
from tests.support.waiting import eventually

A = Package("folder", "@team/a", "1.0")
DAY_S = 86_400.0


@pytest.fixture
def installer(tmp_path: Path) -> FolderInstaller:
    installer = FolderInstaller(tmp_path / "registry")
    installer.publish("@team/a", "1.0")
    return installer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path, installer: FolderInstaller) -> InstallStore:
    return InstallStore(root, [installer])


def everything(root: Path) -> set[str]:
    """Every file below, as a path from there."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def key_of(name: str, version: str) -> str:
    """The end of the name of a lock."""
    return hashlib.sha256(f"folder\0{name}\0{version}".encode()).hexdigest()[:16]


def unfinished(root: Path, pattern: str = "*") -> list[Path]:
    return list((root / ".unfinished").glob(pattern))


async def test_an_installation_is_complete_when_it_has_its_name(store: InstallStore, root: Path) -> None:
    found = await store.ensure(A)
    assert found.version == "1.0"
    assert found.directory.parent == root / "folder"
    assert found.directory.name.startswith("@team+a@1.0-")
    assert found.argv == (str(found.directory / "program"),)
    assert found.path == (str(found.directory),)
    assert found.lock == Lock("1.0", "sha256-x", "@team/a 1.0", 1)
    assert found.packages == 1
    assert found.took_s > 0
    name = f"folder/{found.directory.name}"
    assert everything(root) == {f"{name}/first", f"{name}/program", f"{name}/{RECORD}"}


async def test_it_is_made_once(store: InstallStore, installer: FolderInstaller) -> None:
    first = await store.ensure(A)
    second = await store.ensure(A)
    assert second == first._replace(took_s=0)
    with_lock = await store.ensure(A, first.lock)
    assert with_lock == second
    assert installer.started == 1


async def test_another_lock_of_the_same_version_is_another_installation(
    store: InstallStore, installer: FolderInstaller
) -> None:
    first = await store.ensure(A)
    second = await store.ensure(A, Lock("1.0", "sha256-x", "with newer packages below", 2))
    assert second.directory != first.directory
    assert second.lock.text == "with newer packages below"
    assert installer.started == 2
    assert (await store.ensure(A, first.lock)).directory == first.directory


async def test_a_range_is_resolved_and_an_installed_version_is_found(store: InstallStore) -> None:
    newest = Package("folder", "@team/a", "")
    assert await store.resolve(newest) == "1.0"
    assert not store.find("folder", "@team/a", "1.0")
    found = await store.ensure(newest)
    assert found.version == "1.0"
    assert found.package == newest
    assert store.find("folder", "@team/a", "1.0")
    assert store.find("folder", "@team/a", "1.0", found.lock)
    assert not store.find("folder", "@team/a", "1.0", Lock("1.0", "", "another"))
    assert not store.find("folder", "@team/a", "1.0-beta")


async def test_rows_that_want_it_at_once_share_it(store: InstallStore, installer: FolderInstaller) -> None:
    found = await asyncio.gather(*(store.ensure(A) for _ in range(21)))
    assert len({one.directory for one in found}) == 1
    assert installer.started == 1


async def test_rows_that_want_it_at_once_share_its_failure(store: InstallStore, installer: FolderInstaller) -> None:
    missing = Package("folder", "@team/a", "9.9")
    failures = await asyncio.gather(*(store.ensure(missing) for _ in range(21)), return_exceptions=True)
    assert {failure.reason for failure in failures if isinstance(failure, InstallFailed)} == {"no_such_version"}
    assert len(failures) == 21
    assert installer.started == 1


async def test_units_that_want_it_at_once_share_it(root: Path, installer: FolderInstaller) -> None:
    found = await asyncio.gather(*(InstallStore(root, [installer]).ensure(A) for _ in range(4)))
    assert len({one.directory for one in found}) == 1
    assert installer.started == 1


async def test_one_who_no_longer_wants_it_does_not_stop_it(store: InstallStore, installer: FolderInstaller) -> None:
    installer.may_go_on.clear()
    first, second = asyncio.create_task(store.ensure(A)), asyncio.create_task(store.ensure(A))
    await eventually(lambda: installer.started)
    first.cancel()
    await asyncio.wait([first])
    installer.may_go_on.set()
    assert (await second).version == "1.0"
    assert first.cancelled()
    assert installer.started == 1


async def test_when_nobody_wants_it_any_more_nothing_is_left(
    store: InstallStore, installer: FolderInstaller, root: Path
) -> None:
    installer.may_go_on.clear()
    tasks = [asyncio.create_task(store.ensure(A)) for _ in range(3)]
    await eventually(lambda: unfinished(root, "*/*/first"))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    assert everything(root) == set()
    installer.may_go_on.set()
    assert (await store.ensure(A)).version == "1.0"


async def test_a_failure_leaves_nothing(store: InstallStore, root: Path) -> None:
    with pytest.raises(InstallFailed, match="missing"):
        await store.ensure(Package("folder", "@team/a", "9.9"))
    assert everything(root) == set()
    assert unfinished(root) == []


async def test_a_damaged_installation_is_made_anew(store: InstallStore, installer: FolderInstaller) -> None:
    found = await store.ensure(A)
    (found.directory / RECORD).write_text('{"runtime": "folder"')
    assert not store.find("folder", "@team/a", "1.0")
    again = await store.ensure(A)
    assert again.directory == found.directory
    assert installer.started == 2


async def test_a_row_with_a_command_needs_no_entry(store: InstallStore, installer: FolderInstaller) -> None:
    installer.publish("tool", "1.0", program=None)
    tool = Package("folder", "tool", "1.0")
    with pytest.raises(InstallFailed, match="tool has no program") as failed:
        await store.ensure(tool)
    assert (failed.value.reason, failed.value.may_heal) == ("no_entry", False)
    found = await store.ensure(tool, needs_entry=False)
    assert (found.argv, found.path) == ((), (str(found.directory),))
    assert installer.started == 1


async def test_a_runtime_that_is_not_here_is_said(store: InstallStore, tmp_path: Path) -> None:
    for runtime, sentence in (("cobol", "no installer for the runtime 'cobol'"), ("folder", "registry is missing")):
        (tmp_path / "registry").rename(tmp_path / runtime)
        assert sentence in store.missing(runtime)
        with pytest.raises(InstallFailed, match=sentence) as failed:
            await store.ensure(A._replace(runtime=runtime))
        assert (failed.value.reason, failed.value.may_heal) == ("runtime_missing", True)
        (tmp_path / runtime).rename(tmp_path / "registry")
    assert store.missing("folder") == ""


async def test_a_store_that_cannot_be_made_is_said(installer: FolderInstaller, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = InstallStore(tmp_path / "file" / "store", [installer])
    with pytest.raises(InstallFailed, match=r"@team/a@1.0 cannot be put into the store: .*Not a directory") as failed:
        await store.ensure(A)
    assert (failed.value.reason, failed.value.may_heal) == ("install_failed", True)
    assert not store.find("folder", "@team/a", "1.0")
    assert store.collect(set(), 0) == []
    store.clean()


@pytest.mark.parametrize("name", ["../../x", "/x", "..", ".", "", "a\0b", "a\nb", "x" * 5000, "é/ü"])
async def test_no_name_leads_out_of_the_store(store: InstallStore, root: Path, name: str) -> None:
    lock = Lock("../../1.0", "", "")
    installation: Installed | None = None
    try:
        installation = await store.ensure(Package("folder", name, "1"), lock)
    except (InstallFailed, ValueError):
        pass
    assert installation is None
    assert {path.name for path in root.parent.iterdir()} <= {"registry", "store"}
    assert everything(root) == set()


async def test_what_a_dead_unit_left_is_removed(store: InstallStore, installer: FolderInstaller, root: Path) -> None:
    left = root / ".unfinished" / "folder-b@1.0-0123456789abcdef" / "x" / "y"
    left.mkdir(parents=True)
    (left / "file").write_text("")
    left.chmod(0)
    installer.may_go_on.clear()
    running = asyncio.create_task(store.ensure(A))
    await eventually(lambda: unfinished(root, "*/*/first"))
    InstallStore(root, [installer]).clean()
    assert not left.parent.parent.exists()
    installer.may_go_on.set()
    assert (await running).directory.is_dir()
    assert everything(root / ".locks") == set()


async def test_what_nothing_has_used_for_long_is_removed(store: InstallStore, installer: FolderInstaller) -> None:
    installer.publish("b", "2.0")
    installer.publish("c", "3.0")
    used, unused, fresh = [
        (await store.ensure(Package("folder", name, wanted))).directory
        for name, wanted in (("@team/a", "1.0"), ("b", "2.0"), ("c", "3.0"))
    ]
    two_days_ago = time.time() - 2 * DAY_S
    for directory in (used, unused):
        os.utime(directory / RECORD, (two_days_ago, two_days_ago))
    before = store.size_bytes()
    assert store.collect({used}, DAY_S) == [unused]
    assert (used.exists(), unused.exists(), fresh.exists()) == (True, False, True)
    assert 0 < store.size_bytes() < before
    assert store.collect(set(), DAY_S) == []
    assert (await store.ensure(Package("folder", "b", "2.0"))).directory == unused


async def test_what_cannot_be_removed_does_not_keep_the_rest(
    store: InstallStore, installer: FolderInstaller, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    installer.publish("b", "2.0")
    kept, removed = [(await store.ensure(package)).directory for package in (A, Package("folder", "b", "2.0"))]
    left = root / ".unfinished" / "folder-c@1.0-0123456789abcdef" / "x"
    left.mkdir(parents=True)
    for directory in (kept, removed):
        os.utime(directory / RECORD, (0, 0))
    # What stands where the lock should be.
    for name in (f"folder-@team+a@1.0-{key_of('@team/a', '1.0')}", left.parent.name):
        (root / ".locks" / name).mkdir()
    assert store.collect(set(), DAY_S) == [removed]
    store.clean()
    assert kept.exists()
    assert left.exists()
    assert caplog.text.count("Is a directory") == 2


async def test_finding_it_counts_as_use(store: InstallStore) -> None:
    directory = (await store.ensure(A)).directory
    two_days_ago = time.time() - 2 * DAY_S
    os.utime(directory / RECORD, (two_days_ago, two_days_ago))
    await store.ensure(A)
    assert store.collect(set(), DAY_S) == []


async def test_what_is_being_installed_again_is_not_removed(store: InstallStore, installer: FolderInstaller) -> None:
    directory = (await store.ensure(A)).directory
    two_days_ago = time.time() - 2 * DAY_S
    os.utime(directory / RECORD, (two_days_ago, two_days_ago))
    installer.may_go_on.clear()
    again = asyncio.create_task(store.ensure(A, Lock("1.0", "", "another")))
    await eventually(lambda: installer.started == 2)
    assert store.collect(set(), DAY_S) == []
    installer.may_go_on.set()
    await again
    assert store.collect(set(), DAY_S) == [directory]
