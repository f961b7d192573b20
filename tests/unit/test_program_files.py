"""The file of variables and the secret files of a unit: what they may say, and what is refused."""

import os
from pathlib import Path

import pytest

from nodeunit.process.environment_file import LARGEST, EnvironmentFileInvalid, read_environment_file
from nodeunit.process.secret_files import SecretUnusable, read_secret, secret_names


def written(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def test_a_file_of_variables_is_read_as_it_stands(tmp_path: Path) -> None:
    path = written(
        tmp_path / "env",
        "# for all programs\n\nHOST_URL=wss://host/?a=b#c\n  export TOKEN = t \nQUOTED=\" $HOME 'x' \"\n"
        "SINGLE=' a '\nEMPTY=\nHALF=\"a\nUML=\N{SNOWMAN}\r\nHOST_URL_2=1",
    )
    assert read_environment_file(str(path)) == {
        "HOST_URL": "wss://host/?a=b#c", "TOKEN": "t", "QUOTED": " $HOME 'x' ", "SINGLE": " a ", "EMPTY": "",
        "HALF": '"a', "UML": "\N{SNOWMAN}", "HOST_URL_2": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("A=1\nsecret value", "line 2 of .* is not NAME=value"),
        ("1A=secret", "line 1 of .* is not NAME=value"),
        ("A B=secret", "line 1 of .* is not NAME=value"),
        ("A=sec\0ret", "contains a NUL character"),
        (b"A=\xff", "is not UTF-8"),
        ("A=" + "x" * LARGEST, "is larger than 256 KiB"),
    ],
)
def test_what_is_no_file_of_variables_is_refused_without_showing_it(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    with pytest.raises(EnvironmentFileInvalid, match=why) as refused:
        read_environment_file(str(written(tmp_path / "env", content)))
    assert "secret" not in str(refused.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, why in ((tmp_path / "pipe", "is not a regular file"), (tmp_path, "cannot be read"),
                      (tmp_path / "none", "cannot be read: No such file")):  # fmt: skip
        with pytest.raises(EnvironmentFileInvalid, match=why):
            read_environment_file(str(path))


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    directory = tmp_path / "secrets"
    directory.mkdir(mode=0o700)
    written(directory / "database", "s3cret\n", 0o400)
    return directory


def test_a_secret_is_its_file_without_the_last_line_end(secrets: Path) -> None:
    written(secrets / "two-lines.pem", "a\nb\n\n")
    assert read_secret(str(secrets), "database") == "s3cret"
    assert read_secret(str(secrets), "two-lines.pem") == "a\nb\n"
    assert secret_names(str(secrets)) == ["database", "two-lines.pem"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../database", "/etc/passwd", "a/b", ".hidden", "a\0b", "a\n", "x" * 200]
)
def test_a_name_that_leads_elsewhere_is_refused(secrets: Path, name: str) -> None:
    with pytest.raises(SecretUnusable, match="not a plain file name"):
        read_secret(str(secrets), name)


def test_only_what_its_owner_alone_can_read_is_a_secret(secrets: Path, tmp_path: Path) -> None:
    outside = written(tmp_path / "outside", "outside")
    (secrets / "link").symlink_to(outside)
    (secrets / "folder").mkdir()
    os.mkfifo(secrets / "pipe", 0o600)
    written(secrets / "group", "g", 0o640)
    written(secrets / "others", "o", 0o604)
    written(secrets / "binary", b"\xff\xfe")
    written(secrets / "nul", "a\0b")
    written(secrets / "large", "x" * (64 * 1024 + 1))
    for name, why in {
        "link": "it is a link",
        "folder": "Is a directory",
        "pipe": "not a regular file",
        "group": "has mode 640",
        "others": "has mode 604",
        "binary": "is not UTF-8",
        "nul": "contains a NUL",
        "large": "larger than 64 KiB",
        "missing": "No such file",
    }.items():
        with pytest.raises(SecretUnusable, match=why):
            read_secret(str(secrets), name)
    assert secret_names(str(secrets)) == ["database"]


def test_a_directory_that_others_can_read_has_no_secrets(secrets: Path, tmp_path: Path) -> None:
    secrets.chmod(0o750)
    with pytest.raises(SecretUnusable, match="has mode 750: let only its owner read it"):
        read_secret(str(secrets), "database")
    assert secret_names(str(secrets)) == []
    assert secret_names(str(tmp_path / "missing")) == secret_names("") == []
    with pytest.raises(SecretUnusable, match="NODE_UNIT_SECRETS_DIR is not set"):
        read_secret("", "database")
