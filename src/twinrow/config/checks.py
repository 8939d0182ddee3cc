"""Checks over several settings: tables that collide, marks that no index holds, overrides that contradict."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from twinrow.change import PATH_DOT
from twinrow.config.column import ColumnConfig
from twinrow.config.protecting import fault_in
from twinrow.config.settings import DynamoDBConfig, SourceConfig, TableConfig, duration_s
from twinrow.errors import ConfigError

INDEXES_MAX: Final = 32
"""MySQL takes 64 indexes of a table, some of which are a person's own."""
INDEX_ATTRIBUTES_MAX: Final = 8
"""Each has its share of the 3,072 bytes of an index key."""
_ENDPOINT: Final = re.compile(r"https?://[^/\s]", re.IGNORECASE)
IDLE_POLL_S_MAX: Final = 60.0
"""A sync that has read nothing for longer would look as if it did not read at all."""


@dataclass
class Known:
    """The names that are taken: of tables, and of their copies with the table that goes there."""

    names: set[str] = field(default_factory=set)
    copies: dict[str, str] = field(default_factory=dict)

    def add(self, table: TableConfig) -> None:
        """Take the names of a table."""
        self.names.add(table.name)
        self.copies |= {into.casefold(): table.name for into in table.into_names}


def check_table(table: TableConfig, where: str, known: Known) -> None:
    """Check a table by itself and beside those that are known, and add it. Raises ConfigError."""
    if table.name in known.names:
        raise ConfigError("the same table is named twice", where=where)
    folded = table.into_name.casefold()
    if folded in known.copies:
        raise ConfigError(f"goes into the same MySQL table as {known.copies[folded]}", where=where, remedy="set `into`")
    for entity, into in _entity_tables(table).items():
        if into.casefold() in known.copies:
            raise ConfigError(
                f"entity {entity!r}: `into`: {into!r} is also a MySQL table of {known.copies[into.casefold()]}",
                where=where, remedy="set `into`",
            )  # fmt: skip
    if folded.startswith("_twinrow_"):
        raise ConfigError("`into` may not begin with _twinrow_", where=where)
    for name in ("reconcile_every", "lag_alert", "verify_every", "idle_poll_max"):
        if (text := getattr(table, name)) is not None:
            check_duration(name, text, where)
    if (table.idle_poll_s or 0.0) > IDLE_POLL_S_MAX:
        raise ConfigError(f"`idle_poll_max` is at most {IDLE_POLL_S_MAX:g}s", where=where)
    part = table.traits.part
    if part is not None and getattr(table, part) is None:
        raise ConfigError(f"`capture` is {table.capture}, but there is no [tables.{part}]", where=where)
    _check_pending_index(table, where)
    _check_first_copy(table, where)
    _check_gap_fill(table, where)
    _check_index(table, where)
    for attribute, column in table.columns.items():
        _check_column(table, attribute, column, where)
    _check_protection(table, where)
    known.add(table)


def check_duration(key: str, text: str, where: str) -> None:
    """Raise ConfigError for a text that is no duration."""
    try:
        duration_s(text)
    except ValueError as error:
        raise ConfigError(f"`{key}`: {error}", where=where) from error


def _entity_tables(table: TableConfig) -> dict[str, str]:
    """The MySQL tables of a table's entities, by entity."""
    return {entity.name: entity.into or entity.name for entity in table.entities if not entity.ignore}


def check_sources(dynamodb: DynamoDBConfig, sources: Sequence[SourceConfig], place: str) -> None:
    """Check where the tables are. Raises ConfigError."""
    check_endpoint("dynamodb.endpoint_url", dynamodb.endpoint_url, place)
    names: set[str] = set()
    for source in sources:
        where = f"{place}: sources ({source.name})"
        if source.name in names:
            raise ConfigError("two sources have that name", where=where)
        names.add(source.name)
        check_endpoint("endpoint_url", source.endpoint_url, where)
        if source.external_id is not None and source.role_arn is None:
            raise ConfigError("`external_id` is given without `role_arn`", where=where)


def check_endpoint(key: str, endpoint_url: str | None, where: str) -> None:
    """Raise ConfigError for an endpoint that is no address."""
    if endpoint_url is not None and not _ENDPOINT.match(endpoint_url):
        raise ConfigError(f"`{key}` is no address", where=where, remedy="write http://HOST:PORT")


