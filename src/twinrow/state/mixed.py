"""`_twinrow_mixed`: attributes that have values of another type than their column, which shows NULL for those.

The transaction that writes such a row notes it. The figures in `status` are counted in the table itself
(`write.mixed`): an item that was updated often counts once, and an item that is gone does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from twinrow.mysql import Connection

REPORTED_SHARE: Final = 0.001
"""Share of an attribute's values; a smaller share that is NULL for its type counts as stray values."""

_decode: Final = msgspec.json.Decoder(dict[str, int]).decode


@dataclass(frozen=True, slots=True)
class Mixed:
    """An attribute: rows noted since the last count, and what that found.

    `values` of the attribute were there at the count, `nulls` of them NULL in SQL for their type; `kinds` tells those
    by type. All are 0 before the first count; `age_s` (by MySQL's clock) is None then.
    """

    attribute: str
    noted: int
    values: int
    nulls: int
    kinds: Mapping[str, int]
    age_s: float | None

    @property
    def reported(self) -> bool:
        """Whether they are too many for strays."""
        return self.nulls > REPORTED_SHARE * self.values


_SELECT: Final = (
    "SELECT table_name, attribute, noted, counted_values, nulls, kinds, UNIX_TIMESTAMP(NOW(6)) - counted_at "
    "FROM _twinrow_mixed"
)


def of_table(connection: Connection, table: str) -> list[Mixed]:
    """The attributes of a table that were noted, in one order."""
    found = connection.query(f"{_SELECT} WHERE table_name = %s ORDER BY attribute_hash", (table,))
    return [_mixed(row) for row in found]


def of_all(connection: Connection) -> dict[str, list[Mixed]]:
    """The attributes of every table that has any."""
    found: dict[str, list[Mixed]] = {}
    for row in connection.query(f"{_SELECT} ORDER BY table_name, attribute_hash"):
        found.setdefault(str(row[0]), []).append(_mixed(row))
    return found


def _mixed(row: tuple[Any, ...]) -> Mixed:
    _, attribute, noted, values, nulls, kinds, age_s = row
    return Mixed(
        attribute, int(noted), int(values), int(nulls), _decode(kinds), None if age_s is None else float(age_s)
    )


def _hash(attribute: str) -> bytes:
    """A name may be longer than an index takes."""
    return blake2b(attribute.encode(), digest_size=16).digest()


def note(tx: Connection, table: str, rows: Mapping[str, int]) -> None:
    """Rows of this transaction show NULL for values of another type: how many, by attribute."""
    tx.execute(
        "INSERT INTO _twinrow_mixed (table_name, attribute_hash, attribute, noted, kinds) VALUES "
        + ", ".join(["(%s, %s, %s, %s, '{}')"] * len(rows))
        + " ON DUPLICATE KEY UPDATE noted = noted + VALUES(noted)",
        [value for attribute, count in rows.items() for value in (table, _hash(attribute), attribute, count)],
    )


def counted(tx: Connection, table: str, entry: Mixed, values: int, kinds: Mapping[str, int]) -> None:
    """Enter a count that began when `entry` was read; an attribute that has no such values any more is forgotten."""
    nulls = sum(kinds.values())
    tx.execute(
        "UPDATE _twinrow_mixed SET noted = noted - %s, counted_values = %s, nulls = %s, kinds = %s, "
        "counted_at = UNIX_TIMESTAMP(NOW(6)) WHERE table_name = %s AND attribute_hash = %s",
        (entry.noted, values, nulls, msgspec.json.encode(dict(kinds)).decode(), table, _hash(entry.attribute)),
    )
    tx.execute(
        "DELETE FROM _twinrow_mixed WHERE table_name = %s AND attribute_hash = %s AND nulls = 0 AND noted = 0",
        (table, _hash(entry.attribute)),
    )


def count_anew(tx: Connection, table: str, attributes: Collection[str]) -> None:
    """The columns of these attributes are others now: what was counted before says nothing of them."""
    for attribute in attributes:
        tx.execute(
            "UPDATE _twinrow_mixed SET counted_at = NULL WHERE table_name = %s AND attribute_hash = %s",
            (table, _hash(attribute)),
        )
