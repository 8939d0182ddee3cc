"""What is remembered of ids: bounded, and of committed transactions only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinrow import clock
from twinrow.table import id_memory
from twinrow.table.id_memory import ForeignIdMemory, IdMemory, IdsLearned, RowGone

KEYS = st.sampled_from([bytes([number]) for number in range(8)])


def test_only_an_item_that_was_met_has_a_time() -> None:
    known = ForeignIdMemory()
    known.link_is_through([b"a"], 5.0)
    assert (known.met(b"a"), known.through_at(b"a")) == (False, 0.0)
    known.meet([b"a"])
    assert (known.met(b"a"), known.through_at(b"a")) == (True, 0.0)
    known.link_is_through([b"a", b"b"], 5.0)
    known.meet([b"a"])
    assert (known.through_at(b"a"), known.met(b"b")) == (5.0, False)


def test_the_oldest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_memory, "KEYS_MAX", 3)
    known = ForeignIdMemory()
    for key_hash in (b"a", b"b", b"c"):
        known.meet([key_hash])
    known.link_is_through([b"a"], 1.0)
    known.meet([b"d", b"e"])
    assert [key_hash for key_hash in (b"a", b"b", b"c", b"d", b"e") if known.met(key_hash)] == [b"a", b"d", b"e"]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the monotonic clock on."""
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)

    def move(seconds: float) -> None:
        nonlocal now
        now += seconds

    return move


def test_an_id_is_given_back_only_while_the_stream_may_be_behind(later: Callable[[float], None]) -> None:
    ids = IdMemory()
    ids.remember(IdsLearned(ahead_of_stream=(b"key",)))
    ids.remember(IdsLearned(gone=(RowGone(b"key", 7, by_stream=True),)))
    assert ids.id_to_give_back(b"key") == 7
    later(id_memory.AHEAD_S_MAX)
    assert ids.id_to_give_back(b"key") is None, "created again so late it is a new item"


def test_the_id_of_a_row_that_no_read_had_written_ahead_of_the_stream_is_not_given_back() -> None:
    ids = IdMemory()
    ids.remember(IdsLearned(gone=(RowGone(b"key", 7, by_stream=True),)))
    assert ids.id_to_give_back(b"key") is None
    ids.remember(IdsLearned(ahead_of_stream=(b"key",)))
    ids.remember(IdsLearned(gone=(RowGone(b"key", 8, by_stream=False),)))
    assert ids.id_to_give_back(b"key") is None, "a consistent read has seen that the item is gone"


def test_a_transaction_whose_commit_is_unknown_teaches_ids_but_no_loss() -> None:
    ids = IdMemory()
    ids.remember_unsure(IdsLearned(gone=(RowGone(b"key", 7, by_stream=False),), mysql_went_back=True))
    assert ids.was_ours(b"key", 7)
    assert not ids.knows_of_loss, "the gap may have been rolled back: the repeated transaction has to record it"


@given(
    st.lists(
        st.builds(
            IdsLearned,
            st.lists(st.builds(RowGone, KEYS, st.integers(1, 3), st.booleans()), max_size=3).map(tuple),
            st.lists(KEYS, max_size=3).map(tuple),
            st.lists(KEYS, max_size=3).map(tuple),
        ),
        max_size=30,
    )
)
def test_no_memory_grows_beyond_its_bound(learned: list[IdsLearned]) -> None:
    ids = IdMemory()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_memory, "KEYS_MAX", 4)
        patch.setattr(id_memory, "FORMER_IDS_A_KEY_MAX", 2)
        for one in learned:
            ids.remember(one)
            for memory in (ids._former, ids._ahead, ids._given_back, ids.foreign._through):
                assert len(memory) <= 4
            assert all(len(former) <= 2 for former in ids._former.values())
            for row in one.gone[-1:]:
                assert ids.was_ours(row.key_hash, row.row_id), "the newest is never the one that is forgotten"
