"""`twinrow demo --single-table`: a shop's only table becomes five MySQL tables, while orders change their kind."""

from __future__ import annotations

from contextlib import ExitStack, closing

from twinrow import clock
from twinrow.app.demo import shop
from twinrow.app.demo import view as demo_view
from twinrow.app.demo.run import FIRST_COPY_S_MAX, LIVE_S_MAX, LOOK_S, Options, Sync, caught_up, page, stay, syncing
from twinrow.app.demo.servers import Place, place
from twinrow.app.observe.status import collect
from twinrow.app.terminal import out, say
from twinrow.app.verifying import SIDES
from twinrow.app.wiring import connect, dynamodb_of, mysql_of
from twinrow.clock import Stop
from twinrow.dynamodb import DynamoDB
from twinrow.dynamodb_error import NO_SUCH_TABLE, DynamoDBError
from twinrow.errors import TwinrowError
from twinrow.mysql import Connection, MySQL
from twinrow.schema.naming import quote
from twinrow.verify.reading import Reader
from twinrow.verify.verdict import Verdict
from twinrow.verify.verify import verify_table

JOIN = """\
SELECT c.city,
       COUNT(DISTINCT o.order_id)              AS orders,
       SUM(l.quantity)                         AS drinks,
       ROUND(SUM(l.price * l.quantity), 2)     AS paid
FROM {customers} c
JOIN {orders} o USING (customer_id)
JOIN {order_lines} l USING (order_id)
GROUP BY c.city
ORDER BY paid DESC"""
NAMES = ("city", "orders", "drinks", "paid")


def run(options: Options, stop: Stop) -> int:
    """The whole demo; the exit code: 0 when nothing differs, 3 otherwise."""
    began = clock.monotonic()
    with ExitStack() as stack:
        where = stack.enter_context(place(options.endpoint_url, options.mysql_url, "shop", shop.TABLE))
        dynamodb, mysql = dynamodb_of(where.config), mysql_of(where.config)
        if where.given:
            stack.callback(_clean_up, dynamodb, mysql, where)
        say(f"the shop's only table {where.table}: customers, orders, their lines, products, guards …")
        shop.create_table(dynamodb, where.table, stop)
        count = shop.fill(dynamodb, where.table, stop)
        stack.enter_context(page(options.serve, where, mysql, stop))
        with syncing(where, mysql, stop) as sync:
            _first_copy(sync, mysql, where, count)
            app = shop.Shop(dynamodb, where.table)
            _live(sync, app, mysql, where)
            caught_up(sync, dynamodb, mysql, where)
            verdict = _prove(sync, mysql, dynamodb, where, app, stop)
            say(f"{clock.monotonic() - began:.0f} s in all")
            stay(options, where, sync, stop)
    return 0 if verdict.in_step else 3


def _first_copy(sync: Sync, mysql: MySQL, where: Place, count: int) -> None:
    until = clock.monotonic() + FIRST_COPY_S_MAX
    with closing(connect(mysql)) as session:
        while collect(session, where.config.tables).tables[0].phase != "LIVE":
            sync.check()
            if clock.monotonic() > until:
                raise TwinrowError(
                    "the first copy takes too long on this machine", remedy="try again when it is less busy"
                )
            Stop().wait(LOOK_S)
    say(f"{count:,} items are copied, each into the table of its kind")


def _live(sync: Sync, app: shop.Shop, mysql: MySQL, where: Place) -> None:
    say(f"now the shop is open for {LIVE_S_MAX:.0f} s: orders come, are cancelled, and are taken up again")
    until = clock.monotonic() + LIVE_S_MAX
    app.start()
    try:
        with closing(connect(mysql)) as session:
            said_at = 0.0
            while clock.monotonic() < until:
                sync.check()
                if app.failed:
                    raise TwinrowError(app.failed)
                if clock.monotonic() - said_at >= demo_view.LINE_EVERY_S:
                    said_at = clock.monotonic()
                    say(f"  {app.ordered:,} orders, {app.moved:,} changed their kind; {_counts(session, where)}")
                Stop().wait(LOOK_S)
    finally:
        app.stop()


def _counts(session: Connection, where: Place) -> str:
    return ", ".join(f"{rows:,} {name}" for name, rows in _rows(session, where).items())


def _rows(session: Connection, where: Place) -> dict[str, int]:
    """The rows of each entity's table."""
    return {
        name: int(session.query(f"SELECT COUNT(*) FROM {quote(into)}")[0][0]) for name, into in _tables(where).items()
    }


def _tables(where: Place) -> dict[str, str]:
    """The MySQL table of each entity."""
    (table,) = where.config.tables
    return {entity.name: entity.into or entity.name for entity in table.entities if not entity.ignore}


def _prove(sync: Sync, mysql: MySQL, dynamodb: DynamoDB, where: Place, app: shop.Shop, stop: Stop) -> Verdict:
    table = sync.context.table
    out(f"\nmeanwhile {app.ordered:,} orders came and {app.moved:,} changed their kind; an analyst asks:\n")
    sql = JOIN.format(**{name: quote(into) for name, into in _tables(where).items()})
    with closing(connect(mysql)) as session:
        out(sql + ";\n")
        demo_view.grid(NAMES, [tuple(row) for row in session.query(sql)])
        out(f"rows: {_counts(session, where)}")
        verdict = verify_table(Reader(table.settings, dynamodb, session, table.read_budget, stop, mysql))
    found = sum(getattr(verdict, side) for side in SIDES)
    out(f"{verdict.items:,} items, {verdict.rows:,} rows, {found} differences")
    return verdict


def _clean_up(dynamodb: DynamoDB, mysql: MySQL, where: Place) -> None:
    """On servers that are not the demo's own nothing of it stays."""
    from twinrow.state import directory, entity, made, meta, tables

    try:
        dynamodb.call("delete_table", where=f"table {where.table}", TableName=where.table)
    except DynamoDBError as error:
        if error.code != NO_SUCH_TABLE:  # stopped before the table was made
            raise
    with closing(connect(mysql)) as session:
        known = tables.load(session, where.table) if meta.installed(session) else None
        if known is None:
            return
        for into in entity.tables_of(session, known):
            session.execute(f"DROP TABLE IF EXISTS {quote(into)}")
        directory.drop(session, where.table)
        with session.transaction() as tx:
            tables.forget(tx, where.table)
        made.forget(session, where.table)
