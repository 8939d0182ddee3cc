"""The second decision: all that a batch leaves besides its rows, once the server has taken rows (pure)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from twinrow.schema.load_text import WritableRow
from twinrow.sink.alone import Refusal
from twinrow.state import recheck
from twinrow.state.outbox import PendingLink
from twinrow.table.id_memory import IdMemory, IdsLearned, RowGone
from twinrow.table.live_schema import WantedOf
from twinrow.write import pending_links
from twinrow.write.batch import Applied, Batch
from twinrow.write.decide_rows import RowDecision, is_echo
from twinrow.write.foreign_ids import ForeignIds, MeetingView, foreign_ids
from twinrow.write.look import BatchView
from twinrow.write.prepare import Prepared, PreparedChange
from twinrow.write.rules import WriteRules
from twinrow.write.written import WrittenRows


@dataclass(frozen=True, slots=True)
class Letter:
    """An item to be parked, and the id that is kept for its row."""

    change: PreparedChange
    reason: str
    row_id: int | None


@dataclass(frozen=True, slots=True)
class Learned:
    """Facts to be remembered once the transaction is committed, and not before."""

    ids: IdsLearned = field(default_factory=IdsLearned)
    owes_cells: bool = False
    has_mixed: bool = False
    sets_apart: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """All that is noted in MySQL beside the rows, and the outcome of the batch.

    `waits_for_cells` (by entity) and `unshown`: rows by attribute whose cell is put off, or NULL for its type.
    `whole_again`: keys whose row has nothing set apart any more. `resolved`: keys that have no dead letter any more.
    `settled`: keys whose pending link is none any more.
    """

    applied: Applied
    learned: Learned
    foreign: ForeignIds
    rows_delta: int
    doubted: Sequence[PreparedChange] = ()
    waiting: Sequence[PreparedChange] = ()
    astray: Sequence[PreparedChange] = ()
    waits_for_cells: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unshown: Mapping[str, int] = field(default_factory=dict)
    whole_again: Sequence[bytes] = ()
    set_apart: Sequence[bytes] = ()
    buried: Mapping[bytes, int | None] = field(default_factory=dict)
    lifted: Sequence[bytes] = ()
    letters: Sequence[Letter] = ()
    resolved: Sequence[bytes] = ()
    put_off: Sequence[tuple[PreparedChange, Refusal]] = ()
    settled: Sequence[bytes] = ()

    @property
    def owed(self) -> Sequence[PendingLink]:
        """The links to be written."""
        return self.applied.debts


def decide_rest(
    rules: WriteRules,
    ids: IdMemory,
    batch: Batch,
    prepared: Prepared,
    view: BatchView,
    decision: RowDecision,
    done: WrittenRows,
    generation: int,
) -> Rest:
    """Decide what the written rows leave to be noted: links, letters, tombstones, gaps, and what is learned."""
    changes, written = decision.changes, done.written
    stay = done.parked.keys() | done.put_off.keys()
    rows = [row for row in decision.rows if row.key not in written.refused and row.key not in written.put_off]
    cells = _waiting_for_cells(changes, rows, prepared.put_off) if prepared.put_off else {}
    unshown = Counter(name for row in rows for name in row.unshown)
    owed = pending_links.owed_links(rules, changes, written.ids, stay, generation)
    links = pending_links.new_links(owed, view.standing) if view.standing else owed
    foreign = _foreign_ids(rules, ids, batch, view, decision, done)
    learned = IdsLearned(
        _rows_gone(rules, changes, view, done),
        _ahead_of_stream(rules, changes) if batch.truth else (),
        tuple(change.key_hash for change, _ in foreign.met),
        foreign.went_back,
    )
    became = tuple(change for change in changes if change.key_hash not in stay and _acts(change, view))
    return Rest(
        applied=Applied(
            links,
            written,
            len(done.parked),
            tuple(change.key_hash for change in decision.doubted),
            became,
            frozenset(refusal.code for refusal in done.put_off.values()),
        ),
        learned=Learned(learned, bool(cells), bool(unshown), view.any_set_apart or bool(done.set_apart)),
        foreign=foreign,
        rows_delta=done.rows_delta - batch.rows_gone,
        doubted=decision.doubted,
        waiting=decision.waiting,
        astray=view.astray,
        waits_for_cells=cells,
        unshown=unshown,
        whole_again=_whole_again(changes, view, done) if view.any_set_apart else (),
        set_apart=tuple(done.set_apart),
        buried=_buried(rules, view, done),
        lifted=[change.key_hash for change in changes if _lives_again(change, view)] if view.tombstones else (),
        letters=_letters(changes, view, decision, done) if done.parked else (),
        resolved=[change.key_hash for change in changes if change.key_hash not in stay] if view.any_letter else (),
        put_off=_put_off(changes, done) if done.put_off else (),
        settled=pending_links.settled_keys(rules, changes, owed, truth=batch.truth),
    )


def _waiting_for_cells(
    changes: Sequence[PreparedChange], rows: Sequence[WritableRow], put_off: WantedOf
) -> dict[str, Counter[str]]:
    """How many of these rows wait for each of the columns that could not be had now, by entity."""
    of = {change.key_hash: change.entity for change in changes}
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        wanted = put_off.get(of[row.key], {})
        names = json.loads(row.extra).keys() & wanted.keys() if row.extra is not None and wanted else ()
        if names:
            counts.setdefault(of[row.key], Counter()).update(names)
    return counts


def _foreign_ids(
    rules: WriteRules, ids: IdMemory, batch: Batch, view: BatchView, decision: RowDecision, done: WrittenRows
) -> ForeignIds:
    if not view.not_ours:
        return ForeignIds()
    explained = {suspect.key_hash for suspect in batch.rechecked if suspect.cause in recheck.KNOWN_LOSSES}
    meeting = MeetingView(done.written.ids, decision.taken, view.in_use, view.loss, explained, view.at, view.read_at)
    return foreign_ids(rules, ids, view.not_ours, meeting)


def _rows_gone(
    rules: WriteRules, changes: Sequence[PreparedChange], view: BatchView, done: WrittenRows
) -> tuple[RowGone, ...]:
    removed = set(done.removed)
    if not removed:
        return ()
    return tuple(
        RowGone(change.key_hash, view.existing[change.key_hash].row_id, rules.traits.is_record(change.origin))
        for change in changes
        if change.key_hash in removed
    )


def _ahead_of_stream(rules: WriteRules, changes: Sequence[PreparedChange]) -> tuple[bytes, ...]:
    """Rows that a consistent read has written, where deletes come by a source that may be behind it."""
    if not rules.traits.tells_deletes:
        return ()
    return tuple(change.key_hash for change in changes if change.row is not None)


def _buried(rules: WriteRules, view: BatchView, done: WrittenRows) -> dict[bytes, int | None]:
    """The tombstones to be left, with the ids of the rows that were: only a first copy brings old images."""
    if not rules.first_copy:
        return {}
    rows = {key_hash: view.existing.get(key_hash) for key_hash in done.buried}
    return {key_hash: row.row_id if row is not None else None for key_hash, row in rows.items()}


def _lives_again(change: PreparedChange, view: BatchView) -> bool:
    return change.row is not None and change.key_hash in view.tombstones


def _put_off(changes: Sequence[PreparedChange], done: WrittenRows) -> list[tuple[PreparedChange, Refusal]]:
    return [(change, done.put_off[change.key_hash]) for change in changes if change.key_hash in done.put_off]


def _acts(change: PreparedChange, view: BatchView) -> bool:
    """Whether a change that was neither put off nor parked made a row another, or took it away."""
    return change.key_hash in view.existing if change.row is None else not is_echo(change, view.existing)


def _whole_again(changes: Sequence[PreparedChange], view: BatchView, done: WrittenRows) -> Sequence[bytes]:
    """Keys whose row was written or deleted now. An echo, and a row that was put off, stands as it was."""
    return [
        change.key_hash
        for change in changes
        if not is_echo(change, view.existing) and change.key_hash not in done.written.put_off
    ]


def _letters(
    changes: Sequence[PreparedChange], view: BatchView, decision: RowDecision, done: WrittenRows
) -> Sequence[Letter]:
    letters = []
    for change in changes:
        key_hash = change.key_hash
        if key_hash in done.parked:
            known = view.existing.get(key_hash)
            row_id = known.row_id if known is not None else decision.taken.ids.get(key_hash)
            letters.append(Letter(change, done.parked[key_hash], row_id))
    return letters
