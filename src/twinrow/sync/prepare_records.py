"""Stream records to rows by the compiled decoder, folded to the last of each key before anything of them is decoded.

What does not fit the decoder goes the general way (`prepare`), some records at a time, after the schema has learned
from them. Both ways give equal rows: a law that hypothesis checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from twinrow import clock
from twinrow.capture import stream_record
from twinrow.capture.stream_record import StreamRecord
from twinrow.change import AttributeValue, Item
from twinrow.decode import wire_json
from twinrow.decode.by_column import ColumnDecoder
from twinrow.decode.compiled import PageDecoder, null_only
from twinrow.schema.load_text import LineRow, WritableRow, lines
from twinrow.schema.row import Row, fingerprint, to_row
from twinrow.sink import bulk
from twinrow.state.outbox import NO_DIGEST
from twinrow.sync.copy import Copy
from twinrow.sync.load import LOADED
from twinrow.sync.prepare import One, Prepared, prepare

RECORDS_DECODED_AT_ONCE = 250
"""One record that does not fit takes so many others along the general way."""
NO_IMAGE = msgspec.Raw(b"")
_decode_keys = msgspec.json.Decoder(list[dict[str, dict[str, str]]]).decode


class Folded(msgspec.Struct, gc=False):
    """The last record of a key in a batch, and the image before it where it is the only one (see `prepare.fold`)."""

    record: StreamRecord
    before: msgspec.Raw


def fold(records: Sequence[StreamRecord]) -> list[Folded]:
    """The last record of each key, in the order of those; keys are told by their text."""
    folded: dict[bytes, Folded] = {}
    for record in records:
        told = record.dynamodb
        key = bytes(told.keys)
        earlier = folded.pop(key, None)
        folded[key] = Folded(record, told.old_image if earlier is None else NO_IMAGE)
    return list(folded.values())


def can_prepare(records: Sequence[StreamRecord]) -> bool:
    """Whether every record tells its image."""
    return all(one.dynamodb.new_image or one.is_delete for one in records)


class RecordPreparer:
    """Makes batches of one table's stream ready; its decoder is made anew when the schema moves on.

    So many rows as `lines_min` decoded at once become lines for LOAD DATA.
    """

    def __init__(self, copy: Copy, lines_min: int = bulk.ROWS_MIN) -> None:
        self._copy = copy
        self._lines_min = lines_min
        self._by_column: tuple[PageDecoder, ColumnDecoder] | None = None
        self._decoder: PageDecoder | None = None
        self._spare: frozenset[str] = frozenset()
        self._kept = copy.settings.link_attribute if copy.settings.linked else None

    def prepare(self, records: Sequence[StreamRecord]) -> Prepared:
        """A batch ready to be written, the schema evolved for it. Raises as `Copy.learn`."""
        copy = self._copy
        folded = fold(records)
        parts = [
            folded[first : first + RECORDS_DECODED_AT_ONCE] for first in range(0, len(folded), RECORDS_DECODED_AT_ONCE)
        ]
        fitting = self._fitting(parts)
        misfits = [one for part, found in zip(parts, fitting, strict=True) if found is None for one in part]
        if misfits and self._learn(misfits):
            fitting = self._fitting(parts)
        ones: dict[bytes, One] = {}
        for part, found in zip(parts, fitting, strict=True):
            for one in self._general(part) if found is None else found:
                # one key in two notations: the change before an echo is not written yet
                hidden = one.echo and one.hash in ones
                ones[one.hash] = msgspec.structs.replace(one, echo=False) if hidden else one
        return Prepared(tuple(ones.values()), tuple(ones), copy.schema.version)

    def _learn(self, misfits: Sequence[Folded]) -> bool:
        """Evolve the schema for these; whether there is a new one."""
        copy, before = self._copy, self._copy.schema
        items = [stream_record.decode_item(one.record.new) for one in misfits if not one.record.is_delete]
        copy.learn(items)
        nothing = null_only(copy.schema, items)
        if not nothing <= self._spare:
            self._spare |= nothing
            self._decoder = None
        return copy.schema is not before

    def _general(self, part: Sequence[Folded]) -> Sequence[One]:
        changes = []
        for one in part:
            before = stream_record.decode_item(one.before) if one.before else None
            changes.append(replace(one.record.change, old=before))
        return prepare(self._copy.settings, self._copy.schema, self._copy.flavour, changes).ones

    def _fitting(self, parts: Sequence[Sequence[Folded]]) -> list[list[One] | None]:
        """Each part ready to be written, or None where it does not fit the decoder."""
        copy = self._copy
        if self._decoder is None or self._decoder.schema is not copy.schema:
            ignored = copy.settings.own - {self._kept}
            self._decoder = PageDecoder(
                copy.schema, copy.flavour, ignored, self._spare, self._kept, copy.settings.deleted_attribute
            )
        return [self._part(self._decoder, part) for part in parts]

    def _part(self, decoder: PageDecoder, part: Sequence[Folded]) -> list[One] | None:
        puts = [one for one in part if not one.record.is_delete]
        found = self._rows(decoder, [one.record.dynamodb.new_image for one in puts])
        echoes = self._echoes(decoder, puts)
        if found is None or echoes is None:
            return None
        rows, links = found
        rows_of = iter(zip(rows, links or [None] * len(rows), echoes, strict=True))
        keys: list[Item] = wire_json.decoded(_decode_keys, _array([one.record.dynamodb.keys for one in part]), list)
        ones = []
        for one, key in zip(part, keys, strict=True):
            if one.record.is_delete:
                key_hash = fingerprint(decoder.schema.keys, key)
                ones.append(_one(one.record, key_hash, key, None, None, echo=False))
            else:
                row, link, echo = next(rows_of)
                ones.append(_one(one.record, row.key, key, row, link, echo=echo))
        return ones

    def _rows(
        self, decoder: PageDecoder, images: Sequence[msgspec.Raw]
    ) -> tuple[list[WritableRow], list[AttributeValue | None]] | None:
        """The rows and links; as lines where they are enough to be loaded."""
        raw = _array(images)
        if len(images) < self._lines_min or not self._copy.writer.local_infile:
            found = decoder.rows_and_kept(raw)
            return None if found is None else (list(found[0]), found[1])
        page = self._columns(decoder).page(raw)
        if page is None:
            return None
        schema, flavour = decoder.schema, self._copy.flavour
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
        """Which images differ in the link only from the one before; without links nothing of ours comes back."""
        told = [number for number, one in enumerate(puts) if one.before] if self._kept else []
        echoes = [False] * len(puts)
        if told:
            before = _array([puts[number].before for number in told])
            after = _array([puts[number].record.dynamodb.new_image for number in told])
            unchanged = decoder.unchanged(before, after)
            if unchanged is None:
                return None
            for number, is_echo in zip(told, unchanged, strict=True):
                echoes[number] = is_echo
        return echoes


def _one(
    record: StreamRecord,
    key_hash: bytes,
    key: Item,
    row: WritableRow | None,
    link: AttributeValue | None,
    *,
    echo: bool,
) -> One:
    return One(
        key_hash, key, "STREAM", None if record.is_delete else record.new, row, "", NO_DIGEST, None, link, echo,
        record.is_delete and record.is_expiry,
        record.dynamodb.approximate_creation_date_time or clock.now(),
    )  # fmt: skip


def _array(parts: Sequence[msgspec.Raw]) -> bytes:
    return b"[" + b",".join(parts) + b"]"
