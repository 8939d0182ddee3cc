"""`twinrow check`: the pre-flight."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.options import ConfigOption, JsonOption, TablesArgument, YesOption, load_config
from twinrow.app.signals import asking
from twinrow.app.terminal import out, out_json, say
from twinrow.app.typed import in_text
from twinrow.errors import StartRefused, TwinrowError

if TYPE_CHECKING:
    from twinrow.app.check.finding import Finding, Fix
    from twinrow.clock import Stop
    from twinrow.config import Config, TableConfig

SIGNS = {"ok": "ok", "warning": "!!", "error": "NO"}


def check(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Add the missing index, turn the stream on; asks before each change.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Look at both sides before a sync; each trouble with its remedy.

    Rights, index or stream, versions, collation, local_infile, changed settings. Changes nothing, unless --fix is said:
    then each change is shown with its cost, and asked for. Exit code 1 when something would keep a sync from starting.

    \b
    Example:
      twinrow check
      twinrow check reviews --fix --yes
    """
    from twinrow.app.signals import stop_on_signals

    loaded = load_config(config)
    chosen = loaded.chosen(tables or [])
    stop = stop_on_signals()
    found = []
    for finding in _look(loaded, chosen, stop):
        told = _mend(finding, finding.fix, stop, yes=yes) if fix and finding.fix is not None else finding
        told = replace(told, remedy=in_text(told.remedy))
        found.append(told)
        if not as_json:
            _show(told)
    if as_json:
        checks = [{name: getattr(one, name) for name in ("table", "name", "level", "text", "remedy")} for one in found]
        out_json({"ok": all(one.level != "error" for one in found), "checks": checks})
    raise typer.Exit(1 if any(one.level == "error" for one in found) else 0)


def _look(config: Config, chosen: tuple[TableConfig, ...], stop: Stop) -> Iterator[Finding]:
    from twinrow.app.check import clock_skew
    from twinrow.app.check import dynamodb as check_dynamodb
    from twinrow.app.check import mysql as check_mysql
    from twinrow.app.check.finding import Finding
    from twinrow.app.wiring import connect, contexts_of, mysql_of

    contexts = contexts_of(config, chosen, stop)
    registered = {}
    answers = True
    try:
        with closing(connect(mysql_of(config))) as session:
            yield from check_mysql.look(session, config.mysql)
            yield clock_skew.finding("", "MySQL", session.clock)
            for context in contexts:
                registered[context.name] = check_mysql.registered(session, context.name)
                yield check_mysql.look_at_table(session, context.settings, registered[context.name])
    except TwinrowError as error:
        yield Finding("", "MySQL", "error", str(error.what), error.remedy)
        answers = False
    for context in contexts:
        known = registered.get(context.name)
        yield from check_dynamodb.look(context, known, mysql_answers=answers)
    doors = [context.table.dynamodb for context in reversed(contexts)]
    for clock in {door.region: door.clock for door in doors}.values():
        if clock.is_known:  # else the first finding of each table says what is wrong
            yield clock_skew.finding("", "DynamoDB", clock)


def _mend(finding: Finding, change: Fix, stop: Stop, *, yes: bool) -> Finding:
    """Show a change and its cost, ask, do it; the finding afterwards."""
    say(f"{finding.table}: {change.what}\n  {change.cost}")
    if not yes:
        try:
            with asking():
                agreed = typer.confirm("Do it?", err=True)
        except typer.Abort:
            if sys.stdin.isatty():
                raise
            raise StartRefused(
                "nobody is there to be asked", where=f"table {finding.table}", remedy="say --yes"
            ) from None
        if not agreed:
            return finding
    try:
        change.act(stop)
    except TwinrowError as error:
        if stop:
            raise
        # the other tables are looked at, and mended, all the same
        return replace(finding, level="error", text=f"not done: {change.what}: {error.what}", remedy=error.remedy)
    return replace(finding, level="ok", text=f"done: {change.what}", remedy="", fix=None)


def _show(finding: Finding) -> None:
    where = f"{finding.table}: " if finding.table else ""
    remedy = f"  → {finding.remedy}" if finding.remedy else ""
    out(f"{SIGNS[finding.level]}  {where}{finding.name}: {' '.join(finding.text.split())}{remedy}")
