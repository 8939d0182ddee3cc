"""Which rows a whole-table pass has met: one bit a row id, kept in blocks that are made durable with the pass."""

from __future__ import annotations

from twinrow.mysql import Connection

BLOCK_IDS = 65_536
BLOCK_BYTES = BLOCK_IDS // 8


class SeenRows:
    """A set of row ids: 125 KB for a million rows, whatever the rows hold."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self._changed: set[int] = set()

    def add(self, row_id: int) -> None:
        """Note that this row has been met."""
        block, bit = divmod(row_id, BLOCK_IDS)
        bits = self._blocks.get(block)
        if bits is None:
            bits = self._blocks[block] = bytearray(BLOCK_BYTES)
        bits[bit >> 3] |= 1 << (bit & 7)
        self._changed.add(block)

    def __contains__(self, row_id: int) -> bool:
        block, bit = divmod(row_id, BLOCK_IDS)
        bits = self._blocks.get(block)
        return bits is not None and bool(bits[bit >> 3] & (1 << (bit & 7)))

    def __len__(self) -> int:
        return sum(int.from_bytes(bits).bit_count() for bits in self._blocks.values())

    def save(self, tx: Connection, table: str, pass_at: float) -> None:
        """Make the blocks that changed durable, in the transaction of the pass's positions."""
        for block in sorted(self._changed):
            tx.execute(
                "REPLACE INTO _twinrow_seen (table_name, pass_at, block, bits) VALUES (%s, %s, %s, %s)",
                (table, pass_at, block, bytes(self._blocks[block])),
            )
        self._changed.clear()

    def load(self, connection: Connection, table: str, pass_at: float) -> None:
        """Take up a pass that was interrupted."""
        for block, bits in connection.query(
            "SELECT block, bits FROM _twinrow_seen WHERE table_name = %s AND pass_at = %s", (table, pass_at)
        ):
            self._blocks[int(block)] = bytearray(bits)


def forget(tx: Connection, table: str) -> None:
    """The pass is through."""
    tx.execute("DELETE FROM _twinrow_seen WHERE table_name = %s", (table,))
