"""Second rows of an item, made while no UNIQUE index over exactly the fingerprint kept them out."""

from __future__ import annotations

from collections.abc import Sequence

from twinrow.change import Item
from twinrow.errors import TwinrowError
from twinrow.mysql import Connection, MySQLError
from twinrow.mysql_error import can_be_content
from twinrow.schema.row import fingerprint
from twinrow.schema.table import TableSchema
from twinrow.sink import statements
from twinrow.table.settings import Settings
from twinrow.write.row_ids import row_id_of


def drop(
    tx: Connection, settings: Settings, schema: TableSchema, hashes: Sequence[bytes], items: Sequence[Item]
) -> None:
    """Keep a single row of each fingerprint: the row whose id the item carries, else the row with the lowest id.

    `items` were read consistently under the lock. Live rows are kept before those kept after a delete. The number of
    rows in the lease is not changed: the upsert that made a second row did not count it. Raises TwinrowError when the
    server keeps a second row.
    """
    if not hashes:
        return
    links = {fingerprint(schema.keys, item): row_id_of(settings.link_of(item)) for item in items}
    rows: dict[bytes, list[tuple[bool, int]]] = {}
    for key_hash, row_id, deleted in tx.query(statements.select_ids(schema, len(hashes)), hashes):
        rows.setdefault(key_hash, []).append((bool(deleted), int(row_id)))
    for key_hash, found in rows.items():
        if len(found) == 1:
            continue
        carried = links.get(key_hash) if settings.linked else None
        kept = next((row_id for _, row_id in found if row_id == carried), min(found)[1])
        seconds = [row_id for _, row_id in found if row_id != kept]
        try:
            tx.execute(statements.delete_seconds(schema, len(seconds)), (key_hash, *seconds))
        except MySQLError as error:
            if not can_be_content(error.code, tx.flavour):
                raise
            raise TwinrowError(
                f"row {seconds[0]} is a second row of an item and cannot be deleted: {error.what}",
                where=f"MySQL table {schema.into}", remedy="remove what refers to it, then repair again",
            ) from error  # fmt: skip
