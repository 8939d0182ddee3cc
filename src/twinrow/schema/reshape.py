"""Changed overrides of a copy: which columns are renamed, which are filled anew beside the old ones (pure).

A new type, and an attribute that is left out from now on, change cells or extra of rows that are there. Such rows are
rebuilt from themselves, in columns of their own (`Shadow`) and an extra of their own, and a single ALTER puts these in
the place of the old columns. Everything else is applied at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from twinrow.decode.kind import Kind
from twinrow.schema.cell import holds, made_for
from twinrow.schema.column_type import BIGINT, ColumnType, least, on_ladder, settled
from twinrow.schema.naming import column_name
from twinrow.schema.table import Column, Override, Reshape, Shadow, TableSchema
from twinrow.schema.widening import rung

WORKING_NAME: Final = "_twinrow_new_"
NEW_EXTRA: Final = "_twinrow_new_extra"
_FALLBACK: Final[Kind] = "S"
_NO_VALUE: Final = {"M": {}, "L": [], "SS": [], "NS": [], "BS": [], "S": "", "B": "", "BOOL": False}


@dataclass(frozen=True, slots=True)
class Transition:
    """The way from a copy's overrides to others.

    `schema` is what counts at once; its `reshape` is what then goes on beside the other work. `renames` are (column
    now, name to come). `fetched` are attributes whose values are in DynamoDB alone.
    """

    schema: TableSchema
    renames: tuple[tuple[str, str], ...]
    fetched: tuple[str, ...]


def same_overrides(first: Iterable[Override], other: Iterable[Override]) -> bool:
    """Whether two sets of overrides are the same, in whatever order."""
    return {override.attribute: override for override in first} == {override.attribute: override for override in other}


def plan(schema: TableSchema, overrides: tuple[Override, ...]) -> Transition:
    """The way from the schema of a copy to these overrides. A `reshape` that is under way does not count."""
    before = replace(schema, reshape=None)
    after = {override.attribute: override for override in overrides}
    columns = {column.attribute: column for column in before.columns}
    renames, fetched, left_out = list[tuple[str, str]](), list[str](), list[str]()
    shadows: list[Shadow] = []
    for attribute in sorted(before.override_of.keys() | after.keys()):
        old, new = before.override_of.get(attribute, Override(attribute)), after.get(attribute, Override(attribute))
        column = columns.get(attribute)
        if old == new:
            continue
        if new.ignore:
            left_out.append(attribute)
        elif old.ignore:
            fetched.append(attribute)
        elif column is not None:
            wished = _wished(before, column, old, new)
            if (wished.type, wished.kind, wished.overridden) != (column.type, column.kind, column.overridden):
                shadows.append(Shadow(wished, f"{WORKING_NAME}{len(shadows) + 1}"))
                continue
            if wished.column != column.column:
                renames.append((column.column, wished.column))
            columns[attribute] = wished
    waiting = {*left_out, *(shadow.column.attribute for shadow in shadows)}
    now = tuple(override for override in overrides if override.attribute not in waiting)
    stay = tuple(override for override in before.overrides if override.attribute in waiting)
    reshape = Reshape(overrides, tuple(shadows), tuple(left_out)) if waiting else None
    at_once = tuple(columns[column.attribute] for column in before.columns)
    return Transition(
        replace(before, columns=at_once, overrides=now + stay, reshape=reshape), tuple(renames), tuple(fetched)
    )


def _wished(schema: TableSchema, column: Column, old: Override, new: Override) -> Column:
    """The column of an attribute under another override."""
    name = new.column or column.column
    if new.column is None and old.column is not None:
        name = column_name(column.attribute, schema.names_taken - {column.column})
    if new.type == old.type:
        return replace(column, column=name, widen=new.widen)
    ct = new.type or learned(column)
    kind = column.kind if holds(ct, column.kind) else next(iter(made_for(ct)), _FALLBACK)
    return replace(column, column=name, type=ct, kind=kind, overridden=new.type is not None, widen=new.widen)


def learned(column: Column) -> ColumnType:
    """The type that a column begins with without its override; its values then make it grow."""
    if column.kind != "N":
        return least(column.kind, {column.kind: _NO_VALUE[column.kind]})
    if on_ladder(column.type):
        return column.type
    step = rung(column.type)
    return settled(step) if step is not None else BIGINT


@lru_cache(maxsize=256)
def after(schema: TableSchema) -> TableSchema:
    """The schema once its `reshape` is through, under the version after."""
    reshape = schema.reshape
    if reshape is None:
        return schema
    coming = {shadow.column.attribute: shadow.column for shadow in reshape.shadows}
    columns = [
        coming.get(column.attribute, column) for column in schema.columns if column.attribute not in reshape.left_out
    ]
    return replace(
        schema, columns=tuple(columns), overrides=reshape.overrides, reshape=None, version=schema.version + 1
    )  # fmt: skip


@lru_cache(maxsize=256)
def before_and_after(schema: TableSchema) -> tuple[TableSchema, TableSchema]:
    """The schema and its `after` with the columns alone that the change replaces: what rebuilding a row needs.

    The columns of the second stand in the order of the shadows.
    """
    if schema.reshape is None:
        raise ValueError("no change of columns is under way")
    known, shadows = schema.by_attribute, schema.reshape.shadows
    old = [known[shadow.column.attribute] for shadow in shadows if shadow.column.attribute in known]
    new = after(schema)
    return replace(schema, columns=tuple(old)), replace(new, columns=tuple(shadow.column for shadow in shadows))


def dropped(schema: TableSchema) -> Sequence[Column]:
    """The columns that go when the change is through."""
    reshape = schema.reshape
    if reshape is None:
        return ()
    names = {*reshape.left_out, *(shadow.column.attribute for shadow in reshape.shadows)}
    return [column for column in schema.columns if column.attribute in names]
