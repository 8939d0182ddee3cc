"""The directory of a split: of each item the id of its row and the table that has it, in a MySQL table of its own.

One directory for each DynamoDB table with a split, so that ids are unique over all tables of the split, a second row of
an item is impossible, and forgetting a copy drops a table in the place of deleting a million rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from twinrow.mysql import Connection
from twinrow.schema.naming import quote

PREFIX: Final = "_twinrow_row_"
ENTRIES_A_STATEMENT_MAX: Final = 1000
NO_ROW: Final = 0
"""The item has no row now, and its id is kept: it is ignored or parked, or a ghost of it stands in some table."""
LIVE: Final = 1
KEPT: Final = 2
"""The row is kept after the delete of its item."""


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """An item's id, the number of the table that has its row, and how the row stands there (NO_ROW, LIVE, KEPT).

    `ghosts`: whether rows that it had in other tables may stand there, marked as deleted.
    """

    row_id: int
    number: int
    standing: int
    ghosts: bool


def name_of(table: str) -> str:
    """The directory of a DynamoDB table. The name of a table may be longer than MySQL's names."""
    return PREFIX + blake2b(table.encode(), digest_size=8).hexdigest()


def create(session: Connection, table: str) -> None:
    """Make the directory where there is none."""
    session.execute(
        f"CREATE TABLE IF NOT EXISTS `{name_of(table)}` (row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, "
        "_twinrow_key BINARY(16) NOT NULL, number SMALLINT UNSIGNED NOT NULL, standing TINYINT NOT NULL DEFAULT 1, "
        "ghosts TINYINT NOT NULL DEFAULT 0, UNIQUE KEY _twinrow_key (_twinrow_key)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
    )


def drop(session: Connection, table: str) -> None:
    """Forget every id."""
    session.execute(f"DROP TABLE IF EXISTS `{name_of(table)}`")


def entries(tx: Connection, table: str, hashes: Sequence[bytes]) -> dict[bytes, DirectoryEntry]:
    """The entries of these keys."""
    found: dict[bytes, DirectoryEntry] = {}
    for part in _parts(hashes):
        rows = tx.query(
            f"SELECT _twinrow_key, row_id, number, standing, ghosts FROM `{name_of(table)}` "
            f"WHERE _twinrow_key IN ({_marks(part)})",
            part,
        )
        for key, row_id, number, standing, ghosts in rows:
            found[bytes(key)] = DirectoryEntry(int(row_id), int(number), int(standing), bool(ghosts))
    return found


def enter(
    tx: Connection, table: str, numbers: Mapping[bytes, int], wanted_ids: Mapping[bytes, int]
) -> dict[bytes, int]:
    """Enter new keys, each with the number of its row's table, as LIVE; their ids: the wanted ones, or the next."""
    placed = [key for key in numbers if key in wanted_ids]
    # First those whose id is said: the others take whatever is free after it.
    for part in _parts(placed):
        rows = ", ".join(["(%s, %s, %s)"] * len(part))
        args = [value for key in part for value in (wanted_ids[key], key, numbers[key])]
        tx.execute(f"INSERT INTO `{name_of(table)}` (row_id, _twinrow_key, number) VALUES {rows}", args)
    others = [key for key in numbers if key not in wanted_ids]
    for part in _parts(others):
        rows = ", ".join(["(%s, %s)"] * len(part))
        args = [value for key in part for value in (key, numbers[key])]
        tx.execute(f"INSERT INTO `{name_of(table)}` (_twinrow_key, number) VALUES {rows}", args)
    ids = {key: wanted_ids[key] for key in placed}
    return ids | {key: entry.row_id for key, entry in entries(tx, table, others).items()}


def fill(session: Connection, table: str, into: str) -> None:
    """Enter every row of a table, which becomes the rest; ids that it has given already are not given again."""
    with session.transaction() as tx:
        tx.execute(
            f"INSERT INTO `{name_of(table)}` (row_id, _twinrow_key, number, standing) "
            f"SELECT row_id, _twinrow_key, 0, IF(_twinrow_deleted_at IS NULL, {LIVE}, {KEPT}) FROM {quote(into)}"
        )
    definition = str(session.query(f"SHOW CREATE TABLE {quote(into)}")[0][1])
    found = re.search(r"AUTO_INCREMENT=(\d+)", definition)
    if found:
        session.execute(f"ALTER TABLE `{name_of(table)}` AUTO_INCREMENT = {int(found[1])}")


def highest(tx: Connection, table: str) -> int:
    """The highest id there is, 0 where there is none."""
    return int(tx.query(f"SELECT COALESCE(MAX(row_id), 0) FROM `{name_of(table)}`")[0][0])


def above(tx: Connection, table: str, row_id: int) -> dict[bytes, int]:
    """The keys whose ids are above this id, with their ids."""
    found = tx.query(f"SELECT _twinrow_key, row_id FROM `{name_of(table)}` WHERE row_id > %s", (row_id,))
    return {bytes(key): int(number) for key, number in found}


def load_sql(table: str, form: str) -> str:
    """LOAD DATA for new keys: fingerprint in hexadecimal digits and number, in this form."""
    return (
        f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE `{name_of(table)}` {form} (@h, number) SET _twinrow_key = UNHEX(@h)"
    )


def place(tx: Connection, table: str, keys: Collection[bytes], number: int, *, ghosts: bool = False) -> None:
    """The rows of these keys live in this table now; `ghosts`: rows that they had elsewhere may stand there."""
    also = ", ghosts = 1" if ghosts else ""
    _update(tx, table, keys, f"number = {int(number)}, standing = {LIVE}{also}")


def keep(tx: Connection, table: str, keys: Collection[bytes]) -> None:
    """The rows stay where they are, marked as deleted."""
    _update(tx, table, keys, f"standing = {KEPT}")


def release(tx: Connection, table: str, keys: Collection[bytes]) -> None:
    """These keys have no row now; their ids are kept for them."""
    _update(tx, table, keys, f"standing = {NO_ROW}")


def forget(tx: Connection, table: str, keys: Collection[bytes]) -> None:
    """These items are gone. An id whose ghosts may stand somewhere is kept."""
    for part in _parts(list(keys)):
        where = f"_twinrow_key IN ({_marks(part)})"
        tx.execute(f"DELETE FROM `{name_of(table)}` WHERE ghosts = 0 AND {where}", part)
    release(tx, table, keys)


def _update(tx: Connection, table: str, keys: Collection[bytes], sets: str) -> None:
    for part in _parts(list(keys)):
        tx.execute(f"UPDATE `{name_of(table)}` SET {sets} WHERE _twinrow_key IN ({_marks(part)})", part)


def _parts(keys: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [keys[first : first + ENTRIES_A_STATEMENT_MAX] for first in range(0, len(keys), ENTRIES_A_STATEMENT_MAX)]


def _marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))
