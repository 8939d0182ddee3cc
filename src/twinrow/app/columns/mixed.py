"""Columns of which many values are NULL for their type, and the override that would show them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from twinrow.app.setup.overriding import OverrideLine, toml_key
from twinrow.schema.table import TableSchema
from twinrow.state.mixed import Mixed

TEXT_SHOWS = frozenset({"S", "N", "BOOL"})
"""Kinds that a person reads in a text column as they are; beside others JSON tells more."""


@dataclass(frozen=True, slots=True)
class MixedColumn:
    """An attribute with values of other types than its column's: `nulls` of its `values` are NULL in SQL for that.

    `kinds` counts those by DynamoDB type, as of the count `age_s` seconds ago. `override` is a line for the table's
    entry in twinrow.toml under which all of them show.
    """

    attribute: str
    column: str
    type: str
    values: int
    nulls: int
    kinds: dict[str, int]
    age_s: float
    override: str

    @property
    def wanted(self) -> str:
        """The type of the override."""
        return str(json.loads(self.override.rpartition(" = ")[2]))


def mixed_columns(schema: TableSchema, known: tuple[Mixed, ...]) -> tuple[MixedColumn, ...]:
    """The report on these attributes; attributes without a column are reported elsewhere."""
    return tuple(_mixed_column(schema, entry) for entry in known if entry.attribute in schema.by_attribute)


def _mixed_column(schema: TableSchema, entry: Mixed) -> MixedColumn:
    column = schema.by_attribute[entry.attribute]
    kinds = {*entry.kinds, column.kind}
    wanted = "MEDIUMTEXT" if kinds <= TEXT_SHOWS else "JSON"
    return MixedColumn(
        entry.attribute, column.column, column.kind, entry.values, entry.nulls, dict(sorted(entry.kinds.items())),
        round(max(0.0, entry.age_s or 0.0), 3), f'columns.{toml_key(entry.attribute)}.type = "{wanted}"',
    )  # fmt: skip


def override_line(column: MixedColumn) -> OverrideLine:
    """The override as `schema --suggest` prints and writes it."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in column.kinds.items())
    why = f"{column.nulls:,} of {column.values:,} values are NULL in SQL, being of another type: {kinds}"
    return OverrideLine(column.attribute, (("type", column.wanted),), why)


def sentence(column: MixedColumn) -> str:
    """A column in words."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in column.kinds.items())
    return (
        f"`{column.attribute}` is NULL for {column.nulls:,} of {column.values:,} values: their type ({kinds}) is not "
        f"that of the column ({column.type}); extra has them exactly. An override shows them: {column.override}"
    )
