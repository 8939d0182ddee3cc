"""`twinrow reset`: forgets and drops a copy."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from twinrow.app.options import ConfigOption, TableArgument, load_config
from twinrow.app.terminal import out
from twinrow.clock import Stop
from twinrow.errors import StartRefused


def reset(
    table: TableArgument,
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Needed: without it nothing is dropped.")] = False,
) -> None:
    """Forget the copy of a table and drop its MySQL table. DynamoDB is not touched: ids in items stay.

    A new copy takes the ids back with `twinrow sync --adopt-links`. Refused while a sync holds the table.

    \b
    Example:
      twinrow reset reviews --yes
    """
    from twinrow.app.wiring import connect, contexts_of, few_tries, mysql_of
    from twinrow.schema.naming import quote
    from twinrow.sink import inspect
    from twinrow.state import directory, entity, lease, meta, tables
    from twinrow.workers.held import held

    loaded = load_config(config)
    (chosen,) = loaded.chosen([table])
    mysql = mysql_of(loaded)
    with closing(connect(mysql)) as session:
        known = tables.load(session, table) if meta.check_version(session) else None
        if known is None:
            out(f"{table}: there is no copy to forget in {mysql.place}")
            return
        copies = entity.tables_of(session, known)
        named = ", ".join(map(quote, copies))
        if not yes:
            raise StartRefused(
                f"this drops {named} in {mysql.place} with {lease.row_count(session, table):,} rows",
                where=f"table {table}", remedy=f"twinrow reset {table} --yes",
            )  # fmt: skip
        (context,) = contexts_of(loaded, [chosen], Stop(), mysql=mysql)
        # The table goes first: were its state forgotten first, a kill in between would leave a table that no sync
        # takes.
        with held(context, mysql):
            for into in copies:
                there = few_tries(lambda into=into: inspect.columns(context.tenure.open_writer(), into))  # type: ignore[misc]
                if there and not inspect.is_ours(there):
                    raise StartRefused(
                        "was not made by Twinrow, and stays", where=f"MySQL table {into}",
                        remedy="rename it, then run this again: the copy of that name is forgotten",
                    )  # fmt: skip
            few_tries(lambda: context.tenure.open_writer().execute(f"DROP TABLE IF EXISTS {named}"))
            if known.is_split:
                few_tries(lambda: directory.drop(context.tenure.open_writer(), table))
            with context.tenure.transaction() as tx:
                tables.forget(tx, table)
    linked = f"; ids in items stay: twinrow sync {table} --adopt-links" if chosen.linked else ""
    out(f"{table}: forgotten, {named} {'are' if len(copies) > 1 else 'is'} dropped{linked}")
