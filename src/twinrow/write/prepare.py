"""Changes to rows, before any lock: folded to the last of each key, encoded under one schema (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import msgspec

from twinrow.capture.stream_record import decode_item
from twinrow.change import AttributeValue, Change, ChangeKind, Item, Origin
from twinrow.decode.attribute import digest, exact_digest, same
from twinrow.decode.readable import unreadable
from twinrow.flavour import Flavour
from twinrow.schema.load_text import WritableRow
from twinrow.schema.row import Unrepresentable, fingerprint, to_row
from twinrow.schema.table import KeyAttribute, TableSchema
from twinrow.state.outbox import ANY_IMAGE
from twinrow.table.catalogue import REST, Catalogue
from twinrow.table.live_schema import WantedOf
from twinrow.table.settings import Settings

NOTHING: Final[WantedOf] = MappingProxyType({})


class PreparedChange(msgspec.Struct, frozen=True, gc=False):
    """The last change of a key in a batch: a row, or none (a delete), or `unfit` with the reason.

    `item` may be JSON still; `whole` has it decoded.
    `mark` is the pending mark to clear, `link` the link attribute as the image shows it, `echo` that the image differs
    from the image before it in Twinrow's own attributes only; `digest` is ANY_IMAGE where nothing can be owed, or
    any image settles the link.
    `entity` has the table of the row; `lives`: the item is there, and has no row by a rule.
    """

    key_hash: bytes
    key: Item
    origin: Origin
    item: Item | msgspec.Raw | None
    row: WritableRow | None
    unfit: str
    digest: bytes
    mark: AttributeValue | None
    link: AttributeValue | None
    echo: bool
    ttl: bool
    seen_at: float
    entity: str = REST
    lives: bool = False

    @property
    def whole(self) -> Item | None:
        """The item, decoded."""
        return decode_item(self.item) if isinstance(self.item, msgspec.Raw) else self.item

    @property
    def kind(self) -> ChangeKind:
        """The effect on the row; an image that no row can hold was a put."""
        return "DELETE" if self.row is None and not self.unfit else "PUT"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch ready to be written under `schema_version`; `put_off` is what its items asked of that schema in vain."""

    changes: tuple[PreparedChange, ...]
    hashes: tuple[bytes, ...]
    schema_version: int
    put_off: WantedOf


def fold(changes: Sequence[Change], keys: tuple[KeyAttribute, ...]) -> dict[bytes, Change]:
    """The last change of each key. Where there were several, it has no image before, so that the row is written.

    The image before the first of them may equal the last image, although the row differs: a scan or a recheck may have
    met the item between the two.
    """
    folded: dict[bytes, Change] = {}
    for change in changes:
        key_hash = change.key_hash or fingerprint(keys, change.key)
        before = folded.pop(key_hash, None)
        folded[key_hash] = change if before is None else replace(change, old=None)
    return folded


def prepare(
    settings: Settings,
    catalogue: Catalogue,
    flavour: Flavour,
    changes: Sequence[Change],
    put_off: WantedOf = NOTHING,
) -> Prepared:
    """Encode a batch. Never fails for an item: what no row can hold comes back as `unfit`."""
    folded = fold(changes, catalogue.keys)
    made = tuple(_change(settings, catalogue, flavour, key_hash, change) for key_hash, change in folded.items())
    return Prepared(made, tuple(folded), catalogue.version, put_off)


def _change(
    settings: Settings, catalogue: Catalogue, flavour: Flavour, key_hash: bytes, change: Change
) -> PreparedChange:
    item, row, unfit, found = change.item, None, "", ANY_IMAGE
    mark = link = None
    echo = lives = False
    schema = catalogue.rest
    if item is not None:
        place = catalogue.place(item)
        schema = place.schema or schema
        mark, link = settings.mark_of(item), settings.link_of(item)
        shown_again = not settings.traits.tells_every_change  # else any successful link write settles it
        if shown_again and (
            settings.linked or mark is not None
        ):  # only a pending link needs it, and it is a third of this work
            found, unfit = _digest(item, settings, schema)
        else:
            unfit = unreadable(item, schema.left_out)
        echo = not unfit and _is_unchanged(change.old, item, settings)
        # a delete that an image tells is believed only where all of the image can be read, or was read consistently
        without_row = settings.has_no_row(item) or (place.schema is None and not place.letter)
        if without_row and (not unfit or change.origin == "RECHECK"):
            lives = not settings.counts_as_deleted(item)
            item, unfit = None, ""
        elif not unfit and place.letter:
            unfit = place.letter
        elif not unfit:
            try:
                row = to_row(schema, item, flavour, key_hash)
            except Unrepresentable as error:
                unfit = str(error)
    return PreparedChange(
        key_hash, change.key, change.origin, item, row, unfit, found, mark, link, echo, change.ttl,
        change.at, schema.entity, lives,
    )  # fmt: skip


def _digest(item: Item, settings: Settings, schema: TableSchema) -> tuple[bytes, str]:
    """The digest of an image, which reads it at every depth, and why the image cannot be read, if it cannot."""
    try:
        return exact_digest(item, settings.own), ""
    except ValueError:
        return digest(item, settings.own), unreadable(item, schema.left_out)


def _is_unchanged(old: Item | None, item: Item, settings: Settings) -> bool:
    """Whether the image before is known, and differs in Twinrow's own attributes at most."""
    try:
        return old is not None and same(content(old, settings), content(item, settings))
    except ValueError:
        return False  # the image before cannot be read: the row is written


def content(item: Item, settings: Settings) -> Item:
    """The item without Twinrow's own attributes."""
    return {name: value for name, value in item.items() if name not in settings.own}
