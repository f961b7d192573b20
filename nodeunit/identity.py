"""The identity of a unit: a key pair made from its name and password, and the address by which others know it."""

from hashlib import sha256

from base58 import b58encode
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def private_seed(name: str, password: str) -> bytes:
    """The 32-byte Ed25519 seed: SHA-256 of the UTF-8 bytes of password followed by name.

    It is a secret like the password itself. There is nothing between the two, so that ("ab", "c") and ("b",
    "ca") are the same identity; addresses of the original system stay what they were.
    """
    return sha256((password + name).encode()).digest()


def address_of(name: str, password: str) -> str:
    """The unit's address: its 32-byte public key in Base58 (Bitcoin alphabet), mostly 43 or 44 characters."""
    key = Ed25519PrivateKey.from_private_bytes(private_seed(name, password))
    return b58encode(key.public_key().public_bytes_raw()).decode()
