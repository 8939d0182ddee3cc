"""Rows into MySQL inside an open transaction: new ones inserted, known ones updated, refused ones told apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from twinrow.errors import RowRefused
from twinrow.mysql import STATEMENT_BYTES_MAX, Connection, MySQLError, raise_row_refused, row_refused
from twinrow.schema.load_text import WritableRow
from twinrow.schema.table import TableSchema
from twinrow.sink import bulk, row_keys, staging, statements
from twinrow.sink.staging import Staged

KEYS_A_STATEMENT_MAX = 1000
ROWS_A_STATEMENT_MAX = 2000
PACKET_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Existing:
    """The row that a key has already."""

    row_id: int
    deleted: bool


@dataclass(slots=True)
class Written:
    """What became of a batch: row ids by fingerprint, refused rows with the reason, the change in live rows."""

    ids: dict[bytes, int] = field(default_factory=dict)
    refused: dict[bytes, str] = field(default_factory=dict)
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rows_delta: int = 0


def existing_rows(
    tx: Connection, schema: TableSchema, hashes: Sequence[bytes], staged: Staged | None = None
) -> dict[bytes, Existing]:
    """The rows that these fingerprints have, by fingerprint; those of staged rows are asked for by a join."""
    found: dict[bytes, Existing] = {}
    if staged is not None:
        for key, row_id, deleted in tx.query(staging.select_ids(schema)):
            found[key] = Existing(row_id, bool(deleted))
        hashes = [key for key in hashes if key not in staged.keys]
    for first in range(0, len(hashes), KEYS_A_STATEMENT_MAX):
        part = hashes[first : first + KEYS_A_STATEMENT_MAX]
        for key, row_id, deleted in tx.query(statements.select_ids(schema, len(part)), part):
            found[key] = Existing(row_id, bool(deleted))
    return found


def write(
    tx: Connection,
    schema: TableSchema,
    rows: Sequence[WritableRow],
    existing: Mapping[bytes, Existing],
    wanted_ids: Mapping[bytes, int] | None = None,
    *,
    staged: Staged | None = None,
    ids: bool = True,
    upserts: bool = True,
) -> Written:
    """Write rows with distinct fingerprints; `wanted_ids` gives new rows their id (adopted or revived).

    `staged` rows are written from the temporary table, if all of them are wanted and none wants an id. The ids of new
    rows are told where `ids` are asked for. Without `upserts` known rows are updated one by one: no index is needed.

    Raises Broken when a fingerprint has more than one row then: the UNIQUE index is not what it was.
    """
    written = Written()
    wanted_ids = wanted_ids or {}
    all_rows = rows
    if staged is not None and _may_upsert(staged, rows, wanted_ids) and _upsert(tx, schema, staged, existing, written):
        updates = not staged.keys.isdisjoint(existing)
        if updates and int(tx.query(staging.count_rows(schema))[0][0]) > len(staged.keys):
            raise row_keys.second_row(tx, schema.into, schema.table)
        rows = [row for row in rows if row.key not in staged.keys]
    plain = [row for row in rows if row.key not in existing and row.key not in wanted_ids]
    placed = [row for row in rows if row.key not in existing and row.key in wanted_ids]
    known = [row for row in rows if row.key in existing]
    # First those whose id is said: the others take whatever is free after it.
    _insert(tx, schema, placed, wanted_ids, "", written)
    if not (bulk.can_load(tx, len(plain)) and bulk.insert_new(tx, schema, plain)):
        _insert(tx, schema, plain, {}, "", written)
    if upserts:
        changed = _insert(tx, schema, known, {}, statements.upsert_tail(schema, tx.flavour), written)
        written.updated += changed // 2
    else:
        written.updated += sum(_update(tx, schema, row, written) for row in known)
    _prove_one_row_each(tx, schema, [row.key for row in known])
    refused = written.refused
    new = [row.key for row in all_rows if row.key not in existing and row.key not in refused]
    written.inserted = len(new)
    known_deleted = [row.key for row in all_rows if row.key in existing and existing[row.key].deleted]
    written.rows_delta = len(new) + sum(key not in refused for key in known_deleted)
    if ids:
        written.ids = {key: one.row_id for key, one in existing.items()}
        written.ids.update({key: one.row_id for key, one in existing_rows(tx, schema, new, staged).items()})
    return written


def _prove_one_row_each(tx: Connection, schema: TableSchema, hashes: Sequence[bytes]) -> None:
    """Looked at in the transaction that wrote them: an index dropped a moment ago costs no row, and no right one."""
    for first in range(0, len(hashes), KEYS_A_STATEMENT_MAX):
        part = hashes[first : first + KEYS_A_STATEMENT_MAX]
        if int(tx.query(statements.count_of(schema, len(part)), part)[0][0]) > len(part):
            raise row_keys.second_row(tx, schema.into, schema.table)


def _update(tx: Connection, schema: TableSchema, row: WritableRow, written: Written) -> int:
    """Write a known row without an upsert; what the server refuses is told apart as there."""
    names = statements.row_columns(schema)
    sets = [f"{name} = {tx.literal(value)}" for name, value in zip(names, (*row.values, row.extra), strict=True)]
    text = f"{', '.join(sets)}, `_twinrow_deleted_at` = NULL WHERE `_twinrow_key` = {tx.literal(row.key)}"
    if _size(text) > int(tx.packet_bytes_max * PACKET_SHARE):
        written.refused[row.key] = f"the row's statement has {_size(text)} bytes, max_allowed_packet is smaller"
        return 0
    return _run(tx, statements.update_head(schema), [(row, text)], "", written)


def _may_upsert(staged: Staged, rows: Sequence[WritableRow], wanted_ids: Mapping[bytes, int]) -> bool:
    wanted = sum(row.key in staged.keys and row.key not in wanted_ids for row in rows)
    return wanted == len(staged.keys)


def _upsert(
    tx: Connection, schema: TableSchema, staged: Staged, existing: Mapping[bytes, Existing], written: Written
) -> bool:
    """All staged rows by one statement; False, and nothing is written, when the server does not take one as it is."""
    tx.execute(f"SAVEPOINT {bulk.SAVEPOINT}")
    try:
        changed = _write(tx, staging.upsert(schema))
    except RowRefused:
        tx.execute(f"ROLLBACK TO SAVEPOINT {bulk.SAVEPOINT}")
        return False
    written.updated = (changed - sum(key not in existing for key in staged.keys)) // 2
    return True


def delete(
    tx: Connection, schema: TableSchema, existing: Mapping[bytes, Existing], hashes: Sequence[bytes], *, soft: bool
) -> tuple[int, dict[bytes, str]]:
    """Delete (or mark deleted) the rows of these fingerprints; how many live rows went, and the refused with why.

    A server refuses where a foreign key of somebody's own table names the row, or a trigger says so.
    """
    live = [key for key in hashes if key in existing and not (soft and existing[key].deleted)]
    refused: dict[bytes, str] = {}
    for first in range(0, len(live), KEYS_A_STATEMENT_MAX):
        _delete(tx, schema, live[first : first + KEYS_A_STATEMENT_MAX], refused, soft=soft)
    return sum(not existing[key].deleted for key in live if key not in refused), refused


def _delete(
    tx: Connection, schema: TableSchema, part: Sequence[bytes], refused: dict[bytes, str], *, soft: bool
) -> None:
    """One statement under a savepoint; refused, it is halved until the row that is at fault stands alone."""
    tx.execute("SAVEPOINT twinrow_rows")
    try:
        tx.execute(statements.delete_rows(schema, len(part), soft=soft), part)
    except MySQLError as error:
        if not row_refused(error):
            raise
        tx.execute("ROLLBACK TO SAVEPOINT twinrow_rows")
        if len(part) == 1:
            refused[part[0]] = f"its row cannot be deleted: {error.what}"
            return
        middle = len(part) // 2
        _delete(tx, schema, part[:middle], refused, soft=soft)
        _delete(tx, schema, part[middle:], refused, soft=soft)


def _insert(
    tx: Connection,
    schema: TableSchema,
    rows: Sequence[WritableRow],
    ids: Mapping[bytes, int],
    tail: str,
    written: Written,
) -> int:
    """Insert rows in as few statements as their size allows; the affected rows as the server counts them."""
    if not rows:
        return 0
    head = statements.insert_head(schema, with_row_id=bool(ids))
    packet = int(tx.packet_bytes_max * PACKET_SHARE) - len(head) - len(tail)
    texts = []
    for row in rows:
        text = _literals(tx, row, ids)
        if _size(text) > packet:  # the server would cut the connection, again and again
            written.refused[row.key] = f"the row's statement has {_size(text)} bytes, max_allowed_packet is smaller"
        else:
            texts.append((row, text))
    return sum(_run(tx, head, part, tail, written) for part in _parts(texts, min(STATEMENT_BYTES_MAX, packet)))


def _literals(tx: Connection, row: WritableRow, ids: Mapping[bytes, int]) -> str:
    values = [*((ids[row.key],) if ids else ()), row.key, *row.values, row.extra]
    return f"({','.join(map(tx.literal, values))})"


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _parts(texts: list[tuple[WritableRow, str]], bytes_max: int) -> Iterator[list[tuple[WritableRow, str]]]:
    part: list[tuple[WritableRow, str]] = []
    size = 0
    for row, text in texts:
        length = _size(text)
        if part and (size + length > bytes_max or len(part) >= ROWS_A_STATEMENT_MAX):
            yield part
            part, size = [], 0
        part.append((row, text))
        size += length + 1
    if part:
        yield part


def _run(tx: Connection, head: str, part: list[tuple[WritableRow, str]], tail: str, written: Written) -> int:
    """One statement under a savepoint; refused, it is halved until the row that is at fault stands alone."""
    tx.execute("SAVEPOINT twinrow_rows")
    try:
        return _write(tx, head + ",".join(text for _, text in part) + tail)
    except RowRefused as refusal:
        return _halve(tx, head, part, tail, written, refusal)


def _write(tx: Connection, sql: str) -> int:
    """Run the statement; a warning is as bad as an error, since a server warns where it bends a value."""
    try:
        affected, warnings = tx.write(sql)
    except MySQLError as error:
        raise_row_refused(error)
        raise
    if warnings:
        raise RowRefused(f"the server warned: {tx.warnings()[:1]}", where=tx.place)
    return affected


def _halve(
    tx: Connection, head: str, part: list[tuple[WritableRow, str]], tail: str, written: Written, refusal: RowRefused
) -> int:
    tx.execute("ROLLBACK TO SAVEPOINT twinrow_rows")
    if len(part) == 1:
        written.refused[part[0][0].key] = refusal.what
        return 0
    middle = len(part) // 2
    return _run(tx, head, part[:middle], tail, written) + _run(tx, head, part[middle:], tail, written)
