"""A lock names packages of a registry by version and hash, and neither a host nor a path."""

import json
from typing import Any

import pytest

from nodeunit.install.npm_lock import LONGEST, read_lock
from nodeunit.install.package import InstallFailed

HASH = "sha512-x"


def lock(**packages: dict[str, Any]) -> dict[str, Any]:
    """A lock of the package `app` with others below it; `__` in a name stands for the slash of a place."""
    own = {"node_modules/app": {"version": "1.0.0", "integrity": HASH}}
    usual = {"version": "2.0.0", "integrity": HASH}
    others = {name.replace("__", "/"): {**usual, **more} for name, more in packages.items()}
    root = {"": {"name": "installation", "dependencies": {"app": "1.0.0"}}}
    return {"lockfileVersion": 3, "packages": root | own | others}


def test_a_lock_is_of_the_package_and_of_those_below() -> None:
    found = read_lock("app", json.dumps(lock(node_modules__b={}, node_modules__b__node_modules__c={})))
    assert (found.version, found.integrity, found.packages) == ("1.0.0", HASH, 3)
    assert json.loads(found.text)["packages"]["node_modules/b"] == {"version": "2.0.0", "integrity": HASH}


def test_a_lock_does_not_name_the_registry() -> None:
    found = read_lock("app", json.dumps(lock(node_modules__b={"resolved": "https://h/b/-/b-2.0.0.tgz"})))
    assert found == read_lock("app", json.dumps(lock(node_modules__b={})))


def test_a_lock_that_was_read_reads_the_same() -> None:
    found = read_lock("app", json.dumps(lock(node_modules__b={"license": "\u00e9\ud800"})))
    assert read_lock("app", found.text) == found
    assert len(found.digest) == 64


def test_scopes_aliases_and_bundled_packages_are_packages() -> None:
    text = lock()
    text["packages"]["node_modules/@a/b"] = {"name": "@c/d", "version": "1.0.0", "integrity": HASH}
    text["packages"]["node_modules/@a/b"]["dependencies"] = {"x": "npm:@c/y@^1", "z": "^1 || >2"}
    text["packages"]["node_modules/@a/b/node_modules/z"] = {"version": "1.0.0", "inBundle": True}
    assert read_lock("app", json.dumps(text)).packages == 3


@pytest.mark.parametrize(
    "hostile",
    [
        {"resolved": "git+https://h/x.git#abc"},
        {"resolved": "git+ssh://git@h/x.git"},
        {"resolved": "file:../../../x.tgz"},
        {"resolved": "../x"},
        {"resolved": 1},
        {"link": True, "resolved": "https://h/x"},
        {"integrity": None},
        {"integrity": ""},
        {"dependencies": {"x": "git+https://h/x.git"}},
        {"dependencies": {"x": "https://h/x.tgz"}},
        {"dependencies": {"x": "file:../x"}},
        {"dependencies": {"x": "user/repo"}},
        {"optionalDependencies": {"x": "github:user/repo"}},
        {"peerDependencies": {"x": "link:../x"}},
        {"dependencies": {"x": 1}},
        {"dependencies": ["x"]},
    ],
)
def test_what_is_from_no_registry_is_refused(hostile: dict[str, Any]) -> None:
    with pytest.raises(InstallFailed) as refused:
        read_lock("app", json.dumps(lock(node_modules__b=hostile)))
    assert (refused.value.reason, refused.value.may_heal) == ("bad_manifest", False)


@pytest.mark.parametrize(
    "place",
    [
        "../x", "/etc/x", "x", "packages/x", "node_modules", "node_modules/", "node_modules/..",
        "node_modules/../../x",
        "node_modules/.bin", "node_modules/a/../../../x", "node_modules/a/b", "node_modules/@a",
        "node_modules/@a/../b",
        "node_modules/a//node_modules/b", "node_modules\\..\\x", "a/node_modules/b",
        "node_modules/a/node_modules/../..",
    ],
)  # fmt: skip
def test_a_place_outside_is_refused(place: str) -> None:
    text = lock()
    text["packages"][place] = {"version": "1.0.0", "integrity": HASH}
    with pytest.raises(InstallFailed, match="is no place of a package"):
        read_lock("app", json.dumps(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "1",
        "[" * 100_000,
        " " * (LONGEST + 1),
        '{"packages": []}',
        '{"packages": {}}',
        '{"packages": {"node_modules/app": 1}}',
        '{"packages": {"node_modules/app": {}}}',
        '{"packages": {"node_modules/app": {"version": 1, "integrity": "x"}}}',
        '{"packages": {"node_modules/app": {"version": "1", "integrity": ["x"]}}}',
        '{"packages": {"node_modules/app": {"version": "1", "integrity": "x"}}}',
        '{"packages": {"node_modules/app": {"version": "1", "integrity": "sha512-' + "x" * 1000 + '"}}}',
        '{"packages": {"node_modules/app": {"version": "1", "integrity": "sha512-x", "a": "'
        + "\u00e9" * 2**21
        + '"}}}',
        '{"packages": {"node_modules/b": {"version": "1", "integrity": "x"}}}',
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_lock_is_refused(text: str) -> None:
    with pytest.raises(InstallFailed, match="The lock of app is refused") as refused:
        read_lock("app", text)
    assert refused.value.reason == "bad_manifest"


def test_a_sentence_about_a_hostile_lock_can_be_recorded() -> None:
    text = lock()
    text["packages"]["../\0\n\ud800" + "x" * 100_000] = {}
    with pytest.raises(InstallFailed) as refused:
        read_lock("app\0\n", json.dumps(text))
    assert refused.value.detail.isprintable()
    assert len(refused.value.detail) == 1000
    assert str(refused.value) == refused.value.detail
