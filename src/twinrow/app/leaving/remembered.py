"""Tables that the configuration names no more: what MySQL remembers of them is enough to leave them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace

from twinrow.app.wiring import connect
from twinrow.config import Config, PendingIndexConfig, TableConfig
from twinrow.errors import ConfigError
from twinrow.mysql import MySQL
from twinrow.state import meta, tables
from twinrow.state.tables import Registered
from twinrow.table_description import SOURCE_MARK


def with_remembered(config: Config, mysql: MySQL, names: Iterable[str]) -> Config:
    """The configuration with the tables of these names that have a copy. Raises ConfigError, and as MySQL does."""
    missing = set(names) - {table.name for table in config.tables}
    if not missing:
        return config
    with closing(connect(mysql)) as session:
        known = tables.load_all(session) if meta.check_version(session) else []
    more = [table_of(config, copied) for copied in known if copied.table_name in missing]
    return replace(config, tables=(*config.tables, *more))


def table_of(config: Config, copied: Registered) -> TableConfig:
    """The settings of a table that leaving reads, as they were when it was copied last. Raises ConfigError."""
    before, name = copied.settings, copied.table_name
    source = next((place.name for place in config.sources if name.startswith(f"{place.name}{SOURCE_MARK}")), None)
    if before.get("protection") is not None or (SOURCE_MARK in name and source is None):
        raise ConfigError(
            f"table {name!r} is not in the configuration, and cannot be left without its rules or its source",
            where=config.path, remedy="put its part back, or name the file that has it with -c FILE",
        )  # fmt: skip
    attribute = before["link_attribute"]  # the default is named there also where nothing was linked
    mark, index = before.get("mark"), None
    if mark is not None:
        values = [json.loads(value) for value in before.get("marks") or ()]
        # of a number the text is kept, and is compared as text
        pending = [value["S"] if "S" in value else json.loads(value["N"]) for value in values]
        index = PendingIndexConfig(index=mark[0], attribute=mark[1], pending=pending, deleted=before.get("deleted"))
    return TableConfig(
        name=name, into=copied.into_table, capture="pending-index" if index is not None else "scan", source=source,
        link=bool(before["linked"]), link_attribute=attribute if attribute in before["own"] else None,
        pending_index=index,
    )  # fmt: skip
