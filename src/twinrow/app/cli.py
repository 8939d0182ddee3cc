"""The command `twinrow`: wires the commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from twinrow.app.commands import (
    add,
    check,
    dead_letters,
    demo,
    import_export,
    init,
    item,
    notify,
    permissions,
    plan,
    reset,
    schema,
    status,
    sync,
    uninstall,
    verify,
)
from twinrow.app.logs import Log
from twinrow.app.options import Said, note, said
from twinrow.app.signals import as_usual
from twinrow.app.terminal import complain, out
from twinrow.app.typed import in_text
from twinrow.errors import TwinrowError

STOPS_CLEANLY = "sync"
"""A command that ends well by a signal, even by a signal that came before it could begin."""

app = typer.Typer(
    name="twinrow", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)  # fmt: skip


def _version(wanted: bool) -> None:
    if wanted:
        import twinrow

        out(f"twinrow {twinrow.__version__}")
        raise typer.Exit


@app.callback()
def twinrow(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The configuration file.  [default: twinrow.toml]", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    json_logs: Annotated[bool, typer.Option("--json-logs", help="Logs as JSON lines on stderr.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Keeps a MySQL copy of DynamoDB tables in step, and links every item to its row.

    Exit codes: 0 in step or done, 1 error, 2 usage, configuration or a refusal to start, 3 differences or dead letters.

    \b
    Example:
      twinrow init
      twinrow -c conf/twinrow.toml sync --serve 127.0.0.1:8642
    """
    if context.invoked_subcommand != STOPS_CLEANLY:
        as_usual()
    note(Said(config, verbose, json_logs))


app.command()(init.init)
app.command()(add.add)
app.command()(check.check)
app.command()(plan.plan)
app.command()(sync.sync)
app.command("import")(import_export.import_export)
app.command()(status.status)
app.command()(verify.verify)
app.command()(verify.repair)
app.command()(schema.schema)
app.command()(item.item)
app.command()(reset.reset)
app.command()(uninstall.uninstall)
app.command()(notify.notify)
app.command("iam-policy")(permissions.iam_policy)
app.command()(permissions.grants)
app.command()(demo.demo)
app.add_typer(dead_letters.app, name="dead-letters")


def main() -> None:
    """Run the command line; errors that a person can mend become one line on stderr."""
    try:
        app()
    except TwinrowError as error:
        if said().json_logs:
            Log(as_json=True, verbose=False).event("error", "ended", "", in_text(str(error)))
        else:
            complain(error)
        sys.exit(error.exit_code)
