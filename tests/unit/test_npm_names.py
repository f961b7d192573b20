"""What a row may name as an npm package and version: nothing that npm would take for a path, a URL or an option."""

import pytest

from nodeunit.domain.npm_names import comes_from_a_registry, exact_version, name_problem, version_problem

NAMES = ["a", "left-pad", "@yuants/app-portal", "JSONStream", "lodash.get", "a_b", "@a-b/c~d", "7zip", "x" * 214]

NO_NAMES = [
    "", " ", "a b", " a", "a ", "a\n", "\na", "a\0", "a\tb", "../x", "..", ".", ".hidden", "_x", "-g",
    "--registry=http://x",
    "--index-url=x", "/etc/passwd", "a/b", "a/b/c", "@a", "@a/", "@/a", "@a/b/c", "@../x", "@a/../b", "@a/.b",
    "@.a/b",
    "a@1", "a@npm:b", "npm:b", "file:x", "file:../x", "git+https://h/x.git", "git@h:x/y.git", "github:x/y",
    "https://h/x",
    "http://h/x.tgz", "user/repo", "user/repo#main", "C:\\x", "a\\b", "a%2fb", "@a%2fb", "a;b", "a&b", "a|b",
    "$(id)", "`id`",
    "a'b", 'a"b', "a*", "a?b", "~", "~/x", "a:b", "é", "a\u202eb", "\uff41", "x.tgz", "x.TAR.GZ", "@a/x.tar",
    "node_modules",
    "@a/node_modules", "NODE_MODULES", "favicon.ico", "x" * 215, "@a//b", "a,b", "a=b", "{}", "[x]", "a#b", "!a",
    "(a)",
]  # fmt: skip

VERSIONS = [
    "", "1.2.3", "v1.2.3", "=1.2.3", "1.2.3-rc.1", "1.2.3+build.5", "^1.2", "~1.2.3", ">=1 <2", "1.x", "*", "1 || 2",
    "1.0.0 - 2.0.0", "latest", "next", "cjs-2", "x", "|", "1" * 128,
]  # fmt: skip

NO_VERSIONS = [
    " ", "\n", "1.2.3\n", "1\t2", "-1", "--registry=x", ".", "..", "../x", "/x", "a/b", "user/repo", "file:x",
    "file:../..",
    "npm:other@1", "git+https://h/x", "https://h/x.tgz", "github:a/b", "x.tgz", "1.0.0.TGZ", "a.tar.gz", "a.tar",
    "workspace:*",
    "link:../x", "1;id", "$(id)", "`id`", "a@b", "a#b", "a%b", "1&2", "1'", '1"', "é", "1\0", "\\x", "c:x", "~/x",
    "1" * 129,
    "{}", "1,2", "a?", "!1", "(1)", "+1", "_x", " 1",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_registry_is_one(name: str) -> None:
    assert name_problem(name) == ""


@pytest.mark.parametrize("name", NO_NAMES)
def test_any_other_name_is_refused(name: str) -> None:
    assert name_problem(name)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "is empty"),
        ("x" * 215, "is longer than 214 characters"),
        ("x.tgz", "ends like an archive, which npm would take for a file"),
        ("@a/node_modules", "is a name that npm reserves"),
        ("a b", "is not a name of the form name or @scope/name, of letters, digits, dots, hyphens and underscores"),
    ],
)
def test_a_refused_name_says_why(name: str, problem: str) -> None:
    assert name_problem(name) == problem


@pytest.mark.parametrize("wanted", VERSIONS)
def test_a_version_a_range_or_a_tag_is_one(wanted: str) -> None:
    assert version_problem(wanted) == ""


@pytest.mark.parametrize("wanted", NO_VERSIONS)
def test_any_other_version_is_refused(wanted: str) -> None:
    assert version_problem(wanted)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("1" * 129, "is longer than 128 characters"),
        ("file:x", "is not a version, a range or a tag such as 1.2.3, ^1.2 or latest"),
        ("1.tgz", "ends like an archive, which npm would take for a file"),
    ],
)
def test_a_refused_version_says_why(wanted: str, problem: str) -> None:
    assert version_problem(wanted) == problem


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("1.2.3", "1.2.3"),
        ("0.0.0", "0.0.0"),
        ("10.20.30", "10.20.30"),
        ("v1.2.3", "1.2.3"),
        ("=1.2.3", "1.2.3"),
        ("1.2.3-rc.1", "1.2.3-rc.1"),
        ("1.2.3-rc-1.x", "1.2.3-rc-1.x"),
        ("1.2.3+5.a", "1.2.3"),
        ("1.2.3-1+5", "1.2.3-1"),
        ("9999999999999999.0.0", "9999999999999999.0.0"),
    ],
)
def test_an_exact_version_needs_no_registry(wanted: str, version: str) -> None:
    assert exact_version(wanted) == version


@pytest.mark.parametrize(
    "wanted",
    [
        "", "1", "1.2", "1.2.x", "^1.2.3", "latest", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3+", "1.2.3 ",
        "1.2.3\n", "vv1.2.3",
        "1.2.3.4", "10000000000000000.0.0", "1.2.3-a..b", "1.2.3 || 2.0.0",
    ],
)  # fmt: skip
def test_a_range_or_a_tag_is_not_exact(wanted: str) -> None:
    assert exact_version(wanted) == ""


@pytest.mark.parametrize(
    "wanted", ["", "*", "1.2.3", "^1.0.0 || >=2 <3", "latest", "npm:other@^1", "npm:@a/other@1.0.0", "npm:other"]
)
def test_a_dependency_may_be_in_a_registry(wanted: str) -> None:
    assert comes_from_a_registry(wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        "git+https://h/x.git", "https://h/x.tgz", "file:../x", "./x", "../x", "/x", "user/repo", "github:user/repo",
        "link:x",
        "..", "npm:x@.", "npm:", "npm:x\n@1:2", "workspace:*", "x.tgz", "npm:other@file:../x",
        "npm:other@git+ssh://h/x", "npm:a/b@1", "npm:../x", "~/x",
        "git@h:x", "npm:x@./y",
    ],
)  # fmt: skip
def test_a_dependency_may_be_from_elsewhere(wanted: str) -> None:
    assert not comes_from_a_registry(wanted)
