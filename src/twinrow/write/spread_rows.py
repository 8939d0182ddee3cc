"""The step that writes rows, for a split: each row into its entity's table, moves and deletes led by the directory.

A move is written first and then removed from the table before, so that what one of the tables refuses leaves the other
as it was. All of it is a single transaction, and a row keeps its id wherever it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from twinrow.capture_kind import SCANNED
from twinrow.mysql import Connection
from twinrow.schema.load_text import WritableRow
from twinrow.sink import writer
from twinrow.sink.alone import Judged
from twinrow.sink.writer import Existing, Written
from twinrow.state import directory, entity
from twinrow.table.catalogue import Catalogue
from twinrow.write import too_large
from twinrow.write.decide_rows import RowDecision
from twinrow.write.look import BatchView
from twinrow.write.rules import WriteRules
from twinrow.write.written import WrittenRows

_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Spread:
    """A write: what is given, and what has become of it. `ids`: of all rows to be written, `fresh`: new ones."""

    tx: Connection
    catalogue: Catalogue
    rules: WriteRules
    view: BatchView
    truth: bool
    ids: dict[bytes, int] = field(default_factory=dict)
    fresh: set[bytes] = field(default_factory=set)
    written: Written = field(default_factory=Written)
    apart: list[bytes] = field(default_factory=list)
    kept: Judged = field(default_factory=Judged)
    rows: dict[int, int] = field(default_factory=dict)
    moved: dict[int, int] = field(default_factory=dict)

    @property
    def table(self) -> str:
        return self.rules.settings.table

    def number(self, entity_name: str) -> int:
        return self.catalogue.entities[entity_name].number

    def count(self, entity_name: str, rows: int, moved: int = 0) -> None:
        number = self.number(entity_name)
        self.rows[number] = self.rows.get(number, 0) + rows
        self.moved[number] = self.moved.get(number, 0) + moved


def write_rows(
    tx: Connection,
    catalogue: Catalogue,
    rules: WriteRules,
    view: BatchView,
    decision: RowDecision,
    *,
    truth: bool,
) -> WrittenRows:
    """Write, move and delete as decided. The row of an item that is parked goes, too: it is of an older image.

    Raises MySQLError where the server is at fault, Broken where a table was changed by hand.
    """
    spread = _Spread(tx, catalogue, rules, view, truth)
    of = {change.key_hash: change.entity for change in decision.changes}
    _drop_strays(spread, {change.key_hash for change in decision.changes})
    _give_ids(spread, decision, of)
    for name, rows in _by_entity(decision.rows, lambda row: of[row.key]).items():
        _write_table(spread, name, rows, decision)
    written = spread.written
    moved = [
        row.key
        for row in decision.rows
        if row.key not in written.not_written
        and row.key in view.existing
        and view.existing[row.key].entity != of[row.key]
    ]
    _leave(spread, moved, of)
    parked = {change.key_hash: change.unfit for change in decision.changes if change.unfit} | written.refused
    soft_gone = _delete(spread, decision.soft, soft=True)
    hard_gone = _delete(spread, sorted({*decision.hard, *parked}), soft=False)
    kept = spread.kept
    stays = kept.parked.keys() | kept.put_off.keys()
    rowless = [*decision.soft, *decision.hard, *(key for key in parked if key in view.existing)]
    put_off = written.put_off | kept.put_off
    _note_places(spread, decision, of, {*parked, *put_off}, stays)
    entity.count(tx, spread.table, spread.rows, spread.moved)
    passed_over = {change.key_hash for change in decision.changes if change.lives and change.origin == SCANNED}
    return WrittenRows(
        written,
        parked={key: reason for key, reason in (kept.parked | parked).items() if key not in put_off},
        put_off=put_off,
        removed=[key for key in rowless if key in view.existing and key not in stays],
        buried=[key for key in rowless if key in view.existing or key not in passed_over],
        set_apart=spread.apart,
        rows_delta=written.rows_delta - soft_gone - hard_gone,
    )


def _by_entity(values: Iterable[_Value], entity_of: Callable[[_Value], str]) -> dict[str, list[_Value]]:
    found: dict[str, list[_Value]] = {}
    for value in values:
        found.setdefault(entity_of(value), []).append(value)
    return found


def _drop_strays(spread: _Spread, keys: Collection[bytes]) -> None:
    """Rows that hands have put beside an item's own row go before anything is written under their keys."""
    found: dict[str, list[bytes]] = {}
    for key, names in spread.view.spread.strays.items():
        for name in names if key in keys else ():
            found.setdefault(name, []).append(key)
    for name, hashes in found.items():
        existing = {key: Existing(0, False) for key in hashes}
        schema = spread.catalogue.entities[name]
        _, judged = writer.delete(spread.tx, schema, existing, hashes, soft=False, waits_apart=spread.truth)
        _refuse(spread, judged)


def _refuse(spread: _Spread, judged: Judged) -> None:
    spread.kept.parked.update(judged.parked)
    spread.kept.put_off.update(judged.put_off)


