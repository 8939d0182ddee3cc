"""`twinrow uninstall`: takes a table's copy down, on both sides."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.asking import agreed
from twinrow.app.options import ConfigOption, TablesArgument, YesOption, load_config
from twinrow.app.signals import stop_on_signals
from twinrow.app.terminal import complain, out, say
from twinrow.app.typed import as_typed, in_text
from twinrow.errors import ConfigError, StartRefused, TwinrowError

if TYPE_CHECKING:
    from twinrow.app.leaving.plan import LeavingPlan, LeftTable, Wanted
    from twinrow.mysql import MySQL
    from twinrow.table.context import TableContext


def uninstall(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    all_tables: Annotated[bool, typer.Option("--all", help="Every table of the configuration.")] = False,
    execute: Annotated[
        bool, typer.Option("--execute", help="Do it; without it this only shows what it would do.")
    ] = False,
    yes: YesOption = False,
    marks: Annotated[
        bool, typer.Option("--marks", help="Take the marks of the pending index off the items, too.")
    ] = False,
    index: Annotated[bool, typer.Option("--index", help="Delete the index that Twinrow has added.")] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Turn off the stream that Twinrow has turned on.")] = False,
    pitr: Annotated[
        bool, typer.Option("--pitr", help="Turn off the point-in-time recovery that Twinrow has turned on.")
    ] = False,
    drop_tables: Annotated[bool, typer.Option("--drop-tables", help="Drop the copy in MySQL.")] = False,
) -> None:
    """Take a table's copy down: row ids off the items, and what Twinrow remembers in MySQL.

    Shows what it would do, unless --execute is said; then it asks before each step. Marks, index, stream, backups and
    the copy itself stay, unless they are named. An id goes only where it equals the id of the item's row; an index, a
    stream or point-in-time recovery only where Twinrow is noted to have turned it on. Keeps within the budgets, goes on
    where it was stopped, and is refused while a sync holds the table. A TABLE that the configuration names no more is
    left by what MySQL remembers of it.

    \b
    Example:
      twinrow uninstall reviews
      twinrow uninstall reviews --execute --marks --index --drop-tables
      twinrow uninstall --all --execute --yes
    """
    from twinrow.app.leaving.carry_out import drop_state, finish_dropping
    from twinrow.app.leaving.plan import Wanted
    from twinrow.app.leaving.remembered import with_remembered
    from twinrow.app.wiring import contexts_of, mysql_of

    if bool(tables) == all_tables:
        raise ConfigError("which tables is not said", remedy="name them, or say --all (not both)")
    loaded = load_config(config)
    stop, mysql = stop_on_signals(), mysql_of(loaded)
    loaded = with_remembered(loaded, mysql, tables or ())
    chosen = loaded.chosen(tables or [])
    wanted = Wanted(marks=marks, index=index, stream=stream, pitr=pitr, drop_tables=drop_tables)
    contexts = contexts_of(loaded, chosen, stop, mysql=mysql)
    if execute:
        finish_dropping(mysql)
    worst = 0
    for context in contexts:
        try:
            _leave(context, mysql, wanted, {context.name for context in contexts}, execute=execute, yes=yes)
        except TwinrowError as error:
            complain(error)
            worst = 1 if worst == 1 else error.exit_code
        if stop:
            break
    if not execute:
        named = " --all" if all_tables else "".join(f" {context.name}" for context in contexts)
        options = "".join(f" --{name.replace('_', '-')}" for name in wanted.named)
        say(f"nothing was changed; {as_typed(f'twinrow uninstall{named} --execute{options}')} asks before each step")
    elif not worst and not stop:
        why = drop_state(mysql)
        out(f"the tables _twinrow_* in {mysql.place} {f'stay: {why}' if why else 'are dropped'}")
    raise typer.Exit(worst)


def _leave(context: TableContext, mysql: MySQL, wanted: Wanted, leaving: set[str], *, execute: bool, yes: bool) -> None:
    """Show the plan of a table and, with `execute`, carry out what a person agrees to."""
    from twinrow.app.leaving.carry_out import carry_out
    from twinrow.app.leaving.look import look
    from twinrow.app.leaving.plan import plan
    from twinrow.app.wiring import connect

    with closing(connect(mysql)) as session:
        standing = look(session, context.table)
    planned = plan(standing, wanted, leaving)
    if not execute:
        _show(standing, planned)
        return
    if standing.holder is not None:
        raise StartRefused(
            f"is being copied by {standing.holder}",
            where=f"table {context.name}",
            remedy="stop that `twinrow sync` first",
        )
    for line in planned.stays:
        say(f"{context.name}: {in_text(line)}")
    declined = [step.part for step in planned.steps if not _wants(context.name, step.text, step.cost, yes=yes)]
    carry_out(context, mysql, standing, planned.without(declined), wanted, lambda text: out(f"{context.name}: {text}"))


def _wants(table: str, text: str, cost: str, *, yes: bool) -> bool:
    say(f"{table}: {text}" + (f"\n  {cost}" if cost else ""))
    return yes or agreed(f"table {table}")


def _show(standing: LeftTable, planned: LeavingPlan) -> None:
    for step in planned.steps:
        out(f"{planned.table}: would {step.text}" + (f"\n  {step.cost}" if step.cost else ""))
    for line in planned.stays:
        out(f"{planned.table}: {in_text(line)}")
    if standing.holder is not None:
        out(f"{planned.table}: {standing.holder} copies it now: stop that sync first")
