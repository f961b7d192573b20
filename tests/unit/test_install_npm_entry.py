"""What of an npm package is run, and that no manifest makes a unit run or read anything outside the package."""

import json
from pathlib import Path
from typing import Any

import pytest

from nodeunit.install.npm_entry import LONGEST_MANIFEST, entry_file
from nodeunit.install.package import InstallFailed

NAME = "@team/app"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The directory of the installed package, beside which another one has a file of its own."""
    package = tmp_path / "installation" / "node_modules" / NAME
    package.mkdir(parents=True)
    for file in ("index.js", "cli.js", "lib/index.js", "lib/main.cjs", "lib/part.mjs"):
        (package / file).parent.mkdir(exist_ok=True)
        (package / file).write_text("")
    other = package.parent / "other"
    other.mkdir()
    (other / "index.js").write_text("")
    (tmp_path / "outside.js").write_text("")
    return package


def entry(package: Path, manifest: bytes | dict[str, Any]) -> str | None:
    """The entry, as a path in the package."""
    content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    (package / "package.json").write_bytes(content)
    found = entry_file(package.parents[2], NAME)
    return None if found is None else str(found.relative_to(package))


def attempt(package: Path, manifest: bytes | dict[str, Any]) -> str | None:
    """The entry, or why it was refused."""
    try:
        return entry(package, manifest)
    except InstallFailed as refused:
        return f"{refused.reason}, may heal: {refused.may_heal}"


@pytest.mark.parametrize(
    ("manifest", "file"),
    [
        ({}, "index.js"),
        ({"bin": "cli.js"}, "cli.js"),
        ({"bin": "./cli.js", "main": "lib/index.js"}, "cli.js"),
        ({"bin": {"app": "cli.js", "b": "index.js"}}, "cli.js"),
        ({"bin": {"@team/app": "cli.js", "b": "index.js"}}, "cli.js"),
        ({"bin": {"anything": "cli.js"}}, "cli.js"),
        ({"bin": {"a": "cli.js", "b": "index.js"}, "main": "lib"}, "lib/index.js"),
        ({"bin": {}, "main": "lib/main"}, "lib/main.cjs"),
        ({"bin": ""}, "index.js"),
        ({"main": "lib/part"}, "lib/part.mjs"),
        ({"main": "cli"}, "cli.js"),
        ({"main": "./cli.js"}, "cli.js"),
        ({"main": "lib/../cli.js"}, "cli.js"),
        ({"main": "lib/"}, "lib/index.js"),
        ({"main": "missing"}, "index.js"),
        ({"main": ""}, "index.js"),
        ({"main": False}, "index.js"),
        ({"main": None, "bin": None}, "index.js"),
        ({"bin": "missing.js"}, None),
        ({"bin": "lib"}, None),
        (b'\xef\xbb\xbf{"bin": "cli.js"}', "cli.js"),
    ],
)
def test_it_is_the_bin_or_else_the_main(package: Path, manifest: bytes | dict[str, Any], file: str | None) -> None:
    assert entry(package, manifest) == file


def test_a_package_may_have_nothing_to_run(package: Path) -> None:
    (package / "index.js").unlink()
    assert entry(package, {"main": "missing"}) is None


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"bin"',
        b"\xff\xfe",
        b'{"bin": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"bin": "cli.js", "x": "' + b"x" * LONGEST_MANIFEST + b'"}',
        {"bin": 1},
        {"bin": ["cli.js"]},
        {"bin": {"app": 1}},
        {"bin": {"app": {"app": "cli.js"}}},
        {"main": {"a": 1}},
        {"main": ["index.js"]},
        {"bin": "../other/index.js"},
        {"bin": "../../../../outside.js"},
        {"bin": "/bin/sh"},
        {"bin": "lib/../../other/index.js"},
        {"bin": "."},
        {"bin": "cli.js\0"},
        {"bin": "x" * 100_000},
        {"bin": {"app": "../other/index.js"}},
        {"main": "../other"},
        {"main": "../other/index"},
        {"main": "/etc/passwd"},
        {"main": "\0"},
        {"main": "\udc80"},
    ],
    ids=lambda manifest: str(manifest)[:40],
)
def test_a_hostile_manifest_is_refused_or_harmless(package: Path, manifest: bytes | dict[str, Any]) -> None:
    assert attempt(package, manifest) in (None, "bad_manifest, may heal: False"), "nothing of it may be run"


@pytest.mark.parametrize("link", ["/bin/sh", "../other/index.js", "../../../../outside.js", "loop.js"])
def test_a_link_out_of_the_package_is_not_followed(package: Path, link: str) -> None:
    (package / "loop.js").symlink_to(link)
    assert attempt(package, {"bin": "loop.js"}) in (None, "bad_manifest, may heal: False")


def test_a_link_inside_the_package_is_followed(package: Path) -> None:
    (package / "link.js").symlink_to("lib/index.js")
    assert entry(package, {"bin": "link.js"}) == "lib/index.js"


def test_a_package_that_is_a_link_is_refused(package: Path, tmp_path: Path) -> None:
    package.rename(tmp_path / "moved")
    package.symlink_to(tmp_path / "moved")
    with pytest.raises(InstallFailed, match="the package is a link"):
        entry(package, {"bin": "cli.js"})


def test_a_package_without_a_manifest_is_refused(package: Path) -> None:
    with pytest.raises(InstallFailed, match="cannot be read"):
        entry_file(package.parents[2], NAME)
    (package / "package.json").mkdir()
    with pytest.raises(InstallFailed, match="cannot be read"):
        entry_file(package.parents[2], NAME)


def test_the_installation_may_be_reached_by_a_link(package: Path, tmp_path: Path) -> None:
    (package / "package.json").write_text('{"bin": "cli.js"}')
    (tmp_path / "link").symlink_to(package.parents[2])
    assert entry_file(tmp_path / "link", NAME) == package / "cli.js"
