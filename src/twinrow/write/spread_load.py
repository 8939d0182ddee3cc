"""The fast way of a first copy, for a split: a page is parted by the rules, and each part is made into loaded rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from twinrow.capture.pages import Page
from twinrow.change import Item
from twinrow.decode.by_column import ColumnDecoder
from twinrow.decode.compiled import PageDecoder, nameable, null_only
from twinrow.entities.settings import from_json
from twinrow.entities.split import Around, attributes_of, read_split
from twinrow.entities.table import EntitySchema, SplitSettings
from twinrow.flavour import Flavour
from twinrow.mysql import Connection
from twinrow.schema.load_text import cell_text, lines
from twinrow.schema.table import TableSchema
from twinrow.sink import bulk
from twinrow.state import directory, entity
from twinrow.table import spread
from twinrow.table.catalogue import Catalogue
from twinrow.table.context import TableContext
from twinrow.write.load import LOADED, Loader, ReadPage

if TYPE_CHECKING:
    from twinrow.write.load import Text

SAVEPOINT: Final = "twinrow_spread"
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class SpreadPlan:
    """The rules and tables by which pages are parted: `keys` as they are kept beside the copy."""

    keys: str
    schemas: tuple[EntitySchema, ...]

    @cached_property
    def catalogue(self) -> Catalogue:
        """The tables with their rules."""
        keys = from_json(self.keys)
        split = read_split(keys, Around(self.schemas[0].into), "the copy", reads_dynamodb=True)
        return spread.catalogue_of(SplitSettings(split, keys, {}), self.schemas)

    @cached_property
    def looked_at(self) -> frozenset[str]:
        """The attributes at which the rules look."""
        return attributes_of(read_split(from_json(self.keys), Around("rest"), "the copy", reads_dynamodb=True))


@dataclass(frozen=True, slots=True)
class EntityRows:
    """Rows of an entity: fingerprints and lines, row by row. `in_extra`: see `LoadText`."""

    keys: Sequence[bytes]
    lines: Sequence[str]
    in_extra: int


@dataclass(frozen=True, slots=True)
class SpreadText:
    """The rows of a page by entity, each as LOAD DATA takes it behind the id of the row."""

    schema_version: int
    parts: Mapping[str, Sequence[EntityRows]]

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.fingerprints())

    @property
    def in_extra(self) -> int:
        """Rows of which some value stands exactly only in extra."""
        return sum(part.in_extra for parts in self.parts.values() for part in parts)

    @property
    def size(self) -> int:
        """The length of the rows, in characters."""
        return sum(len(line) for parts in self.parts.values() for part in parts for line in part.lines)

    def fingerprints(self) -> list[bytes]:
        """The fingerprints of all rows."""
        return [key for parts in self.parts.values() for part in parts for key in part.keys]


class SpreadMaker:
    """Parts pages, and makes each part into rows ready to be loaded, by a plan."""

    def __init__(
        self, plan: SpreadPlan, flavour: Flavour, ignored: frozenset[str], spare: frozenset[str], deleted: str | None
    ) -> None:
        self._plan = plan
        self._place = plan.catalogue.place
        self._decoders = {
            schema.entity: ColumnDecoder(
                PageDecoder(schema.without_parts, flavour, ignored, spare  , deleted=deleted), LOADED
            )
            for schema in plan.schemas
        }  # fmt: skip
        self._schemas = {schema.entity: schema for schema in plan.schemas}
        self._heads = _head_decoder(plan.looked_at)

    def make(self, raw: bytes) -> SpreadText | None:
        """The rows of a page; None when it is for `apply`."""
        try:
            items = _ITEMS.decode(raw)
            heads = self._heads(raw)
        except (msgspec.DecodeError, ValueError):
            return None
        grouped: dict[str, tuple[list[msgspec.Raw], list[Item]]] = {}
        for item, head in zip(items, heads, strict=True):
            place = self._place(head)
            if place.value is not None or place.letter:
                return None
            if place.schema is not None:
                raws, own = grouped.setdefault(place.schema.entity, ([], []))
                raws.append(item)
                own.append(head)
        parts = {}
        for name, (raws, own) in grouped.items():
            part = self._part(self._schemas[name], raws, own)
            if part is None:
                return None
            parts[name] = (part,)
        return SpreadText(self._plan.catalogue.version, parts)

    def _part(self, schema: EntitySchema, raws: Sequence[msgspec.Raw], heads: Sequence[Item]) -> EntityRows | None:
        found = self._decoders[schema.entity].page(b"[" + b",".join(raws) + b"]")
        if found is None:
            return None
        cells = iter(found.columns)
        texts = iter(zip(*map(schema.part_cells, heads), strict=True)) if schema.derives else iter(())
        columns = [
            (column, [None if cell is None else cell_text(cell) for cell in next(texts)])
            if column.derived
            else (column, next(cells))
            for column in schema.columns
        ]
        in_extra = sum(extra is not None for extra in found.extras or ())
        return EntityRows(
            [bytes.fromhex(key) for key in found.keys], lines(found.keys, columns, found.extras), in_extra
        )


def _head_decoder(names: frozenset[str]) -> Any:
    """Decodes of each item of a page only the attributes at which the rules look."""
    known = nameable(names)
    if len(known) < len(names):
        return msgspec.json.Decoder(list[dict[str, Any]]).decode
    fields = [(f"a{number}", dict[str, Any] | msgspec.UnsetType, msgspec.UNSET) for number in range(len(known))]
    renamed = {f"a{number}": name for number, name in enumerate(known)}
    head = msgspec.defstruct("Head", fields, rename=renamed, gc=False)
    decode = msgspec.json.Decoder(list[head]).decode  # type: ignore[valid-type]
    pairs = [(f"a{number}", name) for number, name in enumerate(known)]

    def heads(raw: bytes) -> list[Item]:
        return [
            {name: value for field, name in pairs if (value := getattr(found, field)) is not msgspec.UNSET}
            for found in decode(raw)
        ]

    return heads


class SpreadLoader(Loader):
    """Loads pages of the first copy of a split."""

    by_processes = False

    def __init__(self, context: TableContext, split: SplitSettings) -> None:
        self._split = split
        self._spare = frozenset[str]()
        self._spread: tuple[Catalogue, SpreadMaker] | None = None
        super().__init__(context)

    def _new_spread(self, spare: frozenset[str]) -> tuple[Catalogue, SpreadMaker]:
        catalogue = self._context.live.catalogue
        plan = SpreadPlan(self._split.kept, tuple(spread.of_entities(catalogue.tables)))
        deleted = self._context.settings.deleted_attribute
        self._spare = spare
        return catalogue, SpreadMaker(plan, self._flavour, self._ignored, spare, deleted)

    def make(self, page: Page) -> ReadPage:
        """A page and its rows, ready to be loaded; without them where it is not to be, or does not fit."""
        if not self.wanted:
            return ReadPage(page)
        known = self._spread
        if known is None or known[0] is not self._context.live.catalogue:
            known = self._spread = self._new_spread(self._spare)
        return ReadPage(page, known[1].make(page.raw))

    def taught(self, items: Sequence[Item]) -> None:
        """`apply` took a page of these: attributes that it knows as NULL only are no reason to refuse the next page."""
        catalogue = self._context.live.catalogue
        found = frozenset[str]().union(
            *(null_only(catalogue.entities[name], part) for name, part in catalogue.grouped(items).items())
        )
        if not found <= self._spare:
            self._spread = self._new_spread(self._spare | found)

    def _joined(self, texts: Sequence[Text]) -> SpreadText:
        spreads = [text for text in texts if isinstance(text, SpreadText)]
        names = dict.fromkeys(name for text in spreads for name in text.parts)
        parts = {name: [part for text in spreads for part in text.parts.get(name, ())] for name in names}
        return SpreadText(spreads[0].schema_version, parts)

    def _put(self, tx: Connection, text: Text) -> bool:
        if not isinstance(text, SpreadText):
            return False
        table, catalogue = self._context.name, self._context.live.catalogue
        numbers = {
            key: catalogue.entities[name].number
            for name, parts in text.parts.items()
            for part in parts
            for key in part.keys
        }
        tx.execute(f"SAVEPOINT {SAVEPOINT}")
        ids = _load_directory(tx, table, numbers)
        if ids is not None and all(
            _load_rows(tx, catalogue.entities[name], parts, ids) for name, parts in text.parts.items()
        ):
            entity.count(tx, table, Counter(numbers.values()), {})
            return True
        tx.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        return False


def _load_directory(tx: Connection, table: str, numbers: Mapping[bytes, int]) -> Mapping[bytes, int] | None:
    """Enter new keys; their ids, or None where a key is there already."""
    highest = directory.highest(tx, table)
    data = "".join(f"{key.hex()}\t{number}\n" for key, number in numbers.items())
    if not bulk.load(tx, directory.load_sql(table, bulk.FORMAT), data.encode(), len(numbers)):
        return None
    ids = directory.above(tx, table, highest)
    return ids if len(ids) == len(numbers) else None


def _load_rows(tx: Connection, schema: TableSchema, parts: Sequence[EntityRows], ids: Mapping[bytes, int]) -> bool:
    rows = [f"{ids[key]}\t{line}" for part in parts for key, line in zip(part.keys, part.lines, strict=True)]
    return bulk.load_text(tx, schema, "".join(rows).encode(), len(rows))
