"""Which changes of a batch count."""

from __future__ import annotations

from tests.sync.test_prepare_records import empty, stream_settings

from twinrow.change import Change, Item
from twinrow.schema.evolve import evolve
from twinrow.schema.row import key_of
from twinrow.write import owed
from twinrow.write.prepare import prepare


def test_a_scanned_image_beats_no_row_no_tombstone_and_no_letter() -> None:
    """Each may be of a newer image; a letter is all that is left of one that no row can hold."""
    items: list[Item] = [{"username": {"S": "ann"}, "reviewed_at": {"S": str(n)}} for n in range(2)]
    schema = evolve(empty(), items).schema
    changes = [Change("PUT", "SCAN", key_of(schema.keys, item), item) for item in items]
    prepared = prepare(stream_settings(schema), schema, "mysql", changes)
    first, second = prepared.hashes
    for buried, parked in (({first}, ()), ((), {first})):
        wanted = owed.wanted(prepared, {}, buried, parked, if_absent=True)
        assert [one.hash for one in wanted] == [second]
    assert len(owed.wanted(prepared, {}, {first}, {second}, if_absent=False)) == 2
