"""`twinrow demo`: 10,000 items, a live writer, a sync on the pending index, and the proof. Ends by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from twinrow import clock
from twinrow.app.check import fixes as check_fixes
from twinrow.app.demo import app as demo_app
from twinrow.app.demo import view as demo_view
from twinrow.app.demo.servers import Place, place
from twinrow.app.logs import Log
from twinrow.app.observe.status import TableStatus, collect
from twinrow.app.observe.watch import StatusSource
from twinrow.app.output.progress import Bars
from twinrow.app.serve.serving import Addresses, serving
from twinrow.app.terminal import out, say
from twinrow.app.wiring import connect, contexts_of, dynamodb_of, mysql_of
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import NO_SUCH_TABLE, DynamoDBError
from twinrow.errors import TwinrowError
from twinrow.mysql import MySQL
from twinrow.schema.naming import quote
from twinrow.sync.kind import kind_of
from twinrow.table.table import Table
from twinrow.verify.reading import Reader
from twinrow.verify.verdict import Verdict
from twinrow.verify.verify import verify_table
from twinrow.workers.fleet import Listener, run_tables
from twinrow.workers.run import Outcome

LIVE_S_MAX = 14.0
LIVE_S_MIN = 4.0
LIVE_ENDS_S = 42.0
"""Live writing ends so long after the start at the latest, so that the whole demo stays within a minute."""
PAGE = "127.0.0.1:8642"
PAGE_ANYWHERE = "127.0.0.1:0"
FIRST_COPY_S_MAX = 45.0
CATCH_UP_S_MAX = 15.0
LOOK_S = 0.1
ENTER_LOOK_S = 0.5
"""Between two looks at a key press and at the sync."""


@dataclass(frozen=True)
class Options:
    """The options of the user. `is_entered`: whether Enter is pressed within so many seconds; None: nobody is there."""

    endpoint_url: str | None
    mysql_url: str | None
    keep: bool
    serve: str | None = None
    is_entered: Callable[[float], bool] | None = None


class Sync:
    """A sync of the demo's table in a thread."""

    def __init__(self, where: Place, mysql: MySQL, stop: Stop) -> None:
        self._stop = Stop()
        (self.context,) = contexts_of(where.config, where.config.tables, self._stop, mysql=mysql)
        self._outcome: Outcome | None = None
        self._mysql = mysql
        self._user_stop = stop
        self._thread = threading.Thread(target=self._run, name="demo-sync", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        listener = Listener(lambda table, why: say(f"{table}: {why}"))
        outcomes = run_tables([self.context], self._mysql, once=False, listener=listener)
        self._outcome = outcomes[self.context.name]

    def check(self) -> None:
        """Raise what the sync ended with, or that the user wants to stop."""
        if self._outcome is not None and self._outcome.error is not None:
            raise self._outcome.error
        if self._user_stop:
            raise TwinrowError("stopped")

    def stop(self) -> None:
        """End it after the batch in hand."""
        self._stop.set()
        self._thread.join()


def run(options: Options, stop: Stop) -> int:
    """The whole demo; the exit code: 0 when nothing differs, 3 otherwise."""
    began = clock.monotonic()
    with ExitStack() as stack:
        where = stack.enter_context(place(options.endpoint_url, options.mysql_url))
        dynamodb, mysql = dynamodb_of(where.config), mysql_of(where.config)
        if where.given:
            stack.callback(_clean_up, dynamodb, mysql, where.table)
        _before(dynamodb, where, stop)
        stack.enter_context(page(options.serve, where, mysql, stop))
        with syncing(where, mysql, stop) as sync:
            _first_copy(sync, mysql, where)
            writer = demo_app.Writer(dynamodb, where.table)
            live_s = max(LIVE_S_MIN, min(LIVE_S_MAX, LIVE_ENDS_S - (clock.monotonic() - began)))
            _live(sync, writer, mysql, where, live_s)
            caught_up(sync, dynamodb, mysql, where)
            verdict = _prove(sync.context.table, mysql, dynamodb, where, writer, stop)
            say(f"{clock.monotonic() - began:.0f} s in all")
            stay(options, where, sync, stop)
    return 0 if verdict.in_step else 3


def stay(options: Options, where: Place, sync: Sync, stop: Stop) -> None:
    """Page, sync and servers stay up as the user wants it."""
    if options.keep:
        demo_view.how_to_connect(where)
        while not stop.wait(1.0):
            sync.check()
    elif options.is_entered is not None:
        say("page, sync and servers stay up until you press Enter")
        while not stop and not options.is_entered(ENTER_LOOK_S):
            sync.check()


@contextmanager
def page(address: str | None, where: Place, mysql: MySQL, stop: Stop) -> Iterator[None]:
    """The page: at `address`, else at its usual address or, where that is taken, on any port."""
    log = Log(as_json=False, verbose=False)
    with ExitStack() as stack:
        source = stack.enter_context(StatusSource(mysql, where.config.tables))
        try:
            stack.enter_context(serving(Addresses(address or PAGE, show_token=True), source, stop, log))
        except TwinrowError:
            if address is not None:
                raise
            stack.enter_context(serving(Addresses(PAGE_ANYWHERE, show_token=True), source, stop, log))
        yield


@contextmanager
def syncing(where: Place, mysql: MySQL, stop: Stop) -> Iterator[Sync]:
    sync = Sync(where, mysql, stop)
    try:
        yield sync
    finally:
        sync.stop()


def _before(dynamodb: DynamoDB, where: Place, stop: Stop) -> None:
    """The app's table as it was, and the index that `check --fix` adds to it."""
    say(f"the app's table {where.table}: {demo_app.ITEMS_BEFORE:,} reviews in DynamoDB …")
    demo_app.create_table(dynamodb, where.table, stop)
    demo_app.fill(dynamodb, where.table, stop)
    (context,) = contexts_of(where.config, where.config.tables, stop)
    description = dynamodb.describe(where.table)
    change = kind_of(context.settings).fix(context.settings, description)
    if change is not None:
        fix = check_fixes.fix_of(dynamodb, description, change, context.table.mysql)
        say(f"as `twinrow check --fix` does: {fix.what}")
        fix.act(stop)


def _status(mysql: MySQL, where: Place) -> TableStatus:
    with closing(connect(mysql)) as session:
        return collect(session, where.config.tables).tables[0]


def _first_copy(sync: Sync, mysql: MySQL, where: Place) -> None:
    until = clock.monotonic() + FIRST_COPY_S_MAX
    with Bars("items") as bars, closing(connect(mysql)) as session:
        while True:
            sync.check()
            status = collect(session, where.config.tables).tables[0]
            linked = min(status.links_paid, demo_app.ITEMS_BEFORE)
            bars.tell(where.table, linked, demo_app.ITEMS_BEFORE, "copied and linked")
            if linked >= demo_app.ITEMS_BEFORE and status.phase == "LIVE":
                break
            if clock.monotonic() > until:
                raise TwinrowError(
                    "the first copy takes too long on this machine", remedy="try again when it is less busy"
                )
            clock.Stop().wait(LOOK_S)
    say(f"{demo_app.ITEMS_BEFORE:,} items are rows, and every item carries the id of its row")


def _live(sync: Sync, writer: demo_app.Writer, mysql: MySQL, where: Place, live_s: float) -> None:
    say(f"now the app writes {demo_app.WRITES_PER_S} times a second, for {live_s:.0f} s: new, changed, deleted by mark")
    until = clock.monotonic() + live_s
    writer.start()
    try:
        with demo_view.Picture() as picture, closing(connect(mysql)) as session:
            while (left := until - clock.monotonic()) > 0:
                sync.check()
                if writer.failed:
                    raise TwinrowError(writer.failed)
                status = collect(session, where.config.tables).tables[0]
                picture.show(status, writer, left)
                clock.Stop().wait(demo_view.DRAW_EVERY_S)
    finally:
        writer.stop()


def caught_up(sync: Sync, dynamodb: DynamoDB, mysql: MySQL, where: Place) -> None:
    """Wait until everything that the app wrote is a row and linked."""
    at, until = dynamodb.clock.latest(), clock.monotonic() + CATCH_UP_S_MAX
    while True:
        sync.check()
        status = _status(mysql, where)
        if (status.caught_up_at or 0.0) > at and status.unlinked == 0 and status.rechecks == 0:
            return
        if clock.monotonic() > until:
            raise TwinrowError(
                "does not catch up", where=f"table {where.table}", remedy=f"reason: {status.reason or 'unknown'}"
            )
        clock.Stop().wait(LOOK_S)


def _prove(
    table: Table, mysql: MySQL, dynamodb: DynamoDB, where: Place, writer: demo_app.Writer, stop: Stop
) -> Verdict:
    counts = f"added {writer.added:,}, changed {writer.changed:,} and deleted {writer.deleted:,} reviews"
    out(f"\nmeanwhile the app {counts}; an analyst asks:\n")
    with closing(connect(mysql)) as session:
        demo_view.analyst(session, quote(table.settings.into))
        items = dynamodb.get_items(where.table, [writer.last_key()], table.read_budget, stop)
        if items:
            demo_view.side_by_side(session, table.settings, items[0])
        verdict = verify_table(Reader(table.settings, dynamodb, session, table.read_budget, stop, mysql))
    found = verdict.missing + verdict.extra + verdict.different + verdict.unlinked + verdict.unsettled
    out(f"{verdict.items:,} items, {verdict.rows:,} rows, {found} differences")
    return verdict


def _clean_up(dynamodb: DynamoDB, mysql: MySQL, table: str) -> None:
    """On servers that are not the demo's own nothing of it stays."""
    from twinrow.state import made, meta, tables

    try:
        dynamodb.call("delete_table", where=f"table {table}", TableName=table)
    except DynamoDBError as error:
        if error.code != NO_SUCH_TABLE:  # stopped before the table was made
            raise
    with closing(connect(mysql)) as session:
        session.execute(f"DROP TABLE IF EXISTS {quote(table)}")
        if meta.installed(session):
            with session.transaction() as tx:
                tables.forget(tx, table)
        made.forget(session, table)
