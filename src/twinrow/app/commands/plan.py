"""`twinrow plan`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.options import ConfigOption, JsonOption, TablesArgument, load_config
from twinrow.app.terminal import out, out_json, say
from twinrow.capture_kind import traits_of
from twinrow.errors import ConfigError, TwinrowError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinrow.app.setup.first_copy import Way
    from twinrow.app.setup.plan import TablePlan, Work
    from twinrow.config import Config, TableConfig
    from twinrow.dynamodb import DynamoDB
    from twinrow.flavour import Flavour
    from twinrow.table_description import TableDescription

SAMPLE_ITEMS = 100


def plan(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    changes_a_day: Annotated[
        int, typer.Option("--changes-a-day", min=0, help="Changes that the app makes in a day, for the running cost.")
    ] = 0,
    read_price: Annotated[float, typer.Option("--read-price", min=0, help="Dollars per million read units.")] = 0.125,
    write_price: Annotated[
        float, typer.Option("--write-price", min=0, help="Dollars per million write units.")
    ] = 0.625,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="SIZE", show_default=False, help="Reckon as if each table had this size (1TB)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the reads and writes of a sync, its duration within the budget, its cost, and the DDL that it will run.

    Reads the table's description and at most 100 of its items, and asks MySQL for its version. Changes nothing.

    \b
    Example:
      twinrow plan reviews --changes-a-day 200000
      twinrow plan reviews --size 1TB
    """
    from twinrow.app.protecting import behind, protection_of
    from twinrow.app.setup.first_copy import ways
    from twinrow.app.setup.plan import Prices
    from twinrow.app.setup.plan import plan as reckon
    from twinrow.app.wiring import capacity_of, dynamodb_of, few_tries
    from twinrow.capacity import limits

    loaded = load_config(config, new_tables=True)
    prices, bytes_wanted = Prices(read_price, write_price), _bytes_of(size)
    documents = []
    flavour = _flavour(loaded)
    for table in loaded.chosen(tables or []):
        dynamodb = behind(dynamodb_of(loaded, table.source), protection_of(loaded, table))
        description = _grown(few_tries(partial(dynamodb.describe, table.name)), bytes_wanted)
        bounds = limits(capacity_of(table, dynamodb.endpoint_url), description)
        made = reckon(table, description, bounds, prices, changes_a_day)
        ddl = _ddl(loaded, table, dynamodb, description, flavour)
        by = ways(made.items, made.bytes, linked=table.linked, budget_s=made.first.seconds)
        documents.append(asdict(made) | {"ways": [asdict(way) for way in by], "ddl": ddl})
        if not as_json:
            _show(
                made, by, ddl,
                prices_said=f"{read_price:g} and {write_price:g} dollars per million units read and written",
            )  # fmt: skip
    if as_json:
        out_json({"tables": documents, "read_price": read_price, "write_price": write_price})


def _flavour(config: Config) -> Flavour:
    """The server's version; MySQL, with a warning, where it does not answer: the rest of the plan needs none."""
    from twinrow.app.wiring import connect, mysql_of

    try:
        with closing(connect(mysql_of(config))) as session:
            return session.flavour
    except TwinrowError as error:
        say(f"twinrow: the DDL is MySQL's, not MariaDB's, since the server cannot be asked: {error}")
        return "mysql"


def _ddl(
    config: Config, table: TableConfig, dynamodb: DynamoDB, description: TableDescription, flavour: Flavour
) -> str:
    """The table as the first items want it; the sync learns the rest as it goes."""
    from twinrow.app.wiring import few_tries, settings_of
    from twinrow.schema.evolve import evolve
    from twinrow.sink import statements
    from twinrow.sync.start import new_schema

    page = few_tries(lambda: dynamodb.scan_page(table.name, 0, 1, None, limit=SAMPLE_ITEMS))
    settings = settings_of(table, config.path)
    try:
        empty = new_schema(settings, description)
    except ValueError as error:
        raise ConfigError(str(error), where=f"table {table.name}", remedy="mend the configuration") from error
    schema = evolve(empty, settings.wanted(page.items)).schema
    return statements.create_table(schema, flavour)


def _bytes_of(size: str | None) -> int | None:
    from twinrow.app.setup.first_copy import size_bytes

    try:
        return size_bytes(size) if size is not None else None
    except ValueError as error:
        raise ConfigError(f"--size: {error}") from error


def _grown(description: TableDescription, size: int | None) -> TableDescription:
    """The same table as if it had so many bytes, with items of the size that they have now."""
    from dataclasses import replace

    from twinrow.app.setup.first_copy import ITEM_BYTES

    if size is None:
        return description
    an_item = description.bytes / description.items if description.items else ITEM_BYTES
    return replace(description, bytes=size, items=max(1, round(size / an_item)))


def _show(made: TablePlan, by: Sequence[Way], ddl: str, prices_said: str) -> None:
    from twinrow.app.observe.status import span
    from twinrow.state.meta import DEFINITIONS

    out(f"{made.table}: about {made.items:,} items, {made.bytes:,} bytes")
    read = "no bound" if made.read_limit is None else f"{made.read_limit:g} read units a second"
    write = "no bound" if made.write_limit is None else f"{made.write_limit:g} write units a second"
    out(f"  budget          {read}, {write}")
    out(f"  first copy      {_work(made.first)}")
    for each in by:
        out(f"  {each.name:<25} at least {span(each.seconds)}, bound by {each.bound}")
    unknown = "" if made.changes_a_day else " (--changes-a-day N reckons with yours)"
    if made.export_gb is not None and made.export_dollars is not None:
        way = "the first copy is made from it" if made.by_export else 'first_copy = "export" takes it'
        out(f"  an export       {made.export_gb:,.3f} GB, ${made.export_dollars:,.2f}, no read units: {way}")
    if made.where_sent is not None:
        how = (
            "sent with each scan: it saves bytes, not read units" if made.where_sent else "asked here, not in DynamoDB"
        )
        out(f"  where           {how}; every item is read and paid for")
    out(f"  a day           {_work(made.a_day)}, at {made.changes_a_day:,} changes{unknown}")
    if made.indexes_written:
        out(f"  links are written into these indexes, too: {', '.join(made.indexes_written)}")
    out(f"  prices          {prices_said}")
    if unpriced := traits_of(made.capture).unpriced:
        out(f"  {unpriced}")
    out("  DDL, as the first items need it:")
    out("    " + ddl.replace("\n", "\n    ") + ";")
    out(f"  once the first copy is through, an index on its key; once a database, {len(DEFINITIONS)} tables _twinrow_*")


def _work(work: Work) -> str:
    from twinrow.app.observe.status import span

    at_least = f", at least {span(work.seconds)} within the budget" if work.seconds else ""
    return f"{work.read_units:,.0f} units read, {work.write_units:,.0f} written{at_least}, ${work.dollars:,.2f}"
