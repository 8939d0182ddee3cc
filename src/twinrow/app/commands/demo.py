"""`twinrow demo`."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave page, sync and servers up until Ctrl-C.")] = False,
    endpoint_url: Annotated[
        str | None, typer.Option("--endpoint-url", help="A running DynamoDB Local; by default the demo starts its own.")
    ] = None,
    mysql: Annotated[
        str | None,
        typer.Option(
            "--mysql", help="mysql://user:password@host:port/database; by default the demo starts its own server."
        ),
    ] = None,
    serve: Annotated[
        str | None, typer.Option("--serve", metavar="HOST:PORT", help="The page's address; default: 127.0.0.1:8642.")
    ] = None,
    single_table: Annotated[
        bool,
        typer.Option("--single-table", help="A shop in a single table: five kinds of items, a MySQL table for each."),
    ] = False,
) -> None:
    """Show the whole job in a minute: 10,000 items, a live writer, a sync, an analyst's SQL, and the proof.

    Runs on its own servers, which end with it. At a terminal the page stays up until you press Enter. Exit code 3
    when something differs in the end.

    \b
    Example:
      twinrow demo
      twinrow demo --keep
      twinrow demo --single-table
      twinrow demo --endpoint-url http://127.0.0.1:8000 --mysql mysql://root:secret@127.0.0.1:3306/demo
    """
    from twinrow.app.demo.enter import is_pressed, somebody_is_there
    from twinrow.app.demo.run import Options, run
    from twinrow.app.demo.single_table import run as run_single_table
    from twinrow.app.signals import stop_on_signals

    is_entered = is_pressed if somebody_is_there() else None
    show = run_single_table if single_table else run
    raise typer.Exit(show(Options(endpoint_url, mysql, keep, serve, is_entered), stop_on_signals()))
