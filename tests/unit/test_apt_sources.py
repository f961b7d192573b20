"""The mirror that apt is configured with is found in both formats of its files, whatever its name."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tools.timescaledb import debian
from tools.timescaledb.debian import Source, parse_deb822, parse_one_line


def test_one_line_format() -> None:
    lines = [
        "# deb http://commented.example/debian trixie main",
        "deb-src http://source.example/debian trixie main",
        "deb http://mirror.example/debian trixie main contrib  # ours",
        "deb [ arch=amd64 signed-by=/etc/keys/own.gpg ] https://secure.example/debian trixie main",
        "deb cdrom:[Debian]/ trixie main",
        "",
    ]
    plain, signed = parse_one_line(lines)
    assert plain == Source("http://mirror.example/debian", ("trixie",), ("main", "contrib"))
    assert (signed.uri, signed.keyring) == ("https://secure.example/debian", "/etc/keys/own.gpg")


def test_deb822_format() -> None:
    text = """\
# a comment
Types: deb deb-src
URIs: http://one.example/debian
 https://two.example/debian
Suites: trixie trixie-updates
Components: main
# in between
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no

Types: deb-src
URIs: http://source.example/debian
Suites: trixie
Components: main
"""
    one, two = parse_deb822(text)
    assert (one.uri, two.uri) == ("http://one.example/debian", "https://two.example/debian")
    assert one.suites == ("trixie", "trixie-updates")
    assert one.keyring == "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_a_list_of_mirrors_stands_for_what_it_lists(tmp_path: Path) -> None:
    mirrors = tmp_path / "mirrors"
    mirrors.write_text("http://first.example/debian\tpriority:1\n# not this\nhttps://second.example/debian\n")
    found = parse_one_line([f"deb mirror+file:{quote(str(mirrors))} trixie main"])
    assert [source.uri for source in found] == ["http://first.example/debian", "https://second.example/debian"]


def test_an_embedded_key_is_no_file_of_keys() -> None:
    (source,) = parse_deb822(
        "Types: deb\nURIs: http://a.example\nSuites: x\nComponents: main\nSigned-By:\n -----BEGIN PGP-----\n .\n abc\n"
    )
    assert source.keyring is None


def test_only_a_source_with_debians_release_is_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    releases = {"vendor": "Origin: Vendor\nCodename: trixie\n", "own": "Origin: Debian\nCodename: trixie\n"}
    for name, text in releases.items():
        directory = tmp_path / name / "dists" / "trixie"
        directory.mkdir(parents=True)
        (directory / "InRelease").write_text(text)
    folder = quote(str(tmp_path))
    lines = [f"deb file://{folder}/{name} trixie main\n" for name in ("missing", *releases)]
    (tmp_path / "sources.list").write_text("".join(lines))
    monkeypatch.setattr(debian, "APT", tmp_path)
    monkeypatch.setattr(debian, "proxies", dict)
    source = debian.mirror("trixie")
    assert source is not None
    assert source.uri == f"file://{folder}/own"
    assert debian.mirror("bookworm") is None