def _check_pending_index(table: TableConfig, where: str) -> None:
    index = table.pending_index
    if index is None:
        return
    if not index.pending:
        raise ConfigError("`pending_index.pending` is empty", where=where, remedy='write pending = ["false"]')
    if len({isinstance(value, str) for value in index.pending}) > 1:
        raise ConfigError("`pending_index.pending` mixes texts and numbers; an index key has one type", where=where)
    numbers = [value for value in (*index.pending, index.done) if not isinstance(value, str)]
    if not all(map(math.isfinite, numbers)):
        raise ConfigError("`pending_index` has a mark that is no number that DynamoDB takes", where=where)
    if len(set(index.pending)) < len(index.pending):
        raise ConfigError("`pending_index.pending` holds the same value twice", where=where)
    if "" in index.pending:
        raise ConfigError("`pending_index.pending` holds an empty text, which no index key can be", where=where)
    if index.done != "" and isinstance(index.done, str) != isinstance(index.pending[0], str):
        raise ConfigError("`pending_index.done` is of another type than `pending`", where=where)
    if index.done in index.pending:
        raise ConfigError("`pending_index.done` is also in `pending`", where=where)
    if index.attribute == table.link_name:
        raise ConfigError("`link_attribute` and `pending_index.attribute` are the same", where=where)
    if index.deleted is not None and index.deleted in (index.attribute, table.link_name):
        raise ConfigError("`pending_index.deleted` is the mark or the `link_attribute`", where=where)


def _check_index(table: TableConfig, where: str) -> None:
    wanted = [(names,) if isinstance(names, str) else tuple(names) for names in table.index]
    if len(wanted) > INDEXES_MAX:
        raise ConfigError(f"`index` asks for {len(wanted)} indexes", where=where, remedy=f"at most {INDEXES_MAX}")
    for names in wanted:
        if not names or "" in names:
            raise ConfigError("`index` has an entry without an attribute", where=where, remedy="name attributes")
        if len(names) > INDEX_ATTRIBUTES_MAX or len(set(names)) < len(names):
            raise ConfigError(
                f"`index`: {', '.join(names)}", where=where,
                remedy=f"name at most {INDEX_ATTRIBUTES_MAX} attributes of an index, each once",
            )  # fmt: skip
        for name in names:
            if name in table.own or (name in table.columns and table.columns[name].ignore):
                raise ConfigError(f"`index` names {name!r}, which has no column", where=where, remedy="take it out")
    if len(set(wanted)) < len(wanted):
        raise ConfigError("`index` has the same entry twice", where=where)


def _check_first_copy(table: TableConfig, where: str) -> None:
    if table.first_copy != "export":
        return
    if table.export is None:
        raise ConfigError(
            "`first_copy` is export, but there is no [tables.export]", where=where, remedy="name a bucket there"
        )
    if not (table.traits.is_whole_log or table.traits.carries_marks):
        raise ConfigError(
            f"`first_copy` is export, but `capture` is {table.capture}: what is written and deleted while the export "
            "is made comes from a stream or a pending index alone",
            where=where, remedy='set capture = "stream" or "pending-index", or first_copy = "scan"',
        )  # fmt: skip


def _check_gap_fill(table: TableConfig, where: str) -> None:
    if table.gap_fill is None:
        return
    if table.export is None:
        raise ConfigError(
            "`gap_fill` is set, but there is no [tables.export]", where=where, remedy="name a bucket there"
        )
    if not table.traits.is_whole_log:
        raise ConfigError(
            f"`gap_fill` is set, but `capture` is {table.capture}: only gaps of a stream are filled by exports",
            where=where, remedy='leave it out, or set capture = "stream"',
        )  # fmt: skip


def _check_column(table: TableConfig, attribute: str, column: ColumnConfig, where: str) -> None:
    if attribute in table.own:
        raise ConfigError(f"`columns.{attribute}`: that attribute is Twinrow's own and is no column", where=where)
    if column.ignore and (column.column or column.type):
        raise ConfigError(f"`columns.{attribute}`: ignored and described at once", where=where)
    if column.column is not None and not 0 < len(column.column) <= 64:
        raise ConfigError(f"`columns.{attribute}.column` has more than 64 characters or none", where=where)


def _check_protection(table: TableConfig, where: str) -> None:
    fault = fault_in(table.protect)
    if fault is not None:
        raise ConfigError(f"`protect.{fault[0]}` is no rule", where=where, remedy=fault[1])
    for name in table.attributes or ():
        if PATH_DOT in name:
            raise ConfigError(
                f"`attributes` has the path {name!r}: it takes whole attributes", where=where,
                remedy="name the attribute, and leave parts of it out by [tables.protect]",
            )  # fmt: skip
    for name in sorted(table.protect.keys() & table.own):
        raise ConfigError(
            f"`protect.{name}`: that attribute is Twinrow's own and is never copied", where=where, remedy="remove it"
        )
