"""What npm reports becomes a reason, one sentence, and whether time can heal it."""

import json

import pytest

from nodeunit.install.npm_errors import failure


def report(code: str, summary: str = "it says") -> bytes:
    return json.dumps({"error": {"code": code, "summary": summary, "detail": "more"}}).encode()


@pytest.mark.parametrize(
    ("code", "reason", "may_heal"),
    [
        ("E404", "no_such_package", True),
        ("ETARGET", "no_such_version", True),
        ("ENOVERSIONS", "no_such_version", True),
        ("E401", "registry_refused", True),
        ("E403", "registry_refused", True),
        ("ENEEDAUTH", "registry_refused", True),
        ("EINTEGRITY", "wrong_bytes", False),
        ("ENOSPC", "disk_full", True),
        ("EDQUOT", "disk_full", True),
        ("EFBIG", "too_large", False),
        ("EALLOWGIT", "bad_manifest", False),
        ("EALLOWREMOTE", "bad_manifest", False),
        ("EALLOWFILE", "bad_manifest", False),
        ("EALLOWDIRECTORY", "bad_manifest", False),
        ("EJSONPARSE", "bad_manifest", False),
        ("EINVALIDTAGNAME", "bad_name", False),
        ("EBADENGINE", "install_failed", False),
        ("EBADPLATFORM", "install_failed", False),
        ("ERESOLVE", "install_failed", False),
        ("ECONNREFUSED", "registry_unreachable", True),
        ("ETIMEDOUT", "registry_unreachable", True),
        ("ENOTFOUND", "registry_unreachable", True),
        ("EAI_AGAIN", "registry_unreachable", True),
        ("E429", "registry_unreachable", True),
        ("E500", "registry_unreachable", True),
        ("E503", "registry_unreachable", True),
        ("CERT_HAS_EXPIRED", "registry_unreachable", True),
        ("ESOMETHING", "install_failed", True),
        ("E5000", "install_failed", True),
    ],
)
def test_a_code_has_a_reason(code: str, reason: str, may_heal: bool) -> None:
    failed = failure("a@1.0.0", report(code), "npm error code EOTHER")
    assert (failed.reason, failed.may_heal) == (reason, may_heal)
    assert failed.detail.endswith(f"(npm: {code}: it says).")
    assert failed.detail[0].isupper() or failed.detail.startswith(("a@1.0.0", "npm"))


def test_the_code_may_be_on_standard_error_only() -> None:
    failed = failure("a@1", b"not json", "npm error code ENOSPC\nnpm error nospc no space left\n")
    assert failed.reason == "disk_full"
    assert failed.detail == "The disk is full (npm: ENOSPC: error nospc no space left)."
    assert failure("a@1", b"", "npm ERR! code E404\n").reason == "no_such_package"


@pytest.mark.parametrize("stdout", [b"", b"[]", b"1", b'{"error": 1}', b'{"error": {}}', b"[" * 100_000, b"\xff"])
def test_an_unreadable_report_is_a_failure_too(stdout: bytes) -> None:
    failed = failure("a@1", stdout, "Killed")
    assert (failed.reason, failed.detail, failed.may_heal) == (
        "install_failed",
        "npm cannot install a@1 (npm: Killed).",
        True,
    )
    assert failure("a@1", stdout, "").detail == "npm cannot install a@1."


def test_a_sentence_is_one_line_without_credentials() -> None:
    said = "GET https://user:secret@h/a\n\x1b[31mfailed\u2028" + "x" * 1000
    detail = failure("a@1", report("E500", said), "").detail
    assert "secret" not in detail
    assert "GET https://h/a  [31mfailed " in detail
    assert detail.isprintable()
    assert len(detail) < 500
