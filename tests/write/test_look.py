"""Which changes of a batch count, and what is asked of MySQL for them."""

from __future__ import annotations

from tests.sync.test_prepare_records import empty, stream_settings

from twinrow.change import Change, Item
from twinrow.schema.evolve import evolve
from twinrow.schema.row import key_of
from twinrow.table.catalogue import of_one_table
from twinrow.write.look import counting_changes
from twinrow.write.prepare import prepare


def test_a_scanned_image_beats_no_row_no_tombstone_and_no_letter() -> None:
    """Each may be of a newer image; a letter is all that is left of one that no row can hold."""
    items: list[Item] = [{"username": {"S": "ann"}, "reviewed_at": {"S": str(n)}} for n in range(2)]
    schema = evolve(empty(), items).schema
    changes = [Change("PUT", "SCAN", key_of(schema.keys, item), item) for item in items]
    prepared = prepare(stream_settings(schema), of_one_table(schema), "mysql", changes)
    first, second = prepared.hashes
    for tombstones, parked in (({first}, ()), ((), {first})):
        counting = counting_changes(prepared.changes, {}, tombstones, parked, if_absent=True)
        assert [change.key_hash for change in counting] == [second]
    assert len(counting_changes(prepared.changes, {}, {first}, {second}, if_absent=False)) == 2
