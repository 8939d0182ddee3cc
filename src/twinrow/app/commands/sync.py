"""`twinrow sync`."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from twinrow import clock
from twinrow.app.many import alike, named, without_name
from twinrow.app.observe.status import TableStatus, span
from twinrow.app.options import (
    AcceptDeletesOption,
    ConfigOption,
    MetricsOption,
    RekeyOption,
    ServeCertOption,
    ServeKeyOption,
    ServeOption,
    ServeTokenFileOption,
    TablesArgument,
    accepted_deletes,
    config_path,
    load_config,
    said,
)
from twinrow.app.terminal import complain, out
from twinrow.app.typed import as_typed, in_text
from twinrow.config import Config, TableConfig
from twinrow.errors import ConfigError, StartRefused, TwinrowError, is_fault

if TYPE_CHECKING:
    from twinrow.app.logs import Log
    from twinrow.app.observe.watch import StatusSource
    from twinrow.app.output.sync_view import SyncView
    from twinrow.app.reload.keeper import AskedSync, HangUps
    from twinrow.app.serve.serving import Addresses
    from twinrow.clock import Stop
    from twinrow.mysql import MySQL
    from twinrow.table.context import TableContext
    from twinrow.table_description import TableDescription
    from twinrow.workers.fleet import Listener
    from twinrow.workers.run import Outcome

WORST_FIRST = (1, 2, 3, 0)
"""Which exit code counts when tables end differently: an error, a refusal, dead letters, all well."""


def sync(
    tables: TablesArgument = None,
    config: ConfigOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Copy everything that is in DynamoDB at the start, then end.")
    ] = False,
    adopt_links: Annotated[
        bool,
        typer.Option(
            "--adopt-links", help="Items of a new copy that carry an id give it to their row, where it is free."
        ),
    ] = False,
    accept_table_id: Annotated[
        list[str] | None,
        typer.Option(
            "--accept-table-id",
            metavar="ARN",
            help="Go on with another DynamoDB table under the name of the copied table: its ARN, or its id.",
            show_default=False,
        ),
    ] = None,
    accept_deletes: AcceptDeletesOption = None,
    rekey: RekeyOption = None,
    serve: ServeOption = None,
    serve_token_file: ServeTokenFileOption = None,
    serve_cert: ServeCertOption = None,
    serve_key: ServeKeyOption = None,
    metrics: MetricsOption = None,
    watch_config: Annotated[
        bool, typer.Option("--watch-config", help="Read the configuration again when its files change.")
    ] = False,
) -> None:
    """Copy all items, then follow every change until stopped.

    Ctrl-C and SIGTERM stop the sync after the current batch, a second Ctrl-C at once. Closing the terminal stops it,
    too, unless it was started with nohup.

    Without a terminal, SIGHUP reads the configuration again: tables come, go and change, and the others do not notice.
    A configuration with a mistake is refused, and that from before goes on.

    A broken table never stops the others. With --once: exit code 3 when dead letters, refused links or rows that
    MySQL does not take remain, 1 when a table broke, 2 when a table was refused.

    \b
    Example:
      twinrow sync
      twinrow sync reviews --once
      twinrow sync reviews --adopt-links
      twinrow sync --serve 127.0.0.1:8642 --metrics 0.0.0.0:9642
    """
    from twinrow.app.logs import Log
    from twinrow.app.reload.keeper import AskedSync, HangUps
    from twinrow.app.serve.serving import Addresses, tls_of
    from twinrow.app.signals import stop_on_signals

    if once and watch_config:
        raise ConfigError("--once ends by itself, --watch-config is for a sync that goes on", remedy="leave it out")
    hang_ups = HangUps()  # from before the files are read: else a SIGHUP that comes just after would be lost
    stop = stop_on_signals(at_hang_up=True, on_hang_up=None if once else hang_ups.ask)
    loaded = load_config(config, new_tables=True)
    chosen = loaded.chosen(tables or [])
    log = Log(as_json=said().json_logs, verbose=said().verbose)
    tls = tls_of(serve, serve_token_file, serve_cert, serve_key)
    how = How(
        asked=AskedSync(config_path(config), tuple(tables or ()), watch_config), hang_ups=hang_ups, once=once,
        serve=Addresses(serve, metrics, serve_token_file, tls), accept_tables=frozenset(accept_table_id or ()),
        accept_deletes=accepted_deletes(accept_deletes, loaded), adopt_links=adopt_links,
        rekey=frozenset(table.name for table in loaded.chosen(rekey)) if rekey else frozenset(),
    )  # fmt: skip
    raise typer.Exit(run(loaded, chosen, stop, log, how))


@dataclass(frozen=True, slots=True)
class How:
    """How a sync is run."""

    asked: AskedSync
    hang_ups: HangUps
    once: bool
    adopt_links: bool
    serve: Addresses
    accept_tables: frozenset[str] = frozenset()
    accept_deletes: Mapping[str, int] = field(default_factory=dict)
    rekey: frozenset[str] = frozenset()


class Ended(Protocol):
    """Hears how a table ended; `quiet`: the log has it already."""

    def __call__(self, table: str, outcome: Outcome, *, quiet: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class SyncParts:
    """The parts of a sync that runs: its door to MySQL, what is seen of it, and who hears of its tables."""

    how: How
    mysql: MySQL
    stop: Stop
    log: Log
    view: SyncView
    source: StatusSource
    ended: Ended
    listener: Listener


def run(config: Config, chosen: Sequence[TableConfig], stop: Stop, log: Log, how: How) -> int:
    """Copy the chosen tables and tell how it goes; the exit code."""
    from twinrow.app.observe.watch import StatusSource
    from twinrow.app.output.progress import Bars, Watcher
    from twinrow.app.output.sync_view import SyncView
    from twinrow.app.serve.serving import serving
    from twinrow.app.wiring import mysql_of
    from twinrow.mysql_guard import unproved
    from twinrow.workers.fleet import Listener

    mysql, once, began = mysql_of(config), how.once, clock.monotonic()
    if why := unproved(config.mysql):
        log.event("warning", "unproved", "", f"{why} (add ?ssl_ca=FILE to `mysql.url`)")
    bars = Bars("items", drawn=not log.as_json, line=partial(log.event, "info", "progress"))
    view = SyncView(log, bars, once=once)
    source = StatusSource(mysql, chosen, lambda: bool(how.serve) or view.wants_status(), view.waiting)

    def described(description: TableDescription) -> None:
        text = f"about {description.items:,} items, {description.bytes:,} bytes"
        log.event("debug", "described", description.name, text)

    def ended(table: str, outcome: Outcome, *, quiet: bool = once) -> None:  # with --once it is reported at the end
        if outcome.error is not None:
            source.tell(table, str(outcome.error), outcome.error.commands)
            if not quiet:
                log.of_table("error", "ended", table, in_text(str(outcome.error)))
            if is_fault(outcome.error):
                # only with --verbose: an exception's own words may be an item's values
                log.event("debug", "fault", table, "".join(traceback.format_exception(outcome.error.__cause__)))

    work = SyncParts(how, mysql, stop, log, view, source, ended, Listener(log.waiting, view.watch, described, ended))
    with source, serving(how.serve, source, stop, log), bars:
        with Watcher(lambda: view.look(source.latest().status)):
            if once:
                outcomes, unused = _once(work, config, chosen)
            else:
                log.event("info", "started", "", f"copying {named([table.name for table in chosen])}; Ctrl-C stops")
                outcomes, unused = _on_and_on(work, config), False
        shown = _results(mysql, chosen, outcomes) if once and not stop else {}
        for entry in shown.values():
            view.draw(entry)
        log.flush(everything=True)
    took_s = clock.monotonic() - began
    if not once:
        log.event("info", "ended", "", f"stopped after {span(took_s)}")
        return _worst(outcomes, {})
    _tell_once(log, outcomes, shown, took_s)
    if unused and not stop and all(outcome.error is None for outcome in outcomes.values()):
        log.event("info", "unused", "", "--accept-table-id was not needed: no table was exchanged for another")
    if stop:
        complain(TwinrowError("stopped before the end", remedy="start it again: it goes on from where it was"))
        return 1
    return _worst(outcomes, shown)


def _once(work: SyncParts, config: Config, chosen: Sequence[TableConfig]) -> tuple[Mapping[str, Outcome], bool]:
    """How the tables ended, and whether a consent to another table was given that no table needed."""
    from twinrow.app.wiring import contexts_of
    from twinrow.workers.fleet import run_tables

    how = work.how
    contexts = contexts_of(
        config, chosen, work.stop, adopt_links=how.adopt_links, accept_tables=how.accept_tables,
        accept_deletes=how.accept_deletes, rekey=how.rekey, mysql=work.mysql,
    )  # fmt: skip
    outcomes = run_tables(contexts, work.mysql, once=True, listener=work.listener)
    return outcomes, bool(how.accept_tables) and not any(context.consent.took_table for context in contexts)


def _on_and_on(work: SyncParts, config: Config) -> Mapping[str, Outcome]:
    """Keep the tables as the configuration says, until the stop; how they ended."""
    from twinrow.app.beside import SideWork
    from twinrow.app.reload.keeper import Keeper, Means
    from twinrow.app.wiring import contexts_of
    from twinrow.workers.fleet import Fleet

    how, keepers = work.how, list[Keeper]()

    def build(config: Config, tables: Sequence[TableConfig]) -> Sequence[TableContext]:
        consents: dict[str, Any] = {}
        if not fleet.outcomes and not fleet.running:  # given for these runs, not for those that a reload begins later
            consents = {
                "accept_tables": how.accept_tables, "accept_deletes": how.accept_deletes, "rekey": how.rekey,
            }  # fmt: skip
        return contexts_of(config, tables, work.stop, adopt_links=how.adopt_links, mysql=work.mysql, **consents)

    def ended(table: str, outcome: Outcome) -> None:
        refused_again = isinstance(outcome.error, StartRefused) and any(table in keeper.retried for keeper in keepers)
        work.ended(table, outcome, quiet=refused_again)

    def stays(outcomes: Mapping[str, Outcome]) -> bool:
        return bool(how.serve) and any(_code(outcome, None) == 1 for outcome in outcomes.values())

    with (
        Fleet(work.mysql, replace(work.listener, on_end=ended), once=False) as fleet,
        SideWork(work.source, lambda: work.view.runs, work.log) as beside,
    ):
        means = Means(fleet, work.mysql, work.log, work.source, build, beside.follow, stays)
        keepers.append(Keeper(how.asked, config, means, how.hang_ups))
        keepers[0].run(work.stop)
        return fleet.outcomes


def _worst(outcomes: Mapping[str, Outcome], shown: Mapping[str, TableStatus]) -> int:
    """The exit code that counts most; 0 where there was no table."""
    codes = {_code(outcome, shown.get(name)) for name, outcome in outcomes.items()}
    return next((code for code in WORST_FIRST if code in codes), 0)


def _tell_once(log: Log, outcomes: Mapping[str, Outcome], shown: Mapping[str, TableStatus], took_s: float) -> None:
    """How each table of a `--once` ended; `told` are those that ended well. Errors of one cause are one line."""
    failed: dict[str, list[str]] = {}
    for name, outcome in outcomes.items():
        if outcome.error is not None:
            failed.setdefault(alike(str(outcome.error), name), []).append(name)
        elif name in shown:
            out(f"{_result(shown[name], outcome)}, {took_s:.1f} s")
    for names in failed.values():
        error = outcomes[names[0]].error
        if error is not None:
            _tell_error(log, names, error)


def _tell_error(log: Log, tables: Sequence[str], error: TwinrowError) -> None:
    """The error of a table, or the error that several tables have in common."""
    if len(tables) > 1:
        error = TwinrowError(f"{named(tables)}: {without_name(str(error), tables[0])}")
    if log.as_json:
        log.event("error", "ended", tables[0] if len(tables) == 1 else "", in_text(str(error)))
    else:
        complain(error)


def _results(mysql: MySQL, chosen: Sequence[TableConfig], outcomes: Mapping[str, Outcome]) -> dict[str, TableStatus]:
    """How the tables that ended well stand now; nothing is asked when none did."""
    from twinrow.app.observe.status import collect
    from twinrow.app.wiring import connect

    well = [table for table in chosen if outcomes[table.name].error is None]
    if not well:
        return {}
    session = connect(mysql)
    try:
        return {table.table: table for table in collect(session, well).tables}
    finally:
        session.close()


def _result(table: TableStatus, outcome: Outcome) -> str:
    text = f"{table.table}: {table.rows:,} rows in {table.into}"
    if table.dead_letters:
        text += f", {table.dead_letters:,} dead letters ({as_typed(f'twinrow dead-letters list {table.table}')})"
    if table.links_refused:
        text += f", {table.links_refused:,} items that cannot be linked"
    return text + (", by the sync that runs already" if outcome.left_to_holder else "")


def _code(outcome: Outcome, shown: TableStatus | None) -> int:
    if outcome.error is not None:
        return outcome.error.exit_code
    # Not known (None) is no difference: another process has just taken the table up, and has noted nothing yet.
    return 3 if shown is not None and shown.in_step is False else 0
