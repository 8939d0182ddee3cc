"""Which items were met with an id that is not their row's: a memory with a bound."""

from __future__ import annotations

import pytest

from twinrow.table import foreign_ids
from twinrow.table.foreign_ids import ForeignIdMemory


def test_only_an_item_that_was_met_has_a_time() -> None:
    known = ForeignIdMemory()
    known.link_is_through([b"a"], 5.0)
    assert (known.met(b"a"), known.through_at(b"a")) == (False, 0.0)
    known.meet(b"a")
    assert (known.met(b"a"), known.through_at(b"a")) == (True, 0.0)
    known.link_is_through([b"a", b"b"], 5.0)
    known.meet(b"a")
    assert (known.through_at(b"a"), known.met(b"b")) == (5.0, False)


def test_the_oldest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_ids, "KEYS_MAX", 3)
    known = ForeignIdMemory()
    for key_hash in (b"a", b"b", b"c"):
        known.meet(key_hash)
    known.link_is_through([b"a"], 1.0)
    known.meet(b"d")
    known.meet(b"e")
    assert [key_hash for key_hash in (b"a", b"b", b"c", b"d", b"e") if known.met(key_hash)] == [b"a", b"d", b"e"]