def _give_ids(spread: _Spread, decision: RowDecision, of: Mapping[bytes, str]) -> None:
    """The id of each row to be written: its own, an id that is kept for it, or the next."""
    entries, existing = spread.view.spread.entries, spread.view.existing
    spread.ids = {key: row.row_id for key, row in existing.items()}
    keys = [row.key for row in decision.rows if row.key not in existing]
    spread.ids |= {key: entries[key].row_id for key in keys if key in entries}
    new = {key: spread.number(of[key]) for key in keys if key not in entries}
    spread.fresh = set(new)
    spread.ids |= directory.enter(spread.tx, spread.table, new, decision.taken.ids)
    spread.written.ids = spread.ids  # also of echoes, whose rows are not written


def _write_table(spread: _Spread, name: str, rows: Sequence[WritableRow], decision: RowDecision) -> None:
    schema, known = spread.catalogue.entities[name], spread.view.existing
    # A row that is not fresh may stand there as a ghost, so it is written over whatever stands there.
    existing = {
        row.key: Existing(spread.ids[row.key], row.key not in known or known[row.key].deleted)
        for row in rows
        if row.key not in spread.fresh
    }
    ids = {row.key: spread.ids[row.key] for row in rows if row.key in spread.fresh}
    part = writer.write(spread.tx, schema, rows, existing, ids, ids=False, waits_apart=spread.truth)
    own = {row.key for row in rows}
    changes = [change for change in decision.changes if change.key_hash in own]
    spread.apart += too_large.write_smaller(spread.tx, schema, spread.rules, changes, existing, ids, part)
    spread.count(name, part.rows_delta)
    written = spread.written
    written.refused.update(part.refused)
    written.put_off.update(part.put_off)
    written.too_large |= part.too_large
    written.passed += part.passed
    written.inserted += part.inserted
    written.updated += part.updated
    written.rows_delta += part.rows_delta


def _leave(spread: _Spread, moved: Sequence[bytes], of: Mapping[bytes, str]) -> None:
    """Take moved rows out of the tables before; where such a table keeps its row, the row in the new table goes."""
    existing, soft = spread.view.existing, spread.rules.settings.soft_deletes
    live = [key for key in moved if not existing[key].deleted]
    for name, keys in _by_entity(live, lambda key: existing[key].entity).items():
        _, judged = writer.delete(
            spread.tx, spread.catalogue.entities[name], existing, keys, soft=soft,
            passed=spread.written.passed, waits_apart=spread.truth,
        )  # fmt: skip
        _refuse(spread, judged)
        stays = judged.parked.keys() | judged.put_off.keys()
        for key in keys:
            if key not in stays:
                spread.count(name, -1)
                spread.count(of[key], 1, moved=1)
        for new, refused in _by_entity([key for key in keys if key in stays], of.__getitem__).items():
            ghosts = [key for key in refused if spread.view.spread.entries[key].ghosts]
            others = [key for key in refused if key not in ghosts]
            schema = spread.catalogue.entities[new]
            writer.delete(spread.tx, schema, existing, ghosts, soft=True)
            writer.delete(spread.tx, schema, existing, others, soft=False)


def _delete(spread: _Spread, hashes: Sequence[bytes], *, soft: bool) -> int:
    """Delete rows by the tables that the directory says; how many live rows went."""
    existing, gone = spread.view.existing, 0
    there = [key for key in hashes if key in existing]
    for name, keys in _by_entity(there, lambda key: existing[key].entity).items():
        count, judged = writer.delete(
            spread.tx, spread.catalogue.entities[name], existing, keys, soft=soft,
            passed=spread.written.passed + gone, waits_apart=spread.truth,
        )  # fmt: skip
        _refuse(spread, judged)
        spread.count(name, -count)
        gone += count
    return gone


def _note_places(
    spread: _Spread,
    decision: RowDecision,
    of: Mapping[bytes, str],
    refused: Collection[bytes],
    stays: Collection[bytes],
) -> None:
    """Bring the directory up to what has become of the rows."""
    tx, table, view = spread.tx, spread.table, spread.view
    entries, existing = view.spread.entries, view.existing
    written = [row.key for row in decision.rows if row.key not in refused and row.key not in stays]
    for name, keys in _by_entity([key for key in written if key in entries], of.__getitem__).items():
        number = spread.number(name)
        left = [key for key in keys if entries[key].number != number and key in existing]
        ghosts = [key for key in left if existing[key].deleted or spread.rules.settings.soft_deletes]
        directory.place(tx, table, ghosts, number, ghosts=True)
        others = [
            key for key in keys
            if key not in ghosts and (entries[key].number, entries[key].standing) != (number, directory.LIVE)
        ]  # fmt: skip
        directory.place(tx, table, others, number)
    gone = {
        change.key_hash for change in decision.changes if change.row is None and not change.unfit and not change.lives
    }
    soft, hard = set(decision.soft) & existing.keys(), {*decision.hard, *decision.soft} - existing.keys()
    hard |= set(decision.hard)
    directory.keep(tx, table, sorted(soft - set(stays)))
    directory.forget(tx, table, sorted(key for key in hard & gone & entries.keys() if key not in stays))
    rowless = [key for key in {*hard, *refused} if key not in gone and key not in stays and key not in soft]
    put_off = spread.written.put_off
    directory.release(
        tx, table, sorted(key for key in rowless if key in spread.fresh or (key in existing and key not in put_off))
    )
