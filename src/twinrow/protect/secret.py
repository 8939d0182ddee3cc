"""The secret of `[protect]`, and the keys that are made from it. The secret itself is kept nowhere."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from dataclasses import dataclass, field
from typing import Final

SECRET_CHARACTERS_MIN: Final = 32
"""A shorter secret could be found by trying; who has it can test guesses of every hashed value."""
CHECK_CHARACTERS: Final = 16
NONCE_BYTES: Final = 12
"""The limit of AES-GCM (NIST SP 800-38D, section 8.2): nonces by chance are safe for 2**32 messages of a key.

The nonce is a pseudorandom function of text and `bound_to`: two messages share a nonce only if they are the same, or by
chance. So the same key is sealed alike each time, and a row that has not changed is written as it stands.
"""
_FORM: Final = b"\x01"


class WrongSecret(ValueError):
    """A sealed key cannot be opened: it was sealed with another secret, or was changed."""


@dataclass(frozen=True, slots=True)
class Secret:
    """The secret's bytes, for hashes, and keys derived from it. `repr` shows none of them."""

    raw: bytes = field(repr=False)
    nonce_key: bytes = field(repr=False)
    seal_key: bytes = field(repr=False)
    check_value: str
    """Kept in MySQL: it tells whether the secret is still the same, and tells nothing else about it."""


def read_secret(text: str) -> Secret:
    """Return the secret that a configuration gives. Raises ValueError for a secret that is too short."""
    if len(text) < SECRET_CHARACTERS_MIN:
        raise ValueError(f"the secret has {len(text)} characters; it needs at least {SECRET_CHARACTERS_MIN}")
    raw = text.encode("utf-8", "surrogatepass")
    return Secret(
        raw,
        _derived(raw, b"twinrow nonce"),
        _derived(raw, b"twinrow seal"),
        _derived(raw, b"twinrow check").hex()[:CHECK_CHARACTERS],
    )


def _derived(raw: bytes, purpose: bytes) -> bytes:
    """A key for a purpose. HMAC-SHA256 as a pseudorandom function: no derived key reveals another, or the secret."""
    return hmac.digest(raw, purpose, hashlib.sha256)


def seal(secret: Secret, text: str, bound_to: bytes) -> str:
    """Return the text encrypted (AES-256-GCM), as base64. It opens only with the same `bound_to` (a key's hash)."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # a table without protected keys needs no cipher

    raw = text.encode("utf-8", "surrogatepass")
    spoken = len(bound_to).to_bytes(8, "big") + bound_to + raw
    nonce = hmac.digest(secret.nonce_key, spoken, hashlib.sha256)[:NONCE_BYTES]
    sealed = AESGCM(secret.seal_key).encrypt(nonce, raw, bound_to)
    return b64encode(_FORM + nonce + sealed).decode()


def unseal(secret: Secret, sealed: str, bound_to: bytes) -> str:
    """Return the text that `seal` encrypted. Raises WrongSecret."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        raw = b64decode(sealed, validate=True)
        if raw[:1] != _FORM:
            raise WrongSecret("a sealed key has an unknown form: a newer Twinrow wrote it, or somebody changed it")
        nonce, text = raw[1 : 1 + NONCE_BYTES], raw[1 + NONCE_BYTES :]
        return AESGCM(secret.seal_key).decrypt(nonce, text, bound_to).decode("utf-8", "surrogatepass")
    except (NoBase64, InvalidTag, ValueError) as error:
        if isinstance(error, WrongSecret):
            raise
        raise WrongSecret("a sealed key cannot be opened: the secret has changed, or the key was changed") from None
