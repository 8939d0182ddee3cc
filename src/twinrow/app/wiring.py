"""From a configuration to settings, budgets, doors and copies: the first thing that a command builds."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from twinrow import clock
from twinrow import config as configuration
from twinrow.app import protecting
from twinrow.capacity import Capacity
from twinrow.change import PATH_DOT
from twinrow.clock import Stop
from twinrow.config import ColumnConfig, Config, DynamoDBConfig, SourceConfig, TableConfig
from twinrow.errors import ConfigError, ServerState, Transient
from twinrow.mysql import READ_TIMEOUT_S, Connection, MySQL, MySQLError
from twinrow.mysql_error import KNOWN_CODES
from twinrow.retry import back_off_s
from twinrow.schema.column_type import parse_type
from twinrow.schema.naming import NAME_CHARACTERS_MAX, valid_name
from twinrow.schema.table import Override, check_overrides
from twinrow.schema.widening import may_grow
from twinrow.table.settings import ExportSettings, KinesisStream, PendingIndex, Settings

if TYPE_CHECKING:
    # botocore takes longer to import than `twinrow status` may take: imported where it is needed.
    from twinrow.dynamodb import DynamoDB
    from twinrow.entities.row_filter import RowFilter
    from twinrow.entities.table import SplitSettings
    from twinrow.table.context import TableContext

ONE_SHOT_TRIES_MAX = 3
"""A command that ends by itself tries a server that does not answer so often, then says so."""

GIVE_UP_S_MAX = 60.0
"""Such a command waits at most this long for a state of MySQL to end, or after an error that is not known."""

Result = TypeVar("Result")


def read_config(path: Path) -> tuple[Config, list[str]]:
    """The configuration, wholly checked, and what its author should know. Raises ConfigError.

    The tables that its patterns stand for are not in it: see `app.discovery`.
    """
    config = configuration.load(path)
    for table in config.tables:
        protecting.settings_with(config, table, settings_of(table, config.path))
    if config.literal_secret and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        text = f"{path}: others can read the secret in it (chmod 600 {path}, or write ${{TWINROW_HASH_SECRET}} there)"
        return config, [text]
    if not config.literal_password or not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return config, []
    return config, [
        f"{path}: others can read the password in it (chmod 600 {path}, or write ${{MYSQL_PASSWORD}} in its place)",
    ]


def settings_of(table: TableConfig, place: str, *, adopt_links: bool = False) -> Settings:
    """One table's settings with every default resolved. Raises ConfigError for names and overrides without meaning."""
    if not valid_name(table.into_name):
        raise ConfigError(
            f"no MySQL table can have the name {table.into_name!r}: it takes 1 to {NAME_CHARACTERS_MAX} characters, "
            "none of them NUL or above U+FFFF, and no white space at the end",
            where=f"{place}: tables ({table.name})", remedy="set `into`",
        )  # fmt: skip
    return dynamodb_settings_of(table, place, adopt_links=adopt_links)


def dynamodb_settings_of(table: TableConfig, place: str, *, adopt_links: bool = False) -> Settings:
    """The same for what concerns DynamoDB alone, where it does not matter what MySQL makes of the table's name."""
    pending = None
    if table.pending_index is not None:
        index = table.pending_index
        pending = PendingIndex(
            index=index.index,
            attribute=index.attribute,
            marks=tuple(configuration.mark_value(mark) for mark in index.pending),
            done=configuration.mark_value(index.done) if index.done != "" else None,
            deleted=index.deleted,
        )
    return Settings(
        table=table.name,
        into=table.into_name,
        capture=table.capture,
        linked=table.linked,
        link_attribute=table.link_name,
        soft_deletes=table.deletes == "soft",
        soft_ttl_deletes=table.ttl_kind == "soft",
        reconcile_s=table.reconcile_s,
        idle_poll_s=table.idle_poll_s,
        rebuild_rows_max=table.rebuild_rows_max,
        segments=table.segments,
        pending=pending,
        own=table.own,
        adopt_links=adopt_links,
        allow_global=table.allow_global_table_writes,
        overrides=_overrides(table, table.columns, place),
        kinesis=KinesisStream(table.kinesis.stream_arn) if table.kinesis is not None else None,
        row_filter=_row_filter(table, place),
        views=table.views,
        index=tuple((names,) if isinstance(names, str) else tuple(names) for names in table.index),
        split=_split(table, place),
    )


