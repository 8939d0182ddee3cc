"""What no single setting can tell: tables that collide, marks that no index holds, overrides that contradict."""

from __future__ import annotations

import math

from twinrow.config.settings import ColumnConfig, TableConfig, duration_s
from twinrow.errors import ConfigError


def check_tables(tables: list[TableConfig], place: str) -> None:
    """Raises ConfigError that names the table and its place in the file."""
    if not tables:
        raise ConfigError("names no table", where=place, remedy="add a [[tables]] part")
    seen_names: set[str] = set()
    seen_into: dict[str, str] = {}
    for n, table in enumerate(tables):
        where = f"{place}: tables[{n}] ({table.name})"
        if table.name in seen_names:
            raise ConfigError("the same table is named twice", where=where)
        seen_names.add(table.name)
        folded = table.into_name.casefold()
        if folded in seen_into:
            raise ConfigError(
                f"goes into the same MySQL table as {seen_into[folded]}", where=where, remedy="set `into`"
            )
        seen_into[folded] = table.name
        if folded.startswith("_twinrow_"):
            raise ConfigError("`into` may not begin with _twinrow_", where=where)
        if table.reconcile_every is not None:
            try:
                duration_s(table.reconcile_every)
            except ValueError as error:
                raise ConfigError(f"`reconcile_every`: {error}", where=where) from error
        part = table.traits.part
        if part is not None and getattr(table, part) is None:
            raise ConfigError(f"`capture` is {table.capture}, but there is no [tables.{part}]", where=where)
        _check_pending_index(table, where)
        for attribute, column in table.columns.items():
            _check_column(table, attribute, column, where)


def _check_pending_index(table: TableConfig, where: str) -> None:
    index = table.pending_index
    if index is None:
        return
    if not index.pending:
        raise ConfigError("`pending_index.pending` is empty", where=where, remedy='write pending = ["false"]')
    if len({isinstance(one, str) for one in index.pending}) > 1:
        raise ConfigError("`pending_index.pending` mixes texts and numbers; an index key has one type", where=where)
    numbers = [one for one in (*index.pending, index.done) if not isinstance(one, str)]
    if not all(map(math.isfinite, numbers)):
        raise ConfigError("`pending_index` has a mark that is no number that DynamoDB takes", where=where)
    if len(set(index.pending)) < len(index.pending):
        raise ConfigError("`pending_index.pending` holds the same value twice", where=where)
    if "" in index.pending:
        raise ConfigError("`pending_index.pending` holds an empty text, which no index key can be", where=where)
    if index.done != "" and isinstance(index.done, str) != isinstance(index.pending[0], str):
        raise ConfigError("`pending_index.done` is of another type than `pending`", where=where)
    if index.done in index.pending:
        raise ConfigError("`pending_index.done` is also one of `pending`", where=where)
    if index.attribute == table.link_name:
        raise ConfigError("`link_attribute` and `pending_index.attribute` are the same", where=where)
    if index.deleted is not None and index.deleted in (index.attribute, table.link_name):
        raise ConfigError("`pending_index.deleted` is the mark or the `link_attribute`", where=where)


def _check_column(table: TableConfig, attribute: str, column: ColumnConfig, where: str) -> None:
    if attribute in table.own:
        raise ConfigError(f"`columns.{attribute}`: that attribute is Twinrow's own and is no column", where=where)
    if column.ignore and (column.column or column.type):
        raise ConfigError(f"`columns.{attribute}`: ignored and described at once", where=where)
    if column.column is not None and not 0 < len(column.column) <= 64:
        raise ConfigError(f"`columns.{attribute}.column` has more than 64 characters or none", where=where)
