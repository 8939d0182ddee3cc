"""`twinrow add`."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.asking import agreed
from twinrow.app.observe.troubles import many
from twinrow.app.options import (
    CaptureOption,
    ConfigOption,
    YesOption,
    check_capture,
    config_path,
    following,
)
from twinrow.app.terminal import out, say
from twinrow.errors import ConfigError

if TYPE_CHECKING:
    from twinrow.app.setup.adding import NewTable
    from twinrow.app.setup.choices import Choice
    from twinrow.config import Config


def add(
    tables: Annotated[list[str], typer.Argument(metavar="TABLE...", help="Tables to copy, too.", show_default=False)],
    config: ConfigOption = None,
    capture: CaptureOption = None,
    into: Annotated[
        str | None, typer.Option("--into", help="The MySQL table; with a single TABLE only.", show_default=False)
    ] = None,
    yes: YesOption = False,
) -> None:
    """Add tables to a configuration. Its comments, its order and its blank lines stay.

    A table of a [[sources]] part is SOURCE:NAME. Each table gets the capture that fits it, as with `init`. A file that
    would not be valid is not written.

    \b
    Example:
      twinrow add orders
      twinrow add eu:orders --into eu_orders --capture stream --yes
    """
    from twinrow.app.setup import adding, files
    from twinrow.app.setup.entries import entry
    from twinrow.app.wiring import settings_of
    from twinrow.config import parse
    from twinrow.config.documents import text_of

    check_capture(capture)
    if into is not None and len(dict.fromkeys(tables)) > 1:
        raise ConfigError("--into names a single MySQL table for several tables", remedy="add them each by itself")
    path = config_path(config)
    known = parse(text_of(path), str(path), tables_needed=False)
    before = files.read(path)
    wanted = adding.wanted(known, tables)
    choices = _choices(known, wanted, capture, into)
    lines = [line for choice in choices for line in ("", *entry(choice))]
    edit = adding.added(before.decode("utf-8-sig"), lines, str(path))
    changed = parse(edit.text, str(path))
    adding.check_added(known, changed, wanted)
    for table in changed.tables:
        settings_of(table, str(path))
    for line in edit.lines.splitlines():
        out(f"+ {line}".rstrip())
    if not yes and not agreed(str(path)):
        raise typer.Exit(1)
    files.write(path, ("\ufeff" if before.startswith(BOM_UTF8) else "") + edit.text, before)
    names = " ".join(table.called for table in wanted)
    say(f"{path}: {many(len(wanted), 'table')} added; a running sync takes them with --watch-config, or at SIGHUP")
    out(f"next: {following(path)} check --fix {names}")


def _choices(config: Config, wanted: Sequence[NewTable], capture: str | None, into: str | None) -> list[Choice]:
    """How each table is copied, in their order. Raises ConfigError for a table that DynamoDB does not have."""
    from twinrow.app.setup.choices import Choice, described, suggested, with_intos
    from twinrow.app.wiring import dynamodb_of, few_tries

    doors = {source: dynamodb_of(config, source) for source in {table.source for table in wanted}}
    choices = []
    for table in wanted:
        (description,) = few_tries(partial(described, doors[table.source], [table.name]))
        choices.append(Choice(description, capture or suggested(description), into=into, source=table.source))
    return with_intos(choices, [table.into_name for table in config.tables])
