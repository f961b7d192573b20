"""What rows may ask of a Python index, and what a lock may contain; all else is refused before a process starts."""

import pytest

from nodeunit.install.package import InstallFailed
from nodeunit.install.python.lock import Pinned, is_same_version, lock_of, make_lock, parse
from nodeunit.install.python.request import exact_version, parse_name, requirement, specifier_of

SUM, OTHER_SUM = "a" * 64, "b" * 64

HOSTILE_NAMES = [
    "", " ", ".", "..", "-r", "-e", "--index-url=http://127.0.0.1/", "-rrequirements.txt", "../x", "/etc/passwd", "./x",
    "a/b", "@scope/name", "git+https://host/x", "https://host/x.whl", "file:///x.whl", "x @ file:///x.whl", "x.whl;y",
    "x;os_name=='posix'", "x==1", "x>=1", "x\n--index-url=http://h/", "x\r", "x\0", "x y", "x\ty", "x#y", "x\\y",
    "$(id)", "`id`", "x[", "x[a", "x[a]]", "x[a;b]", "x[../y]", "x[-r]", "x[]", "ünder", "x\u202ey", "\uff58",
    "_x", "x.", ".x", "x-", "x" * 201, "~", "*", "%2e%2e%2fx", "npm:x",
]  # fmt: skip

HOSTILE_VERSIONS = [
    "^1.2", "~1.2", "1.x", "*", "--pre", "-1", "../1", "git+https://host/x", "https://host/x.whl", "file:x", "@ file:x",
    "1.0\n--index-url=http://h/", "1.0; os_name=='posix'", "1.0 # x", "===anything at all", "=== 1", ">=1 --pre",
    "1.0 2.0", "1" * 201, "\u0661.0.x", "latest!", "$(id)", ">=1,<", "== *", "1.0\0", "1.0+../x",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InstallFailed, match="is not the name of a Python package") as refused:
        parse_name(name)
    assert (refused.value.reason, refused.value.may_heal) == ("bad_name", False)
    assert refused.value.detail.isprintable()


@pytest.mark.parametrize("wanted", HOSTILE_VERSIONS)
def test_a_version_that_is_none_is_refused(wanted: str) -> None:
    with pytest.raises(InstallFailed, match="is not a version of a Python package") as refused:
        specifier_of(wanted)
    assert (refused.value.reason, refused.value.may_heal) == ("bad_name", False)
    assert refused.value.detail.isprintable()


def test_the_habit_of_npm_gets_a_hint() -> None:
    with pytest.raises(InstallFailed, match=r"as npm writes it; for a Python package write '>=1.2,<2'"):
        specifier_of("^1.2.3")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("demo", "demo"),
        ("Demo_App.Two", "demo-app-two"),
        ("uvicorn[standard]", "uvicorn[standard]"),
        ("A[Y_y,x]", "a[x,y-y]"),
        ("7", "7"),
    ],
)
def test_a_name_is_normalised(text: str, name: str) -> None:
    assert str(parse_name(text)) == name


@pytest.mark.parametrize(
    ("wanted", "specifier", "exact"),
    [
        ("", "", None),
        ("latest", "", None),
        ("1.2", "==1.2", "1.2"),
        (" v1.2 ", "==1.2", "1.2"),
        ("==1.2", "==1.2", "1.2"),
        ("1!2.0rc1", "==1!2.0rc1", "1!2.0rc1"),
        ("2.13.0+cpu", "==2.13.0+cpu", "2.13.0+cpu"),
        ("==1.*", "==1.*", None),
        (">=1,<2", "<2,>=1", None),
        ("~=1.2", "~=1.2", None),
    ],
)
def test_a_version_is_read_as_pip_reads_it(wanted: str, specifier: str, exact: str | None) -> None:
    assert specifier_of(wanted) == specifier
    assert exact_version(wanted) == exact
    assert requirement(parse_name("X"), wanted) == f"x{specifier}"


def test_a_lock_is_the_same_text_whoever_made_it() -> None:
    packages = [Pinned("demo-dep", "1.0", (SUM,)), Pinned("demo-app", "1.1", (SUM, OTHER_SUM), "demo_app-1.1.whl")]
    lock = make_lock(parse_name("Demo_App[x]"), packages)
    assert lock.text == (
        f"demo-app==1.1 --hash=sha256:{SUM} --hash=sha256:{OTHER_SUM} # demo_app-1.1.whl\n"
        f"demo-dep==1.0 --hash=sha256:{SUM}\n"
    )
    assert (lock.version, lock.packages) == ("1.1", 2)
    assert lock.integrity == f"sha256:{SUM} sha256:{OTHER_SUM}"
    assert lock_of(parse_name("demo-app"), lock.text) == lock


@pytest.mark.parametrize(
    "text",
    [
        "--index-url http://127.0.0.1/",
        "-r /etc/passwd",
        "demo",
        "demo==1.0",
        f"demo>=1.0 --hash=sha256:{SUM}",
        f"demo @ https://host/x.whl --hash=sha256:{SUM}",
        f"demo==1.0 --hash=md5:{SUM[:32]}",
        f"demo==1.0 --hash=sha256:{SUM[:-1]}",
        f"demo==1.0 --hash=sha256:{SUM} --config-settings=x",
        f"demo==1.0 --hash=sha256:{SUM} # x\r--pre",
        f"demo==../1 --hash=sha256:{SUM}",
        f"demo==1.0 \\\n --hash=sha256:{SUM}",
        f"../demo==1.0 --hash=sha256:{SUM}",
        f"demo==-- --hash=sha256:{SUM}",
        f"demo==1.0 --hash=sha256:{SUM}\n" * 60_000,
    ],
)
def test_a_lock_with_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InstallFailed) as refused:
        parse(text)
    assert refused.value.reason == "bad_manifest"


def test_a_lock_is_of_its_package() -> None:
    with pytest.raises(InstallFailed, match="The lock does not contain demo-app"):
        lock_of(parse_name("demo-app"), f"demo-dep==1.0 --hash=sha256:{SUM}\n")


@pytest.mark.parametrize(("one", "other", "same"), [("1.0", "1.0.0", True), ("1.0", "1.0.1", False), ("x", "x", False)])
def test_versions_are_compared_by_their_meaning(one: str, other: str, same: bool) -> None:
    assert is_same_version(one, other) is same