def _row_filter(table: TableConfig, place: str) -> RowFilter | None:
    """`where` of a table, compiled. Raises ConfigError."""
    if table.where is None:
        return None
    from twinrow.config.entities import SEPARATOR_DEFAULT
    from twinrow.entities.row_filter import checked

    left_out = frozenset(attribute for attribute, column in table.columns.items() if column.ignore)
    return checked(table.where, SEPARATOR_DEFAULT, table.own, left_out, f"{place}: tables ({table.name})")


def _split(table: TableConfig, place: str) -> SplitSettings | None:
    """How the table is split, None where it is not. Raises ConfigError that names entity and key."""
    if not table.entities and table.split is None:
        if table.unmatched != "keep":
            raise ConfigError(
                "`unmatched` is set, but there are neither entities nor a split",
                where=f"{place}: tables ({table.name})",
            )
        return None
    for key in ("export", "index", "views"):
        if getattr(table, key):
            raise ConfigError(f"`{key}` is not for a table that is split", where=f"{place}: tables ({table.name})")
    from twinrow.entities.settings import SplitKeys
    from twinrow.entities.split import Around, attributes_of, read_split
    from twinrow.entities.table import SplitSettings

    keys = SplitKeys(separator=table.separator, unmatched=table.unmatched, entities=table.entities, split=table.split)
    around = Around(table.into_name, table.own, _overrides(table, table.columns, place))
    split = read_split(keys, around, f"{place}: tables ({table.name})")
    hidden = {name.partition(PATH_DOT)[0] for name in table.protect} & attributes_of(split)
    if hidden:
        raise ConfigError(
            f"`protect` hides {min(hidden)!r}, at which the rules of the split look",
            where=f"{place}: tables ({table.name})", remedy="use another attribute in `when`",
        )  # fmt: skip
    overrides = {
        known.name: _overrides(table, {**table.columns, **known.columns}, f"{place}: entity {known.name!r}")
        for known in table.entities
        if known.columns
    }
    return SplitSettings(split, keys, overrides)


def _overrides(table: TableConfig, columns: Mapping[str, ColumnConfig], place: str) -> tuple[Override, ...]:
    overrides = []
    for attribute, column in columns.items():
        try:
            kind = parse_type(column.type, column.source) if column.type is not None else None
        except ValueError as error:
            raise ConfigError(str(error), where=f"{place}: tables ({table.name}) columns.{attribute}") from error
        if kind is None and column.source is not None:
            raise ConfigError(
                "`from` is given without a `type`", where=f"{place}: tables ({table.name}) columns.{attribute}",
                remedy='write type = "DATETIME(3)" beside it',
            )  # fmt: skip
        if column.widen and (kind is None or not may_grow(kind)):
            raise ConfigError(
                "`widen` is given, but no value makes that column wider",
                where=f"{place}: tables ({table.name}) columns.{attribute}",
                remedy="take `widen` out; or write it beside a `type` for numbers or texts, or for a DATETIME with "
                '`from = "epoch_s"` or "epoch_ms"',
            )  # fmt: skip
        overrides.append(Override(attribute, column.column, kind, column.ignore, column.widen))
    try:
        check_overrides((), table.own, tuple(overrides))  # against the key: at the start, when it is known
    except ValueError as error:
        raise ConfigError(str(error), where=f"{place}: tables ({table.name}) columns") from error
    return tuple(overrides)


def place_of(config: Config, source: str | None) -> DynamoDBConfig | SourceConfig:
    """Where the tables of a source are; None is `[dynamodb]`."""
    return next((place for place in config.sources if place.name == source), config.dynamodb)


def region_of(config: Config, source: str | None) -> str:
    """The Region of a source."""
    return place_of(config, source).region or config.dynamodb.region


