"""`twinrow check`: the pre-flight."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from twinrow.app.asking import agreed
from twinrow.app.many import alike, named, without_name
from twinrow.app.observe.troubles import many
from twinrow.app.options import ConfigOption, JsonOption, TablesArgument, YesOption, load_config, said
from twinrow.app.terminal import out, out_json, say
from twinrow.app.typed import in_text
from twinrow.errors import TwinrowError

if TYPE_CHECKING:
    from twinrow.app.check.finding import Finding, Fix, Level
    from twinrow.clock import Stop
    from twinrow.config import Config, TableConfig
    from twinrow.mysql import Connection
    from twinrow.state.tables import Registered
    from twinrow.table.settings import Settings

SIGNS = {"ok": "ok", "warning": "!!", "error": "NO"}
LEVELS = tuple(SIGNS)


def check(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Add an index, turn stream or recovery on; asks before each change."),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show also what is well.")] = False,
) -> None:
    """Check both sides before a sync; shows each trouble with its remedy, and a summary.

    Rights, index or stream, versions, collation, local_infile, changed settings. Changes nothing without --fix.
    With --fix it shows each change with its cost, and asks. Exit code 1 when a sync could not start.

    \b
    Example:
      twinrow check
      twinrow check --verbose
      twinrow check reviews --fix --yes
    """
    from twinrow.app.check import dynamodb as check_dynamodb
    from twinrow.app.output.progress import Bars
    from twinrow.app.signals import stop_on_signals

    loaded = load_config(config, new_tables=True)
    chosen = loaded.chosen(tables or [])
    stop = stop_on_signals()
    found, mended = [], []
    everything = verbose or said().verbose
    # no bar where a person is asked, or reads the findings as they come
    with Bars("tables", drawn=not fix and not everything) as bars:
        for finding in _look(loaded, chosen, stop):
            seen = replace(finding, remedy=in_text(finding.remedy))
            if fix and finding.fix is not None:
                mended.append(_mend(seen, finding.fix, stop, yes=yes))
                seen = mended[-1]
            found.append(seen)
            if everything and not as_json:
                _show(seen.level, seen.table, seen)
            if finding.name == check_dynamodb.FIRST and len(chosen) > 1:
                bars.tell("check", sum(each.name == check_dynamodb.FIRST for each in found), len(chosen))
    if as_json:
        names = ("table", "name", "level", "text", "remedy")
        checks = [{name: getattr(finding, name) for name in names} for finding in found]
        counts = {level: sum(finding.level == level for finding in found) for level in SIGNS}
        out_json({"ok": not counts["error"], "summary": counts, "checks": checks})
    else:
        if not everything:
            _show_shared([finding for finding in found if finding.level != "ok" or finding in mended])
        out(_summary(found, len(chosen)))
    raise typer.Exit(1 if any(finding.level == "error" for finding in found) else 0)


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
                if context.settings.index:
                    yield from _indexes(session, context.settings, registered[context.name])
                if context.settings.views:
                    yield from _views(session, context.settings)
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


def _indexes(session: Connection, settings: Settings, registered: Registered | None) -> Iterator[Finding]:
    from twinrow.app.check import indexes

    return indexes.look(session, settings, registered)


def _views(session: Connection, settings: Settings) -> Iterator[Finding]:
    from twinrow.app.check import views

    return views.look(session, settings)


def _mend(finding: Finding, change: Fix, stop: Stop, *, yes: bool) -> Finding:
    """Show a change and its cost, ask, do it; the finding afterwards."""
    say(f"{finding.table}: {change.what}\n  {change.cost}")
    if not yes and not agreed(f"table {finding.table}"):
        return finding
    try:
        change.act(stop)
    except TwinrowError as error:
        if stop:
            raise
        # the other tables are looked at, and mended, all the same
        return replace(finding, level="error", text=f"not done: {change.what}: {error.what}", remedy=error.remedy)
    return replace(finding, level="ok", text=f"done: {change.what}", remedy="", fix=None)


def _show(level: Level, where: str, finding: Finding) -> None:
    remedy = f"  → {finding.remedy}" if finding.remedy else ""
    out(f"{SIGNS[level]}  {where}{': ' if where else ''}{finding.name}: {' '.join(finding.text.split())}{remedy}")


def _show_shared(found: list[Finding]) -> None:
    """Each finding once, however many tables have it; the errors last, where a person looks first."""
    groups: dict[tuple[Level, str, str, str], list[Finding]] = {}
    for finding in found:
        text, remedy = (
            alike(part, finding.table) if finding.table else part for part in (finding.text, finding.remedy)
        )
        groups.setdefault((finding.level, finding.name, text, remedy), []).append(finding)
    for (level, *_), findings in sorted(groups.items(), key=lambda group: LEVELS.index(group[0][0])):
        first, tables = findings[0], [finding.table for finding in findings]
        if len(tables) > 1:
            text, remedy = (without_name(part, first.table) for part in (first.text, first.remedy))
            first = replace(first, text=text, remedy=remedy)
        _show(level, named(tables), first)


def _summary(found: list[Finding], tables: int) -> str:
    """How many checks ended how, and what that means for a start."""
    errors, warnings = (sum(finding.level == level for finding in found) for level in ("error", "warning"))
    meaning = "a sync would not start as it is" if errors else "a sync can start"
    well = f"{many(tables, 'table')}, {many(len(found), 'check')}: {len(found) - errors - warnings:,} ok"
    return f"{well}, {many(warnings, 'warning')}, {many(errors, 'error')}; {meaning}"
