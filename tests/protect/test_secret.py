"""The secret: too short is refused, and what it seals opens with it alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protect.values import SECRET, TABLE_SECRET

from twinrow.protect.secret import WrongSecret, read_secret, seal, unseal

OTHER = read_secret(TABLE_SECRET + "!")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="it needs at least 32"):
        read_secret("x" * 31)


def test_another_secret_has_another_check_value_and_other_keys() -> None:
    assert SECRET.check_value == read_secret(TABLE_SECRET).check_value
    assert OTHER.check_value != SECRET.check_value
    assert len({SECRET.raw, SECRET.nonce_key, SECRET.seal_key, OTHER.nonce_key, OTHER.seal_key}) == 5


@given(st.text(st.characters(), max_size=50), st.binary(max_size=16))
def test_a_sealed_text_opens_with_its_secret_and_for_its_key_alone(text: str, key: bytes) -> None:
    sealed = seal(SECRET, text, key)
    assert unseal(SECRET, sealed, key) == text
    assert sealed == seal(SECRET, text, key), "a row would change each time it is written"
    assert sealed not in (seal(SECRET, text + "x", key), seal(SECRET, text, key + b"x"))
    for secret, bound_to in ((OTHER, key), (SECRET, key + b"x")):
        with pytest.raises(WrongSecret, match="the secret has changed, or the key was changed"):
            unseal(secret, sealed, bound_to)


@pytest.mark.parametrize("sealed", ["", "!", "AAAA", "AQ==", "x" * 100])
def test_what_is_not_sealed_is_no_traceback_of_the_cipher(sealed: str) -> None:
    with pytest.raises(WrongSecret):
        unseal(SECRET, sealed, b"")


def test_a_sealed_text_that_was_cut_does_not_open() -> None:
    with pytest.raises(WrongSecret):
        unseal(SECRET, seal(SECRET, "a", b"")[:-4], b"")
