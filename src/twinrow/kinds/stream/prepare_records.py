"""Stream records to rows by the compiled decoder, folded to the last of each key before anything of them is decoded.

Records that do not fit the decoder go the general way (`prepare`), some at a time, after the schema has learned
from them. Both ways give equal rows: a law that hypothesis checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import msgspec

from twinrow.capture import stream_record
from twinrow.capture.stream_record import StreamRecord
from twinrow.change import AttributeValue, Change, Item
from twinrow.decode import wire_json
from twinrow.decode.by_column import ColumnDecoder
from twinrow.decode.compiled import PageDecoder, null_only
from twinrow.decode.readable import UNREADABLE
from twinrow.errors import Broken
from twinrow.schema.load_text import LineRow, WritableRow, lines
from twinrow.schema.row import Row, bare_key, fingerprint, fingerprints_of, to_row
from twinrow.schema.table import KeyAttribute
from twinrow.sink import bulk
from twinrow.state.outbox import ANY_IMAGE
from twinrow.table.live_schema import LiveSchema, WantedOf
from twinrow.table.settings import Settings
from twinrow.table.tenure import Tenure
from twinrow.write.load import LOADED
from twinrow.write.prepare import Prepared, PreparedChange, prepare

RECORDS_DECODED_AT_ONCE = 250
"""A record that does not fit takes this many others along the general way."""
NO_IMAGE = msgspec.Raw(b"")
_decode_keys = msgspec.json.Decoder(list[dict[str, dict[str, str]]]).decode


class Folded(msgspec.Struct, gc=False):
    """The last record of a key in a batch, and the image before it where it is the only record (see `prepare.fold`)."""

    record: StreamRecord
    before: msgspec.Raw


def fold(records: Sequence[StreamRecord]) -> list[Folded]:
    """The last record of each key, in the order of those; keys are compared by their text."""
    folded: dict[bytes, Folded] = {}
    for record in records:
        change_part = record.dynamodb
        key = bytes(change_part.keys)
        earlier = folded.pop(key, None)
        folded[key] = Folded(record, change_part.old_image if earlier is None else NO_IMAGE)
    return list(folded.values())


@dataclass(frozen=True, slots=True)
class PreparedRecords:
    """A batch of records made ready: changes, `prepared` to be written, and `suspects` that need a read.

    `doubts` say what was odd about the records of some suspects; those of the others only show no new image.
    """

    changes: Sequence[Change]
    prepared: Prepared
    suspects: tuple[tuple[bytes, Item], ...] = ()
    doubts: tuple[str, ...] = ()


class _Changes(Sequence[Change]):
    """The changes of folded records, decoded when somebody asks for them: mostly nobody does."""

    def __init__(self, folded: Sequence[Folded]) -> None:
        self._folded = folded

    def __len__(self) -> int:
        return len(self._folded)

    @overload
    def __getitem__(self, place: int) -> Change: ...
    @overload
    def __getitem__(self, place: slice) -> _Changes: ...
    def __getitem__(self, place: int | slice) -> Change | _Changes:
        if isinstance(place, slice):
            return _Changes(self._folded[place])
        entry = self._folded[place]
        return replace(entry.record.change, old=stream_record.image_before(entry.before))


def whole_keys(keys: tuple[KeyAttribute, ...], record: StreamRecord) -> dict[bytes, Item]:
    """The keys, by fingerprint, of a record: a single key, unless its own key differs from that of its images.

    Raises Broken for a record without any: nobody can know its item.
    """
    found: dict[bytes, Item] = {}
    for image in (record.keys, record.new, record.old):
        try:
            item = stream_record.decode_item(image)
            found[fingerprint(keys, item)] = bare_key(keys, item)
        except UNREADABLE:
            continue
    if found:
        return found
    raise Broken(
        f"a stream record has no key that can be read (sequence number {record.sequence or 'unknown'}, "
        f"{record.doubt or record.event_name})",
        remedy="turn the stream off and on: the sync goes on behind the record, and reads the whole table once",
    )


def _is_whole(keys: tuple[KeyAttribute, ...], record: StreamRecord) -> bool:
    """Whether key and new image can be read, and speak of one item."""
    try:
        key = stream_record.decode_item(record.keys)
        key_hash = fingerprint(keys, key)
        if key != bare_key(keys, key):
            return False
        return record.is_delete or fingerprint(keys, stream_record.decode_item(record.new)) == key_hash
    except UNREADABLE:
        return False


class RecordPreparer:
    """Makes batches of one table's stream ready; its decoder is made anew when the schema moves on.

    At least `lines_min` rows that are decoded at once become lines for LOAD DATA.
    """

    def __init__(self, settings: Settings, tenure: Tenure, live: LiveSchema, lines_min: int = bulk.ROWS_MIN) -> None:
        self._settings = settings
        self._tenure = tenure
        self._live = live
        self._lines_min = lines_min
        self._by_column: tuple[PageDecoder, ColumnDecoder] | None = None
        self._decoder: PageDecoder | None = None
        self._spare: frozenset[str] = frozenset()
        self._kept = settings.link_attribute if settings.linked else None

    def prepare(self, records: Sequence[StreamRecord]) -> PreparedRecords:
        """A batch ready to be written, the schema evolved for it. Raises as `LiveSchema.learn` and `whole_keys`."""
        folded = fold(records)
        unclear = [entry for entry in folded if entry.record.needs_recheck]
        clear = [entry for entry in folded if not entry.record.needs_recheck] if unclear else folded
        parts, fitting = self._parts(clear)
        misfits = _misfits(parts, fitting)
        odd = [misfit for misfit in misfits if not _is_whole(self._live.keys, misfit.record)]
        if odd:
            left = {id(entry) for entry in odd}
            clear = [entry for entry in clear if id(entry) not in left]
            parts, fitting = self._parts(clear)
            misfits = _misfits(parts, fitting)
        suspects, doubts = self._suspects(records, unclear, odd) if unclear or odd else ({}, [])
        before, put_off = self._live.catalogue, self._learn(misfits) if misfits else {}
        if self._live.catalogue is not before:
            parts, fitting = self._parts(clear)
        changes: dict[bytes, PreparedChange] = {}
        for part, found in zip(parts, fitting, strict=True):
            for change in self._general(part) if found is None else found:
                # a key in two notations: the change before an echo is not written yet
                hidden = change.echo and change.key_hash in changes
                changes[change.key_hash] = msgspec.structs.replace(change, echo=False) if hidden else change
        return PreparedRecords(
            _Changes(clear),
            Prepared(tuple(changes.values()), tuple(changes), self._live.version, put_off),
            tuple(suspects.items()),
            tuple(doubts),
        )

    def _suspects(
        self, records: Sequence[StreamRecord], unclear: Sequence[Folded], odd: Sequence[Folded]
    ) -> tuple[dict[bytes, Item], list[str]]:
        """The keys of these, and what is odd about their records.

        Keys that cannot be read may be of several items though their text is one, so the key of each record is read.
        """
        oddities = dict.fromkeys((bytes(entry.record.keys) for entry in odd), "its key or its image cannot be read")
        texts = oddities.keys() | {bytes(entry.record.keys) for entry in unclear}
        suspects: dict[bytes, Item] = {}
        doubts = []
        for record in records:
            text = bytes(record.keys)
            if text in texts:
                suspects |= whole_keys(self._live.keys, record)
                doubt = record.doubt or oddities.get(text)
                doubts += [doubt] if doubt else []
        return suspects, doubts

    def _parts(self, folded: Sequence[Folded]) -> tuple[list[Sequence[Folded]], list[list[PreparedChange] | None]]:
        """The records, some at a time, and for each part what `_fitting` makes of it."""
        step = RECORDS_DECODED_AT_ONCE
        parts = [folded[first : first + step] for first in range(0, len(folded), step)]
        return parts, self._fitting(parts)

    def _learn(self, misfits: Sequence[Folded]) -> WantedOf:
        """Evolve the schema for these, as `LiveSchema.learn`; what fits the decoder asks for nothing."""
        items = [stream_record.decode_item(misfit.record.new) for misfit in misfits if not misfit.record.is_delete]
        items = list(self._settings.wanted(items))
        put_off = self._live.learn(items)
        nothing = null_only(self._live.rest, items)
        if not nothing <= self._spare:
            self._spare |= nothing
            self._decoder = None
        return put_off

    def _general(self, part: Sequence[Folded]) -> Sequence[PreparedChange]:
        return prepare(self._settings, self._live.catalogue, self._tenure.flavour(), _Changes(part)).changes

    def _fitting(self, parts: Sequence[Sequence[Folded]]) -> list[list[PreparedChange] | None]:
        """Each part ready to be written, or None where it does not fit the decoder, which knows a single table."""
        if self._live.catalogue.is_split:
            return [None] * len(parts)
        if self._decoder is None or self._decoder.schema is not self._live.rest:
            ignored = self._settings.own - {self._kept}
            self._decoder = PageDecoder(
                self._live.rest,
                self._tenure.flavour(),
                ignored,
                self._spare,
                self._kept,
                self._settings.deleted_attribute,
            )
        return [self._part(self._decoder, part) for part in parts]

    def _part(self, decoder: PageDecoder, part: Sequence[Folded]) -> list[PreparedChange] | None:
        row_filter = self._settings.row_filter
        if row_filter is None:
            return self._wanted(decoder, part)
        try:
            taken = [entry.record.is_delete or row_filter.takes_json(entry.record.new) for entry in part]
        except UNREADABLE:
            return None  # not an item: the general path tells what it is
        if all(taken):
            return self._wanted(decoder, part)
        wanted = self._wanted(decoder, [entry for entry, is_taken in zip(part, taken, strict=True) if is_taken])
        if wanted is None:
            return None
        made, changes = iter(wanted), []
        for entry, is_taken in zip(part, taken, strict=True):
            if not is_taken and not _is_whole(self._live.keys, entry.record):
                return None
            changes.append(next(made) if is_taken else self._general([entry])[0])
        return changes

    def _wanted(self, decoder: PageDecoder, part: Sequence[Folded]) -> list[PreparedChange] | None:
        """The same for records whose items have rows."""
        puts = [entry for entry in part if not entry.record.is_delete]
        found = self._rows(decoder, [put.record.dynamodb.new_image for put in puts])
        echoes = self._echoes(decoder, puts)
        if found is None or echoes is None:
            return None
        rows, links = found
        rows_of = iter(zip(rows, links or [None] * len(rows), echoes, strict=True))
        try:
            keys: list[Item] = wire_json.decoded(
                _decode_keys, _array([entry.record.dynamodb.keys for entry in part]), list
            )
        except UNREADABLE:
            return None
        hashes = _fingerprints(decoder.schema.keys, keys)
        if hashes is None:
            return None
        changes = []
        for entry, key, key_hash in zip(part, keys, hashes, strict=True):
            if entry.record.is_delete:
                changes.append(_change(entry.record, key_hash, key, None, None, echo=False))
                continue
            row, link, echo = next(rows_of)
            if row.key != key_hash:
                return None  # its key is another item's than its image
            changes.append(_change(entry.record, key_hash, key, row, link, echo=echo))
        return changes

    def _rows(
        self, decoder: PageDecoder, images: Sequence[msgspec.Raw]
    ) -> tuple[list[WritableRow], list[AttributeValue | None]] | None:
        """The rows and links; as lines where they are enough to be loaded."""
        raw = _array(images)
        if len(images) < self._lines_min or not self._tenure.open_writer().local_infile:
            found = decoder.rows_and_kept(raw)
            return None if found is None else (list(found[0]), found[1])
        page = self._columns(decoder).page(raw)
        if page is None:
            return None
        schema, flavour = decoder.schema, self._tenure.flavour()
        texts = lines(page.keys, list(zip(schema.columns, page.columns, strict=True)), page.extras)
        extras = page.extras if page.extras is not None else [None] * len(texts)

        def row_of(image: msgspec.Raw) -> Row:
            return to_row(schema, stream_record.decode_item(image), flavour)

        rows: list[WritableRow] = [
            LineRow(bytes.fromhex(key), line, extra, image, row_of)
            for key, line, extra, image in zip(page.keys, texts, extras, images, strict=True)
        ]
        return rows, page.kept

    def _columns(self, decoder: PageDecoder) -> ColumnDecoder:
        known = self._by_column
        if known is None or known[0] is not decoder:
            known = self._by_column = decoder, ColumnDecoder(decoder, LOADED)
        return known[1]

    def _echoes(self, decoder: PageDecoder, puts: Sequence[Folded]) -> list[bool] | None:
        """Which images differ from the image before only in the link; without links nothing of ours comes back."""
        with_image = [number for number, put in enumerate(puts) if put.before] if self._kept else []
        echoes = [False] * len(puts)
        if with_image:
            before = _array([puts[number].before for number in with_image])
            after = _array([puts[number].record.dynamodb.new_image for number in with_image])
            unchanged = decoder.unchanged(before, after)
            if unchanged is None:
                return None
            for number, is_echo in zip(with_image, unchanged, strict=True):
                echoes[number] = is_echo
        return echoes


def _misfits(parts: Sequence[Sequence[Folded]], fitting: Sequence[list[PreparedChange] | None]) -> list[Folded]:
    return [entry for part, found in zip(parts, fitting, strict=True) if found is None for entry in part]


def _fingerprints(keys: tuple[KeyAttribute, ...], items: Sequence[Item]) -> list[bytes] | None:
    """The fingerprints of keys with the key attributes and nothing else, each of its type; None where a key is odd."""
    try:
        size = len(keys) + keys[0].sealed
        if any(len(key) != size for key in items):
            return None
        payloads = []
        for attribute in keys:
            values = [key[attribute.name] for key in items]
            if any(len(value) != 1 for value in values):
                return None
            payloads.append([value[attribute.kind] for value in values])
        return fingerprints_of(keys, payloads)
    except UNREADABLE:
        return None


def _change(
    record: StreamRecord,
    key_hash: bytes,
    key: Item,
    row: WritableRow | None,
    link: AttributeValue | None,
    *,
    echo: bool,
) -> PreparedChange:
    return PreparedChange(
        key_hash, key, "STREAM", None if record.is_delete else record.new, row, "", ANY_IMAGE, None, link, echo,
        record.is_delete and record.is_expiry,
        record.dynamodb.approximate_creation_date_time or 0.0,
    )  # fmt: skip


def _array(parts: Sequence[msgspec.Raw]) -> bytes:
    return b"[" + b",".join(parts) + b"]"
