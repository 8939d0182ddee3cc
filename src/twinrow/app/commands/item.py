"""`twinrow item`: items rebuilt from rows alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
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
    from twinrow.verify.reading import schema_of

    if (row_id is not None) + (key is not None) + every != 1:
        raise ConfigError("say which item: --row-id N, --key JSON or --all")
    if row_id is not None and not 0 <= row_id < 2**64:
        raise ConfigError(f"--row-id {row_id} is no row id")
    loaded = load_config(config)
    (chosen,) = loaded.chosen([table])
    with closing(connect(mysql_of(loaded))) as session:
        schema = schema_of(session, chosen.name)
        protection = protection_of(loaded, chosen)
        if protection is not None:
            say(f"{table}: attributes are protected, so these items are as MySQL has them, not as DynamoDB has them")
        if every:
            for found in items(session, schema):
                out_json(found)
            return
        if row_id is not None:
            found = _by_row_id(session, schema, row_id)
        else:
            found = _by_key(session, schema, key or "", protection)
    out_json(found)


def items(connection: Connection, schema: TableSchema) -> Iterator[Item]:
    """Every item in row_id order, a page of rows in memory at a time."""
    from twinrow.sink import statements

    after = 0
    sql = statements.select_rows(schema, f"`row_id` > %s ORDER BY `row_id` LIMIT {ROWS_A_PAGE}")
    while page := connection.query(sql, (after,)):
        after = page[-1][0]
        for row in page:
            if not row[2]:
                yield _item(schema, row)


def _by_row_id(connection: Connection, schema: TableSchema, row_id: int) -> Item:
    from twinrow.sink import statements

    return _only(
        connection.query(statements.select_rows(schema, "`row_id` = %s"), (row_id,)), schema, f"row_id {row_id}"
    )


def _by_key(connection: Connection, schema: TableSchema, text: str, protection: TableProtection | None) -> Item:
    from twinrow.schema.row import fingerprint
    from twinrow.sink import statements

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
    return _only(
        connection.query(statements.select_rows(schema, "`_twinrow_key` = %s"), (key_hash,)), schema, f"key {text}"
    )


def _hidden(protection: TableProtection, schema: TableSchema, key: Item) -> Item:
    """The real key as rows have it."""
    kinds = tuple((attribute.name, next(iter(key.get(attribute.name, {})), "")) for attribute in schema.keys)
    return protection.guard(kinds).item(key)


def _only(rows: list[tuple[Any, ...]], schema: TableSchema, what: str) -> Item:
    live = [row for row in rows if not row[2]]
    if not live:
        deleted = ": the item is deleted, its row is kept" if rows else ""
        raise TwinrowError(f"no item with {what}{deleted}", where=f"table {schema.table}")
    return _item(schema, live[0])


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
