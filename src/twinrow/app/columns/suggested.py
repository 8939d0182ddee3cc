"""`schema --suggest`: the overrides that a copied table would gain by, and their way into the configuration's file."""

from __future__ import annotations

import glob
from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path

from twinrow.app.columns.measured import measured
from twinrow.app.columns.mixed import mixed_columns, override_line
from twinrow.app.setup import files, overriding
from twinrow.app.setup.overriding import OverrideLine
from twinrow.app.setup.suggest import suggestions
from twinrow.app.wiring import dynamodb_of
from twinrow.config import Config, TableConfig
from twinrow.errors import ConfigError, TwinrowError
from twinrow.mysql import Connection
from twinrow.schema.table import TableSchema
from twinrow.state import mixed


@dataclass(frozen=True, slots=True)
class Suggested:
    """The overrides, the rows of the copy that were looked at, and what could not be asked for."""

    lines: tuple[OverrideLine, ...]
    rows: int
    unknown: str = ""


def suggested(config: Config, table: TableConfig, schema: TableSchema, session: Connection) -> Suggested:
    """The overrides for a copied table; attributes for which the configuration has an override are left as they are."""
    counted = tuple(entry for entry in mixed.of_table(session, table.name) if entry.reported)
    of_mixed = [
        override_line(column)
        for column in mixed_columns(schema, counted)
        if not schema.by_attribute[column.attribute].key
    ]
    taken = {line.attribute for line in of_mixed}
    found, rows = measured(session, schema)
    ttl, unknown = _ttl_attribute(config, table)
    others = suggestions([known for known in found if known.attribute not in taken], ttl)
    lines = sorted([*of_mixed, *others], key=lambda line: line.attribute)
    return Suggested(tuple(line for line in lines if line.attribute not in table.columns), rows, unknown)


def _ttl_attribute(config: Config, table: TableConfig) -> tuple[str | None, str]:
    """(the attribute of the table's Time to Live, why it is not known)."""
    try:
        return dynamodb_of(config, table.source).ttl_attribute(table.dynamodb_name), ""
    except TwinrowError as error:  # the other suggestions need the copy alone
        return None, f"the attribute of the table's Time to Live is not known: {error.what}"


def write(config: Config, table: TableConfig, lines: tuple[OverrideLine, ...]) -> tuple[str, list[str]]:
    """Put overrides into the file that has the table's part; (that file, the lines that are new).

    Raises ConfigError where no file has a part of this table (it comes by a pattern), or where its form has no place.
    """
    for name in config.watched or (config.path,):
        for place in sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else [name]:  # noqa: PTH207 - may be absolute
            path = Path(place)
            before = files.read(path)
            text = before.decode("utf-8-sig")
            if overriding.has_table(text, table.name):
                edited, new = overriding.added_to(text, table.name, lines, place)
                if new:
                    files.write(path, ("\ufeff" if before.startswith(BOM_UTF8) else "") + edited, before)
                return place, new
    raise ConfigError(
        f"no [[tables]] part has the name {table.name!r}: a pattern takes that table", where=config.path,
        remedy="write a part for it by hand, with these lines",
    )  # fmt: skip