def dynamodb_of(config: Config, source: str | None = None) -> DynamoDB:
    """The door to DynamoDB in a source; nothing is sent yet."""
    from twinrow.dynamodb import DynamoDB
    from twinrow.dynamodb_access import Access

    place = place_of(config, source)
    access = Access(place.profile, place.role_arn, place.external_id) if isinstance(place, SourceConfig) else Access()
    return DynamoDB(region_of(config, source), place.endpoint_url, access)


def mysql_of(config: Config, *, read_timeout_s: float = READ_TIMEOUT_S) -> MySQL:
    """The door to MySQL; nothing is sent yet."""
    return MySQL(config.mysql, config.sync.lease_s, read_timeout_s, config.sync.mysql_connections_max)


def is_loopback(endpoint_url: str | None) -> bool:
    """Whether an endpoint is on this machine: a DynamoDB Local, which has no capacity to spare or to pay for."""
    host = urlsplit(endpoint_url or "").hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def capacity_of(table: TableConfig, endpoint_url: str | None) -> Capacity:
    """The capacity settings of a table at that endpoint."""
    index = table.pending_index.index if table.pending_index is not None else None
    return Capacity(table.read_capacity_max, table.write_capacity_max, is_loopback(endpoint_url), index)


def contexts_of(
    config: Config,
    chosen: Sequence[TableConfig],
    stop: Stop,
    *,
    adopt_links: bool = False,
    accept_tables: frozenset[str] = frozenset(),
    accept_deletes: Mapping[str, int] | None = None,
    rekey: Collection[str] = (),
    mysql: MySQL | None = None,
) -> list[TableContext]:
    """The parts of each table, all tables of a source on the same client; `Table.describe` sets its budgets.

    Each has a stop of its own, which `stop` sets, too.
    """
    from twinrow.table.consent import Consent
    from twinrow.table.context import context_of
    from twinrow.table.table import Table

    doors = {source: dynamodb_of(config, source) for source in {table.source for table in chosen}}
    sink = mysql or mysql_of(config)
    contexts = []
    for table in chosen:
        settings = settings_of(table, config.path, adopt_links=adopt_links)
        settings = protecting.settings_with(config, table, settings)
        dynamodb = protecting.behind(doors[table.source], settings.protection)
        capacity = capacity_of(table, dynamodb.endpoint_url)
        settings = replace(settings, capacity=capacity, workers=config.sync.workers, export=_export_of(table, config))
        if settings.kinesis is not None:
            settings = replace(settings, kinesis=replace(settings.kinesis, endpoint_url=config.kinesis.endpoint_url))
        consent = Consent(accept_tables, (accept_deletes or {}).get(table.name), rekey=table.name in rekey)
        contexts.append(context_of(Table(settings, dynamodb, sink, Stop(within=stop)), consent))
    return contexts


def _export_of(table: TableConfig, config: Config) -> ExportSettings | None:
    """Where exports of the table go; None where none are asked for."""
    export = table.export
    if export is None:
        return None
    return ExportSettings(
        export.bucket, export.prefix, export.kms_key, export.bucket_owner, config.s3.region, config.s3.endpoint_url,
        first_copy=table.first_copy == "export", gap_fill=table.gap_fill or "auto",
    )  # fmt: skip


def few_tries(work: Callable[[], Result]) -> Result:
    """Run `work`, again after a trouble that passes, ONE_SHOT_TRIES_MAX times in all; then the trouble is the error.

    A state of MySQL (read-only, offline, no connection free) is waited for longer: GIVE_UP_S_MAX.
    """
    stop, began, tried = Stop(), clock.monotonic(), 0
    while True:
        tried += 1
        try:
            return work()
        except ServerState:
            if clock.monotonic() - began > GIVE_UP_S_MAX:
                raise
        except Transient:
            if tried >= ONE_SHOT_TRIES_MAX:
                raise
        stop.wait(back_off_s(tried))


def connect(mysql: MySQL) -> Connection:
    """A session for a command that ends by itself. Raises TwinrowError when MySQL does not answer in a few tries.

    An error of MySQL that is not known is waited for as its states are.
    """

    def work() -> Connection:
        try:
            return mysql.connect()
        except MySQLError as error:
            if error.code in KNOWN_CODES:
                raise
            raise ServerState(error.what, where=error.where) from error

    return few_tries(work)
