"""Names and passwords of the original give the addresses of the original."""

from hashlib import sha256

import pytest
from base58 import b58decode

from nodeunit.identity import address_of, private_seed


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("node-unit-1", "5DAR2ZCrRAma2EeGUPRmcYvXUfpaWxSRq5kzWrjs3dmT"),
        ("node-unit-2", "GJ93nFZvTSbdDYo4nR81WjPtEd6ovykN1xvYtX64fAd8"),
    ],
)
def test_addresses_of_the_report(name: str, address: str) -> None:
    assert address_of(name, name) == address


def test_password_comes_before_name_and_both_are_utf8() -> None:
    assert private_seed("节点", "pässword") == sha256("pässword节点".encode()).digest()


def test_an_address_is_a_public_key() -> None:
    assert len(b58decode(address_of("a", "b"))) == 32
    assert address_of("a", "b") != address_of("b", "a")
