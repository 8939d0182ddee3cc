"""Verify: every item against its row, both ways, while the app goes on writing. Suspects are looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from twinrow import clock
from twinrow.budget import Budget
from twinrow.capture.scan import ParallelScan, segments_for
from twinrow.change import Item
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.errors import Transient, TwinrowError
from twinrow.mysql import Connection
from twinrow.retry import back_off_s
from twinrow.schema.row import fingerprint
from twinrow.schema.table import TableSchema, from_json
from twinrow.state import dead_letter, lease, meta, recheck, tables
from twinrow.sync.compare import Comparer, Difference
from twinrow.sync.compare_page import PageComparer
from twinrow.sync.seen import Seen
from twinrow.sync.settings import Settings

EXAMPLES_MAX = 100
SUSPECTS_A_ROUND_MAX = 2000
LOOKS_MAX = 40
LOOK_WAIT_S = 0.25
READ_TRIES_MAX = 10
TROUBLE_S_MAX = 300.0
"""So long a scan that gets no page is waited for, once its trouble is known."""
SETTLE_S_MIN = 0.6
SETTLE_S_MAX = 60.0
"""So long a suspect whose two sides do not move is given to a sync that runs, to catch up with it."""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Example:
    """A difference as it is reported."""

    kind: str
    key: Item
    row_id: int | None
    attributes: tuple[str, ...]


@dataclass(slots=True)
class Verdict:
    """What a verify of one table found; `kept` are soft-deleted rows, `seconds` how long it took."""

    table: str
    items: int = 0
    rows: int = 0
    kept: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    unlinked: int = 0
    dead_letters: int = 0
    seconds: float = 0.0
    examples: list[Example] = field(default_factory=list)

    @property
    def in_step(self) -> bool:
        """Whether both sides are equal and nothing is parked."""
        return not (self.missing or self.extra or self.different or self.unlinked or self.dead_letters)

    def count(self, found: Difference) -> None:
        """Count a confirmed difference."""
        name = found.kind.lower()
        setattr(self, name, getattr(self, name) + 1)
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(Example(found.kind, found.key, found.row_id, found.attributes))


@dataclass(frozen=True)
class Reader:
    """What verify reads with: one table's settings, both servers, the read budget."""

    settings: Settings
    dynamodb: DynamoDB
    connection: Connection
    budget: Budget
    stop: Stop


def schema_of(connection: Connection, table: str) -> TableSchema:
    """The schema of a table that has been copied. Raises TwinrowError when it never was."""
    registered = tables.load(connection, table) if meta.check_version(connection) else None
    if registered is None or registered.phase == "NEW":
        raise TwinrowError("was never copied", where=f"table {table}", remedy=f"twinrow sync --once {table}")
    return from_json(registered.table_schema)


def verify_table(
    reader: Reader,
    progress: Callable[[int, int], None] = lambda items, of: None,
    on_difference: Callable[[Difference], None] = lambda difference: None,
) -> Verdict:
    """Compare a whole table. `progress` is told items read and the item count, `on_difference` each confirmed one.

    Memory: one page, one bit a row, at most SUSPECTS_A_ROUND_MAX suspects. Raises TwinrowError, Transient.
    """
    began = clock.monotonic()
    settings = reader.settings
    description = _patiently(reader, lambda: reader.dynamodb.describe(settings.table))
    verdict, seen, looking = Verdict(settings.table), Seen(), _Looking(reader, on_difference)
    segments = settings.segments or segments_for(description.bytes)
    scan = ParallelScan(
        reader.dynamodb, settings.table, segments, dict.fromkeys(range(segments)), reader.budget, reader.stop
    )
    read_at = clock.monotonic()
    try:
        while not scan.done and not reader.stop:
            page = scan.take(1.0)
            if page is None:
                if scan.trouble and clock.monotonic() - read_at > TROUBLE_S_MAX:
                    raise Transient(scan.trouble, where=f"table {settings.table}")
                continue
            read_at = clock.monotonic()
            compared = looking.page_comparer().page(page, seen.add)
            verdict.items += compared.items
            looking.suspect(compared.found, verdict)
            progress(verdict.items, description.items)
    finally:
        scan.close()
    for ids in looking.comparer.row_ids():
        if reader.stop:
            break
        verdict.rows += len(ids.live)
        verdict.kept += ids.deleted
        lonely = [row_id for row_id in ids.live if row_id not in seen]
        looking.suspect([looking.comparer.extra(row) for row in looking.comparer.rows_of(lonely)], verdict)
    looking.settle(verdict)
    verdict.dead_letters = dead_letter.count(reader.connection, settings.table)
    verdict.seconds = round(clock.monotonic() - began, 3)
    return verdict


