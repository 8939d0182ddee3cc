"""From a configuration to the next step of a sync that runs: tables begin, end, and begin anew (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from twinrow.app.many import named
from twinrow.app.wiring import place_of, region_of
from twinrow.config import Config, MySQLConfig, TableConfig
from twinrow.errors import ConfigError

Recipe = tuple[Any, ...]
"""All settings that a run is begun with: where they differ, the run begins anew."""


@dataclass(frozen=True, slots=True)
class Begun:
    """With which settings a table's last run was begun, and in which round of the configuration."""

    recipe: Recipe
    round: int


@dataclass(frozen=True, slots=True)
class NextStep:
    """Tables that end, and tables that begin; a table that begins anew has to end first."""

    end: tuple[str, ...]
    begin: tuple[str, ...]


def recipe_of(config: Config, table: TableConfig) -> Recipe:
    """The settings of a table and of its source; those that a run does not read are left out."""
    own = msgspec.structs.replace(table, lag_alert=None, verify_every=None)
    export = config.s3 if table.export is not None else None
    kinesis = config.kinesis if table.kinesis is not None else None
    secret = config.secret if table.protect or table.attributes is not None else None
    return own, place_of(config, table.source), region_of(config, table.source), export, kinesis, secret


def recipes_of(config: Config, tables: Iterable[TableConfig]) -> dict[str, Recipe]:
    """The same for several tables, by name."""
    return {table.name: recipe_of(config, table) for table in tables}


def changes(
    wanted: Mapping[str, Recipe], begun: Mapping[str, Begun], running: Collection[str], now_round: int
) -> NextStep:
    """The next step from the runs of this process to the tables that are wanted.

    A table that has ended by itself, because it broke or was refused, is left alone until its settings are others or
    the configuration is read again: somebody may have mended it by then.
    """
    end = tuple(name for name in sorted(running) if name not in wanted or begun[name].recipe != wanted[name])
    begin = tuple(
        name
        for name, recipe in wanted.items()
        if name not in running and (name not in begun or begun[name].recipe != recipe or begun[name].round < now_round)
    )
    return NextStep(end, begin)


def in_words(wanted: Mapping[str, Recipe], begun: Mapping[str, Begun], running: Collection[str]) -> str:
    """The changes that a new configuration brings, for the log; empty where it brings none."""
    anew = [name for name in wanted if name in running and begun[name].recipe != wanted[name]]
    parts = {
        "new": [name for name in wanted if name not in begun],
        "no longer copied": [name for name in sorted(running) if name not in wanted],
        "with other settings": anew,
        "tried again": [name for name in wanted if name in begun and name not in running],
    }
    return "; ".join(f"{what}: {named(names)}" for what, names in parts.items() if names)


def refuse_restart(before: Config, after: Config) -> None:
    """Raise ConfigError where the difference is in what a process has once, and cannot change while it runs.

    The login and the TLS of MySQL may change: the next sessions use them.
    """
    parts = {
        "the server or the database of `mysql.url`": (_database(before.mysql), _database(after.mysql)),
        "[sync] lease_s": (before.sync.lease_s, after.sync.lease_s),
    }
    changed = [name for name, (old, new) in parts.items() if old != new]
    if changed:
        raise ConfigError(
            f"{' and '.join(changed)} changed, which a running sync cannot take", where=after.path,
            remedy="restart the sync, or set it back",
        )  # fmt: skip


def _database(mysql: MySQLConfig) -> MySQLConfig:
    """The settings that say where the copies are, without those of the login and of TLS."""
    return replace(MySQLConfig(mysql.host, mysql.port, "", "", mysql.database), unix_socket=mysql.unix_socket)
