"""Overrides that are changed for a copy that is there: renames, passes inside MySQL, or a reconcile; or refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from twinrow.errors import Reason, StartRefused
from twinrow.mysql import Connection, MySQLError
from twinrow.schema.evolve import has_room
from twinrow.schema.naming import fold, quote
from twinrow.schema.reshape import Transition, after, dropped, plan, same_overrides
from twinrow.schema.sql_type import plain
from twinrow.schema.table import Override, TableSchema
from twinrow.sink import inspect, reshaping
from twinrow.state import checkpoint, deferred
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.tables import Registered
from twinrow.sync import named_attributes
from twinrow.sync import reshaping as passes
from twinrow.table.context import TableContext

RENAMES: Final = "rename"
"""The checkpoint that keeps the renames that are about to be done."""
Way = Literal["rename", "pass", "reconcile", "next value"]


@dataclass(frozen=True, slots=True)
class Effect:
    """The way in which a change of an attribute's override is applied, in words."""

    attribute: str
    way: Way
    text: str


def wanted(context: TableContext) -> Transition | None:
    """The way to the overrides of the settings; None where the copy has them, or is on its way to them."""
    schema, overrides = context.live.rest, context.settings.overrides
    if schema.reshape is not None and same_overrides(schema.reshape.overrides, overrides):
        return None
    if schema.reshape is None and same_overrides(schema.overrides, overrides):
        return None
    return plan(schema, overrides)


def effects(schema: TableSchema, change: Transition) -> list[Effect]:
    """The parts of a change in words, by attribute."""
    found = [Effect(name, "reconcile", f"`{name}` is copied again") for name in change.fetched]
    found += [Effect(now, "rename", f"column `{now}` becomes `{name}`") for now, name in change.renames]
    if change.schema.reshape is not None:
        for shadow in change.schema.reshape.shadows:
            before = plain(schema.by_attribute[shadow.column.attribute].type)
            text = f"`{shadow.column.attribute}` becomes {plain(shadow.column.type)}, from {before}"
            found.append(Effect(shadow.column.attribute, "pass", text))
        found += [Effect(name, "pass", f"`{name}` goes out of the rows") for name in change.schema.reshape.left_out]
    return sorted(found, key=lambda effect: (effect.way, effect.attribute))


def refuse(context: TableContext, registered: Registered, reset: Reason) -> None:
    """Raise StartRefused for changed overrides that cannot be applied, before anything is changed."""
    change = wanted(context)
    if change is None:
        return
    schema, where = context.live.rest, f"table {context.name}"
    session = context.tenure.open_writer()
    known = {*schema.overrides, *(schema.reshape.overrides if schema.reshape is not None else ())}
    new = [override for override in context.settings.overrides if override not in known]
    if new:
        named_attributes.refuse_paths(context.settings, schema, among=[override.attribute for override in new])
    if len(context.live.catalogue.entities) > 1 and (change.schema.reshape or change.renames or change.fetched):
        raise StartRefused(
            "overrides of a table that is split were changed after its rows were copied", where=where,
            remedy=f"set them back, or {reset.text}", commands=reset.commands,
        )  # fmt: skip
    _refuse_names(session, change, schema, new, where)
    if change.schema.reshape is None:
        return
    if registered.snapshot_done_at is None:
        raise StartRefused(
            "columns were changed before the first copy is through", where=where,
            remedy=f"set them back until it is, or {reset.text}", commands=reset.commands,
        )  # fmt: skip
    coming = [shadow.column for shadow in change.schema.reshape.shadows]
    if not has_room(schema, coming):
        raise StartRefused(
            "a row has no room for the new columns beside the old ones", where=where,
            remedy=f"change fewer at a time, or {reset.text}", commands=reset.commands,
        )  # fmt: skip
    gone = [column.column for column in dropped(change.schema)]
    theirs = [name for name in reshaping.indexes_with(session, schema.into, gone) if not name.startswith("_twinrow_")]
    if theirs:
        raise StartRefused(
            f"your index {theirs[0]!r} holds a column that the changed setting replaces", where=where,
            remedy=f"ALTER TABLE {quote(schema.into)} DROP INDEX {quote(theirs[0])}, and make it again afterwards",
        )  # fmt: skip


def _refuse_names(
    session: Connection, change: Transition, schema: TableSchema, new: Sequence[Override], where: str
) -> None:
    """Raise StartRefused where a column would get the name of another."""
    there = {fold(name): name for name in inspect.columns(session, schema.into)}
    begun = _begun(session, schema.table)
    now = {column.attribute: column.column for column in schema.columns}
    names = {override.attribute: override.column for override in new if override.column and not override.ignore}
    names |= {column.attribute: column.column for column in after(change.schema).columns}
    for attribute, name in sorted(names.items()):
        current = now.get(attribute, "")
        if name == current or fold(name) == fold(current) or fold(name) not in there:
            continue
        if (current, name) in begun and current not in there.values():
            continue  # renamed by a run that was killed
        raise StartRefused(
            f"the override of {attribute!r} names the column {there[fold(name)]!r}, which is there", where=where,
            remedy="name another column",
        )  # fmt: skip


def _begun(session: Connection, table: str) -> tuple[tuple[str, str], ...]:
    """The renames that a run had begun when it was killed."""
    known = checkpoint.load(session, table, RENAMES).get(RENAMES)
    return tuple((now, name) for now, name in json.loads(known.position or "[]")) if known is not None else ()


def apply(context: TableContext, change: Transition) -> TableSchema:
    """Rename columns and add working columns, as the change says; the schema that counts from then on.

    The caller writes it in one transaction, with `settle`. A killed run is taken up by the next start. Raises
    Transient where the table's lock cannot be had now, StartRefused where the server does not do it.
    """
    if context.live.rest.reshape is not None:
        passes.give_up(context)
    try:
        if change.renames:
            writer = context.tenure.open_writer()
            checkpoint.save(writer, context.name, {RENAMES: Checkpoint(json.dumps(change.renames))})
            with context.live.ddl_session() as session:
                reshaping.rename_columns(session, context.live.rest.into, change.renames)
        if change.schema.reshape is not None:
            passes.begin(context, change.schema, change.schema.reshape)
    except MySQLError as error:
        raise StartRefused(
            f"MySQL does not change the columns: {error.what}",
            where=f"table {context.name}",
            remedy="remove what needs the old columns (a generated column, a check), or set the overrides back",
        ) from error
    return replace(change.schema, version=context.live.version)


def settle(tx: Connection, table: str, change: Transition) -> None:
    """Write the rest of the transaction that makes a change count."""
    checkpoint.forget(tx, table, RENAMES)
    checkpoint.forget(tx, table, passes.PART)
    reshape = change.schema.reshape
    if reshape is not None:  # what the old columns waited for does not concern the new ones
        names = {*reshape.left_out, *(shadow.column.attribute for shadow in reshape.shadows)}
        for entry in deferred.of_table(tx, table):
            if entry.attribute in names:
                deferred.done(tx, table, entry)