def verify_keys(reader: Reader, slices: Iterable[Sequence[tuple[bytes, Item]]]) -> Verdict:
    """Compare just these keys (fingerprint, key), slice after slice, looked at until they settle."""
    verdict, looking = Verdict(reader.settings.table), _Looking(reader, lambda difference: None)
    for keys in slices:
        looking.suspect([Difference("DIFFERENT", one, key, None, orphan=not key) for one, key in keys], verdict)
        looking.settle(verdict)
    return verdict


def _patiently(reader: Reader, work: Callable[[], Result]) -> Result:
    """Read from DynamoDB; what passes is tried again, at most READ_TRIES_MAX times."""
    for tried in range(1, READ_TRIES_MAX):
        try:
            return work()
        except Transient:
            if reader.stop.wait(back_off_s(tried)):
                raise
    return work()


class _Looking:
    """Suspects under observation: confirmed when both sides stood still while a running sync had time to catch up."""

    def __init__(self, reader: Reader, on_difference: Callable[[Difference], None]) -> None:
        self._reader = reader
        self._on_difference = on_difference
        self._suspects: dict[bytes, Difference] = {}
        self._schema_version = -1
        self._pages: PageComparer | None = None
        self.comparer = self._new_comparer()

    def _new_comparer(self) -> Comparer:
        reader = self._reader
        table = reader.settings.table
        schema = schema_of(reader.connection, table)
        self._schema_version = schema.version
        return Comparer(reader.connection, schema, reader.settings, dead_letter.parked(reader.connection, table))

    def page_comparer(self) -> PageComparer:
        """Compares whole pages under the schema of the day."""
        if self._pages is None or self._pages.comparer is not self.comparer:
            self._pages = PageComparer(self._reader.connection, self.comparer, self._reader.settings)
        return self._pages

    def suspect(self, found: Sequence[Difference], verdict: Verdict) -> None:
        """Take note of suspects; many at once are settled at once, so that memory stays bounded."""
        self._suspects.update({one.hash: one for one in found if one.kind != "OLD_SCHEMA"})
        if len(self._suspects) >= SUSPECTS_A_ROUND_MAX:
            self.settle(verdict)

    def settle(self, verdict: Verdict) -> None:
        """Look again until every suspect is equal, confirmed, or has kept moving for LOOKS_MAX looks."""
        before: dict[bytes, Difference] = {}
        still_since: dict[bytes, float] = {}
        looks = 0
        while self._suspects and not self._reader.stop:
            at = clock.now()
            now = self._look()
            for key_hash in list(self._suspects):
                found = now.get(key_hash)
                if found is None:
                    del self._suspects[key_hash]
                    continue
                last = before.get(key_hash)
                if last is None or (last.kind, last.state) != (found.kind, found.state):
                    still_since[key_hash] = at
                elif self._had_time(still_since[key_hash], at):
                    verdict.count(found)
                    self._on_difference(found)
                    del self._suspects[key_hash]
            before = now
            looks += 1
            moving = all(still_since.get(key_hash) == at for key_hash in self._suspects)
            if looks >= LOOKS_MAX and moving:
                self._suspects.clear()  # written faster than it can be read: its next write brings its row anew
            if self._suspects:
                self._reader.stop.wait(LOOK_WAIT_S)

    def _had_time(self, still_since: float, at: float) -> bool:
        """Whether a sync that runs has read everything up to `still_since`, and had its chance to write it."""
        reader = self._reader
        if at - still_since < SETTLE_S_MIN:
            return False
        table = reader.settings.table
        if at - still_since > SETTLE_S_MAX or lease.holder_of(reader.connection, table) is None:
            return True
        registered = tables.load(reader.connection, table)
        caught_up = registered is not None and registered.caught_up_at > still_since
        return caught_up and recheck.count(reader.connection, table) == 0

    def _look(self) -> dict[bytes, Difference]:
        """Compare the suspects by a consistent read; an item that moved between two reads stays a suspect."""
        reader = self._reader
        registered = schema_of(reader.connection, reader.settings.table)
        if registered.version != self._schema_version:
            self.comparer = self._new_comparer()
        comparer = self.comparer
        comparer.parked = dead_letter.parked(reader.connection, reader.settings.table)
        keys = {one.hash: one.key for one in self._suspects.values() if not one.orphan}
        items = _patiently(
            reader,
            lambda: reader.dynamodb.get_items(reader.settings.table, list(keys.values()), reader.budget, reader.stop),
        )
        by_hash = {fingerprint(comparer.schema.keys, item): item for item in items}
        rows = comparer.rows(list(self._suspects))
        found: dict[bytes, Difference] = {}
        for key_hash in self._suspects:
            row, item = rows.get(key_hash), by_hash.get(key_hash)
            if item is not None:
                difference = comparer.one(key_hash, item, row)
            else:
                difference = comparer.extra(row) if row is not None and not row.deleted else None
            if difference is not None and difference.kind != "OLD_SCHEMA":
                found[key_hash] = difference
        return found
