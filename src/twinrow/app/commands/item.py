"""`twinrow item`: items rebuilt from rows alone."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twinrow.app.options import ConfigOption, TableArgument, load_config
from twinrow.app.terminal import out_json, say
from twinrow.change import without_seal
from twinrow.errors import ConfigError, TwinrowError

if TYPE_CHECKING:
    from twinrow.change import Item
    from twinrow.mysql import Connection
    from twinrow.protect.guard import TableProtection
    from twinrow.schema.table import TableSchema

ROWS_A_PAGE = 200
"""An item may have 400 KB: a page of rows stays below 100 MB."""


def item(
    table: TableArgument,
    config: ConfigOption = None,
    row_id: Annotated[int | None, typer.Option("--row-id", help="The item of this row.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="The item of this key, in DynamoDB JSON.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All items in row_id order, as JSON lines.")] = False,
    entity: Annotated[
        str | None, typer.Option("--entity", help='Items of this entity of a split alone; "" is the rest.')
    ] = None,
) -> None:
    """Print the item in DynamoDB JSON, rebuilt from its row alone, without Twinrow's own attributes.

    Protected attributes are as their row has them; --key takes the key as DynamoDB has it. Soft-deleted rows are not
    items. Exit code 1 when there is no such item.

    \b
    Example:
      twinrow item reviews --row-id 4711
      twinrow item reviews --key '{"username":{"S":"ann"},"reviewed_at":{"S":"2025-03-01"}}'
      twinrow item reviews --all > reviews.jsonl
    """
    from twinrow.app.protecting import protection_of
    from twinrow.app.wiring import connect, mysql_of
    from twinrow.verify.reading import schemas_of

    if (row_id is not None) + (key is not None) + every != 1:
        raise ConfigError("say which item: --row-id N, --key JSON or --all")
    if row_id is not None and not 0 <= row_id < 2**64:
        raise ConfigError(f"--row-id {row_id} is no row id")
    loaded = load_config(config)
    (chosen,) = loaded.chosen([table])
    with closing(connect(mysql_of(loaded))) as session:
        schemas = _chosen(schemas_of(session, chosen.name), entity)
        protection = protection_of(loaded, chosen)
        if protection is not None:
            say(f"{table}: attributes are protected, so these items are as MySQL has them, not as DynamoDB has them")
        if every:
            for found in items(session, schemas):
                out_json(found)
            return
        if row_id is not None:
            found = _by_row_id(session, schemas, row_id)
        else:
            found = _by_key(session, schemas, key or "", protection)
    out_json(found)


def _chosen(schemas: tuple[TableSchema, ...], entity: str | None) -> tuple[TableSchema, ...]:
    """The schemas of an entity, or all. Raises ConfigError for an entity that the copy has not."""
    chosen = tuple(schema for schema in schemas if entity in (None, schema.entity))
    if not chosen:
        names = ", ".join(schema.entity or '""' for schema in schemas)
        raise ConfigError(f"table {schemas[0].table} has no entity {entity!r}", remedy=f"its copy has: {names}")
    return chosen


def items(connection: Connection, schemas: Sequence[TableSchema]) -> Iterator[Item]:
    """Every item in row_id order, a page of rows of each table in memory at a time."""
    rows = heapq.merge(*(_rows(connection, schema) for schema in schemas), key=itemgetter(0))
    return (found for _, found in rows)


def _rows(connection: Connection, schema: TableSchema) -> Iterator[tuple[int, Item]]:
    from twinrow.sink import statements

    after = 0
    sql = statements.select_rows(schema, f"`row_id` > %s ORDER BY `row_id` LIMIT {ROWS_A_PAGE}")
    while page := connection.query(sql, (after,)):
        after = page[-1][0]
        for row in page:
            if not row[2]:
                yield row[0], _item(schema, row)


def _by_row_id(connection: Connection, schemas: Sequence[TableSchema], row_id: int) -> Item:
    return _only(connection, schemas, "`row_id` = %s", row_id, f"row_id {row_id}")


def _by_key(
    connection: Connection, schemas: Sequence[TableSchema], text: str, protection: TableProtection | None
) -> Item:
    from twinrow.schema.row import fingerprint

    schema = schemas[0]
    wanted = " and ".join(f"{key.name} ({key.kind})" for key in schema.keys)
    try:
        key = json.loads(text)
        if not isinstance(key, dict) or not all(isinstance(value, dict) for value in key.values()):
            raise TypeError('each attribute needs its type, as in {"S": "text"}')
        key_hash = fingerprint(schema.keys, key if protection is None else _hidden(protection, schema, key))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"--key is not a key of {schema.table}: {error}", remedy=f"DynamoDB JSON of {wanted}"
        ) from error
    return _only(connection, schemas, "`_twinrow_key` = %s", key_hash, f"key {text}")


def _hidden(protection: TableProtection, schema: TableSchema, key: Item) -> Item:
    """The real key as rows have it."""
    kinds = tuple((attribute.name, next(iter(key.get(attribute.name, {})), "")) for attribute in schema.keys)
    return protection.guard(kinds).item(key)


def _only(connection: Connection, schemas: Sequence[TableSchema], where: str, value: int | bytes, what: str) -> Item:
    """The item of the live row that is so, in whichever table it stands."""
    from twinrow.sink import statements

    kept = False
    for schema in schemas:
        for row in connection.query(statements.select_rows(schema, where), (value,)):
            if not row[2]:
                return _item(schema, row)
            kept = True
    deleted = ": the item is deleted, its row is kept" if kept else ""
    raise TwinrowError(f"no item with {what}{deleted}", where=f"table {schemas[0].table}")


def _item(schema: TableSchema, row: tuple[Any, ...]) -> Item:
    from twinrow.schema.row import to_item

    try:
        found = to_item(schema, row[5:], row[4])
    except ValueError as error:
        raise TwinrowError(
            f"row {row[0]} was changed by hand: {error}", where=f"table {schema.table}",
            remedy=f"twinrow repair {schema.table} --execute",
        ) from error  # fmt: skip
    return without_seal(found) if schema.keys[0].sealed else found
