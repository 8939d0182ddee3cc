"""Rows into MySQL inside an open transaction: new rows are inserted, known rows updated, refused rows found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from twinrow.mysql import STATEMENT_BYTES_MAX, Connection, MySQLError
from twinrow.mysql_error import HARMLESS_WARNING_CODES, NULL_CODES, can_be_content
from twinrow.schema.load_text import WritableRow
from twinrow.schema.table import TableSchema
from twinrow.sink import bulk, by_hand, row_keys, staging, statements
from twinrow.sink.alone import ROW_TOO_LARGE, Judged, Refusal, Tried, in_halves, judge, undo
from twinrow.sink.staging import Staged

KEYS_A_STATEMENT_MAX = 1000
ROWS_A_STATEMENT_MAX = 2000
PACKET_SHARE = 0.9
PROBE = "twinrow_probe"
PROBES_MAX = 8
"""Existing rows, written onto themselves until the server takes one. If it takes none of them, it takes no row."""


@dataclass(frozen=True, slots=True)
class Existing:
    """The row that a key has already; `entity`: whose table it is in, where there are several."""

    row_id: int
    deleted: bool
    entity: str = ""


@dataclass(slots=True)
class Written:
    """The result of a batch: row ids by fingerprint, rows that were not taken, the change in live rows.

    `refused`: rows whose own content is at fault, with the reason, `too_large` among them those for which a page has no
    room; `put_off`: those to be tried again later; `passed`: how many rows the server took.
    """

    ids: dict[bytes, int] = field(default_factory=dict)
    refused: dict[bytes, str] = field(default_factory=dict)
    put_off: dict[bytes, Refusal] = field(default_factory=dict)
    too_large: set[bytes] = field(default_factory=set)
    passed: int = 0
    inserted: int = 0
    updated: int = 0
    rows_delta: int = 0

    @property
    def not_written(self) -> set[bytes]:
        """The fingerprints of the rows that were not taken, for whatever reason."""
        return self.refused.keys() | self.put_off.keys()

    def took(self, key: bytes, again: Written) -> None:
        """A row that was refused was taken in another form, as `again` tells."""
        del self.refused[key]
        self.too_large.discard(key)
        self.ids.update(again.ids)
        self.passed += again.passed
        self.inserted += again.inserted
        self.updated += again.updated
        self.rows_delta += again.rows_delta


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
    waits_apart: bool = False,
) -> Written:
    """Write rows with distinct fingerprints; `wanted_ids` gives new rows their id (adopted or revived).

    `staged` rows are written from the temporary table, if all of them are wanted and none wants an id. The ids of new
    rows are returned where `ids` are asked for. Without `upserts` each known row has its own UPDATE: no index is
    needed. `waits_apart`: see `judge`.

    Raises Broken when a fingerprint then has several rows: the UNIQUE index has changed.
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
    fresh, known_ones = Tried(), Tried()
    # First those whose id is said: the others take whatever is free after it.
    if (
        not schema.numbers_rows
        and bulk.can_load(tx, len(placed))
        and bulk.insert_placed(tx, schema, placed, wanted_ids)
    ):
        fresh.passed += len(placed)
    else:
        _insert(tx, schema, placed, wanted_ids, "", written, fresh)
    if bulk.can_load(tx, len(plain)) and bulk.insert_new(tx, schema, plain):
        fresh.passed += len(plain)
    else:
        _insert(tx, schema, plain, {}, "", written, fresh)
    if upserts:
        ids_known = {} if schema.numbers_rows else {row.key: existing[row.key].row_id for row in known}
        changed = _insert(tx, schema, known, ids_known, statements.upsert_tail(schema, tx.flavour), written, known_ones)
        written.updated += changed // 2
    else:
        written.updated += sum(_update(tx, schema, row, written, known_ones) for row in known)
    _prove_one_row_each(tx, schema, [row.key for row in known])
    written.passed += fresh.passed + known_ones.passed
    _stop_changed((fresh, known_ones), tx, schema)
    probe = partial(takes_known_good, tx, schema)
    judged = judge((fresh, known_ones), written.passed, tx.flavour, probe, waits_apart=waits_apart)
    written.refused.update(judged.parked)
    written.put_off = judged.put_off
    tried = fresh.refused | known_ones.refused
    written.too_large = {key for key in judged.parked if tried[key].code == ROW_TOO_LARGE}
    refused = written.not_written
    new = [row.key for row in all_rows if row.key not in existing and row.key not in refused]
    written.inserted = len(new)
    known_deleted = [row.key for row in all_rows if row.key in existing and existing[row.key].deleted]
    written.rows_delta = len(new) + sum(key not in refused for key in known_deleted)
    if ids:
        written.ids = {key: row.row_id for key, row in existing.items()}
        written.ids.update({key: row.row_id for key, row in existing_rows(tx, schema, new, staged).items()})
    return written


def _stop_changed(kinds: Sequence[Tried], tx: Connection, schema: TableSchema) -> None:
    """Raise Broken where rows are refused since somebody has changed a column: no row is to blame for that."""
    codes = {error.code for tried in kinds for error in tried.refused.values()} - {ROW_TOO_LARGE}
    if any(can_be_content(code, tx.flavour) for code in codes):
        by_hand.stop_changed(tx, schema, nulls=not codes.isdisjoint(NULL_CODES))


