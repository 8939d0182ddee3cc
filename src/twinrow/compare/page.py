"""A page of items against its rows at the speed of a scan: most are equal, and a digest made by the server tells which.

The server digests what it has stored, this side what it should have stored; the few rows whose digests differ are
looked at by `Comparer`, which alone says what is a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twinrow.capture.pages import Page
from twinrow.change import Item
from twinrow.compare.items import KEYS_A_QUERY_MAX, Comparer, Difference
from twinrow.decode.by_column import ColumnDecoder, Form
from twinrow.decode.compiled import PageDecoder, null_only
from twinrow.mysql import Connection
from twinrow.schema.column_text import printed_texts
from twinrow.schema.naming import quote
from twinrow.schema.printed import DIGEST_HEX, digest_sql, page_digests, printer
from twinrow.schema.row import FINGERPRINT_BYTES
from twinrow.table.settings import Settings

KEY_AND_DIGEST_HEX = 2 * FINGERPRINT_BYTES + DIGEST_HEX

OnRow = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Compared:
    """How many items a page has (those that count as deleted are none), and what differs."""

    items: int
    found: list[Difference]


class PageComparer:
    """Compares pages for one `Comparer`."""

    def __init__(self, connection: Connection, comparer: Comparer, settings: Settings) -> None:
        self.comparer = comparer
        self._connection = connection
        self._settings = settings
        flavour = connection.flavour
        self._form = Form(
            lambda column: printed_texts(column, flavour), lambda column: printer(column.type, flavour)
        )  # fmt: skip
        self._select = (
            f"SELECT GROUP_CONCAT(LOWER(HEX(_twinrow_key)), {digest_sql(comparer.schema, connection.flavour)}, row_id) "
            f"FROM {quote(comparer.schema.into)} WHERE _twinrow_deleted_at IS NULL AND _twinrow_key IN "
        )
        self._new_decoder(frozenset())

    def _new_decoder(self, spare: frozenset[str]) -> None:
        settings = self._settings
        link = settings.link_attribute if settings.linked else None
        decoder = PageDecoder(
            self.comparer.schema, self._connection.flavour, settings.own - {link}, spare, link,
            settings.deleted_attribute,
        )  # fmt: skip
        self._spare = spare
        self._decoder = ColumnDecoder(decoder, self._form)

    def page(self, page: Page, on_row: OnRow) -> Compared:
        """Compare a page of any kind; `on_row` is called with the id of each row that an item has."""
        found = self.fitting_page(page, on_row)
        return self.odd_page(page, on_row) if found is None else found

    def odd_page(self, page: Page, on_row: OnRow) -> Compared:
        """Compare a page that does not fit, item by item."""
        items = page.items
        spare = null_only(self.comparer.schema, items)
        if not spare <= self._spare:  # attributes that are NULL are no reason to refuse the next page
            self._new_decoder(spare | self._spare)
        found = self.comparer.page(items, lambda row: on_row(row.row_id))
        return Compared(sum(self._has_row(item) for item in items), found)

    def _has_row(self, item: Item) -> bool:
        place = self.comparer.catalogue.place(item)
        return not self._settings.has_no_row(item) and (place.schema is not None or bool(place.letter))

    def fitting_page(self, page: Page, on_row: OnRow) -> Compared | None:
        """Compare a page that fits the schema: it teaches nothing, and none of its items counts as deleted."""
        made = None if self.comparer.catalogue.is_split else self._decoder.page(page.raw)
        if made is None:
            return None
        stored = self._stored(made.keys)
        digests = page_digests(made.columns, made.extras, len(made.keys))
        row_ids = [stored.get(key + digest) for key, digest in zip(made.keys, digests, strict=True)]
        odd = []
        for number, row_id in enumerate(row_ids):
            if row_id is not None and (not self._settings.linked or made.kept[number] == {"N": row_id}):
                on_row(int(row_id))
            else:
                odd.append(number)
        if not odd:
            return Compared(len(row_ids), [])
        items = page.items
        return Compared(
            len(row_ids), self.comparer.page([items[number] for number in odd], lambda row: on_row(row.row_id))
        )

    def _stored(self, keys: Sequence[str]) -> dict[str, str]:
        """The row ids of the live rows of these fingerprints, by fingerprint and digest, all as text."""
        found: dict[str, str] = {}
        for first in range(0, len(keys), KEYS_A_QUERY_MAX):
            # as hexadecimal literals: half the time of a parameter each
            listed = "',x'".join(keys[first : first + KEYS_A_QUERY_MAX])
            listing = self._connection.query(f"{self._select}(x'{listed}')")[0][0]
            for text in listing.split(",") if listing else ():
                found[text[:KEY_AND_DIGEST_HEX]] = text[KEY_AND_DIGEST_HEX:]
        return found
