"""`_twinrow_deferred`: columns that must come or grow before rows already written show what they hold in extra.

An entry is made in the transaction that writes such rows. It goes when a walk over the table has rebuilt their cells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from twinrow.decode.kind import Kind
from twinrow.errors import Reason
from twinrow.mysql import Connection
from twinrow.schema.column_type import ColumnType
from twinrow.schema.widening import both
from twinrow.state.tables import commands_of

WHY_CHARACTERS_MAX: Final = 2_000
EVERY: Final = ""
"""Stands for every attribute (DynamoDB has none without a name): all rows with an extra are looked through once."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(ColumnType).decode


def _hash(attribute: str, entity: str) -> bytes:
    """A name may be longer than an index takes. An entity's name has no NUL."""
    return blake2b((f"{entity}\0{attribute}" if entity else attribute).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Deferred:
    """An attribute that waits for a column of this kind and type, or for the walk that comes after it.

    `commands`: what a person runs, where it waits for a person. `rows` counts writes of such rows: a row written twice
    counts twice. `age_s` is by MySQL's clock. Rows up to the id `walked_to` are rebuilt already. `entity`: whose table
    it is, in a split.
    """

    attribute: str
    kind: Kind
    type: ColumnType
    age_s: float
    why: str
    rows: int
    walked_to: int
    commands: tuple[str, ...] = ()
    entity: str = ""


_SELECT: Final = (
    "SELECT table_name, attribute, kind, wanted, UNIX_TIMESTAMP(NOW(6)) - since, why, rows_noted, walked_to, "
    "commands, entity "
    "FROM _twinrow_deferred"
)


def of_table(connection: Connection, table: str) -> list[Deferred]:
    """The columns that are put off in a table, longest first."""
    found = connection.query(f"{_SELECT} WHERE table_name = %s ORDER BY since, attribute_hash", (table,))
    return [_deferred(row) for row in found]


def of_all(connection: Connection) -> dict[str, list[Deferred]]:
    """The columns that are put off, by table."""
    found: dict[str, list[Deferred]] = {}
    for row in connection.query(f"{_SELECT} ORDER BY table_name, since, attribute_hash"):
        found.setdefault(str(row[0]), []).append(_deferred(row))
    return found


def _deferred(row: tuple[Any, ...]) -> Deferred:
    _, attribute, kind, wanted, age_s, why, rows, walked_to, commands, entity = row
    return Deferred(
        attribute, kind, _decode(wanted), max(0.0, float(age_s)), why, int(rows), int(walked_to),
        commands_of(commands), entity or "",
    )  # fmt: skip


def note(
    tx: Connection,
    table: str,
    wanted: Mapping[str, tuple[Kind, ColumnType]],
    rows: Mapping[str, int],
    why: Reason,
    entity: str = "",
) -> None:
    """Enter what the rows of this transaction wait for, under the lease's lock; a walk begins at the first row again.

    An attribute that waits already asks for the least type that holds both.
    """
    known = {deferred.attribute: deferred for deferred in of_table(tx, table) if deferred.entity == entity}
    for attribute, (kind, column_type) in wanted.items():
        earlier = known.get(attribute)
        if earlier is not None:
            kind, column_type = earlier.kind, _both(earlier, kind, column_type)
        tx.execute(
            "INSERT INTO _twinrow_deferred (table_name, attribute_hash, attribute, kind, wanted, since, why, "
            "rows_noted, commands, entity) VALUES (%s, %s, %s, %s, %s, UNIX_TIMESTAMP(NOW(6)), %s, %s, %s, %s) "
            "ON DUPLICATE KEY UPDATE wanted = VALUES(wanted), why = VALUES(why), commands = VALUES(commands), "
            "rows_noted = rows_noted + VALUES(rows_noted), walked_to = 0",
            (
                table, _hash(attribute, entity), attribute, kind, _encode(column_type).decode(),
                why.text[:WHY_CHARACTERS_MAX], rows.get(attribute, 0), json.dumps(why.commands), entity or None,
            ),
        )  # fmt: skip


def _both(earlier: Deferred, kind: Kind, column_type: ColumnType) -> ColumnType:
    if kind != earlier.kind:
        return earlier.type
    try:
        return both(earlier.type, column_type)
    except ValueError:
        return column_type


def walked(tx: Connection, table: str, deferred: Deferred, up_to: int) -> None:
    """Rows up to this id are rebuilt, unless rows were noted anew since `deferred` was read."""
    tx.execute(
        "UPDATE _twinrow_deferred SET walked_to = %s WHERE table_name = %s AND attribute_hash = %s "
        "AND walked_to = %s AND rows_noted = %s",
        (up_to, table, _hash(deferred.attribute, deferred.entity), deferred.walked_to, deferred.rows),
    )


def done(tx: Connection, table: str, deferred: Deferred) -> None:
    """Every row is rebuilt, unless rows were noted anew since `one` was read."""
    tx.execute(
        "DELETE FROM _twinrow_deferred WHERE table_name = %s AND attribute_hash = %s "
        "AND walked_to = %s AND rows_noted = %s",
        (table, _hash(deferred.attribute, deferred.entity), deferred.walked_to, deferred.rows),
    )