def _prove_one_row_each(tx: Connection, schema: TableSchema, hashes: Sequence[bytes]) -> None:
    """Looked at in the transaction that wrote them: an index dropped a moment ago costs no row."""
    for first in range(0, len(hashes), KEYS_A_STATEMENT_MAX):
        part = hashes[first : first + KEYS_A_STATEMENT_MAX]
        if int(tx.query(statements.count_of(schema, len(part)), part)[0][0]) > len(part):
            raise row_keys.second_row(tx, schema.into, schema.table)


def _update(tx: Connection, schema: TableSchema, row: WritableRow, written: Written, tried: Tried) -> int:
    """Write a known row without an upsert; refusals are handled as for upserts."""
    names = statements.row_columns(schema)
    sets = [f"{name} = {tx.literal(value)}" for name, value in zip(names, (*row.values, row.extra), strict=True)]
    text = f"{', '.join(sets)}, `_twinrow_deleted_at` = NULL WHERE `_twinrow_key` = {tx.literal(row.key)}"
    if _size(text) > int(tx.packet_bytes_max * PACKET_SHARE):
        written.refused[row.key] = f"the row's statement has {_size(text)} bytes, max_allowed_packet is smaller"
        return 0
    return in_halves(tx, [row], lambda row: row.key, lambda _: _write(tx, statements.update_head(schema) + text), tried)


def _may_upsert(staged: Staged, rows: Sequence[WritableRow], wanted_ids: Mapping[bytes, int]) -> bool:
    wanted = sum(row.key in staged.keys and row.key not in wanted_ids for row in rows)
    return wanted == len(staged.keys)


def _upsert(
    tx: Connection, schema: TableSchema, staged: Staged, existing: Mapping[bytes, Existing], written: Written
) -> bool:
    """All staged rows by one statement; False, and nothing is written, when the server does not take a row as it is."""
    tx.execute(f"SAVEPOINT {bulk.SAVEPOINT}")
    try:
        changed = _write(tx, staging.upsert(schema))
    except MySQLError as error:
        undo(tx, bulk.SAVEPOINT, error)
        return False  # the way without a staging table tells which row it is, and whose fault
    written.passed += len(staged.keys)
    written.updated = (changed - sum(key not in existing for key in staged.keys)) // 2
    return True


def takes_known_good(tx: Connection, schema: TableSchema) -> bool | None:
    """Whether the server takes a row that it has already, written onto itself by our own kind of statement.

    It runs through every trigger, key and CHECK that an upsert runs through, and is undone. Several rows are tried:
    a new rule of somebody's may refuse an existing row, too. None: there is no row.
    """
    ids = tx.query(statements.select_outer_ids(schema, PROBES_MAX // 2))
    for row_id in ids:
        tx.execute(f"SAVEPOINT {PROBE}")
        try:
            tx.execute(statements.upsert_onto_itself(schema), row_id)
        except MySQLError as error:
            undo(tx, PROBE, error)
        else:
            tx.execute(f"ROLLBACK TO SAVEPOINT {PROBE}")
            return True
    return False if ids else None


def delete(
    tx: Connection,
    schema: TableSchema,
    existing: Mapping[bytes, Existing],
    hashes: Sequence[bytes],
    *,
    soft: bool,
    passed: int = 0,
    waits_apart: bool = False,
) -> tuple[int, Judged]:
    """Delete (or mark deleted) the rows of these fingerprints; how many live rows went, and what the server keeps.

    A server refuses where a foreign key of somebody's own table names the row, or a trigger says so. `passed`: rows of
    the same batch that it took. Raises MySQLError where the server is at fault, but see `judge` for `waits_apart`.
    """
    live = [key for key in hashes if key in existing and not (soft and existing[key].deleted)]
    tried = Tried()

    def run(part: Sequence[bytes]) -> int:
        return tx.execute(statements.delete_rows(schema, len(part), soft=soft), part)

    for first in range(0, len(live), KEYS_A_STATEMENT_MAX):
        in_halves(tx, live[first : first + KEYS_A_STATEMENT_MAX], lambda key: key, run, tried)
    probe = partial(takes_known_good, tx, schema)
    judged = judge((tried,), passed + tried.passed, tx.flavour, probe, waits_apart=waits_apart)
    judged.parked = {key: f"its row cannot be deleted: {reason}" for key, reason in judged.parked.items()}
    return sum(not existing[key].deleted for key in live if key not in tried.refused), judged


def _insert(
    tx: Connection,
    schema: TableSchema,
    rows: Sequence[WritableRow],
    ids: Mapping[bytes, int],
    tail: str,
    written: Written,
    tried: Tried,
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

    def run(part: Sequence[tuple[WritableRow, str]]) -> int:
        return _write(tx, head + ",".join(text for _, text in part) + tail)

    parts = _parts(texts, min(STATEMENT_BYTES_MAX, packet))
    return sum(in_halves(tx, part, lambda pair: pair[0].key, run, tried) for part in parts)


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


def _write(tx: Connection, sql: str) -> int:
    """Run the statement; a warning is as bad as an error, since a server warns where it bends a value.

    Not so a warning that speaks of something else: a row is not to blame for the old syntax of somebody's trigger.
    """
    affected, count = tx.write(sql)
    if count:
        warnings = tx.warnings()
        bent = next((warning for warning in warnings if int(warning[1]) not in HARMLESS_WARNING_CODES), None)
        if bent is not None:
            raise MySQLError(int(bent[1]), f"MySQL warns ({bent[1]}): {bent[2]}", where=tx.place)
        if count > len(warnings):
            code, text = int(warnings[0][1]) if warnings else 0, "more warnings than it shows"
            raise MySQLError(code, f"MySQL has {text} ({count})", where=tx.place)
    return affected
