"""The demo's output: a live picture of the changes, the analyst's SQL, an item beside its row."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from twinrow import clock
from twinrow.app.demo.app import Writer
from twinrow.app.demo.servers import Place
from twinrow.app.observe.status import TableStatus
from twinrow.app.terminal import can_redraw, out, say
from twinrow.change import Item
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.table.settings import Settings

if TYPE_CHECKING:
    from twinrow.flavour import SqlValue

DRAW_EVERY_S = 0.25
LINE_EVERY_S = 3.0
COLUMNS_PIPED = 120
SQL = """\
SELECT product,
       COUNT(*)                              AS reviews,
       ROUND(AVG(rating), 2)                 AS rating,
       ROUND(AVG(price), 2)                  AS price,
       SUM(helpful)                          AS helpful,
       ROUND(AVG(JSON_VALUE(flavour, '$.sweet')), 1) AS sweet
FROM {table}
GROUP BY product
ORDER BY rating DESC"""
NAMES = ("product", "reviews", "rating", "price", "helpful", "sweet")


class Picture:
    """The numbers as they move; plain lines where there is no terminal."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._said_at = 0.0

    def __enter__(self) -> Self:
        if can_redraw():
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, status: TableStatus, writer: Writer, left_s: float) -> None:
        """Draw it anew."""
        lag = "-" if status.lag_s is None else f"{status.lag_s:.1f} s"
        if self._live is not None:
            table = Table(box=SIMPLE_HEAD, pad_edge=False)
            for name in (
                "the app wrote",
                "new",
                "changed",
                "deleted",
                "changes copied",
                "links",
                "rows",
                "lag",
                "left",
            ):
                table.add_column(name, justify="right")
            table.add_row(
                f"{writer.writes:,}", f"{writer.added:,}", f"{writer.changed:,}", f"{writer.deleted:,}",
                f"{status.changes:,}", f"{status.links_paid:,}", f"{status.rows:,}", Text(lag, style="green"),
                f"{left_s:.0f} s",
            )  # fmt: skip
            self._live.update(table, refresh=True)
        elif clock.monotonic() - self._said_at >= LINE_EVERY_S:
            self._said_at = clock.monotonic()
            say(f"  the app wrote {writer.writes:,}; {status.rows:,} rows, {status.links_paid:,} links, lag {lag}")


def analyst(session: Connection, table: str) -> None:
    """The query that an analyst would run, and its result."""
    sql = SQL.format(table=table)
    out(sql + ";\n")
    grid(NAMES, [tuple(row) for row in session.query(sql)])


def side_by_side(session: Connection, settings: Settings, item: Item) -> None:
    """An item and its row: the same id on both sides."""
    link = item.get(settings.link_attribute, {}).get("N", "none")
    out(f"an item in DynamoDB, whose {settings.link_attribute} is {link}:\n")
    out("  " + json.dumps(item, ensure_ascii=False))
    copy_columns = [row[0] for row in session.query(f"SHOW COLUMNS FROM {quote(settings.into)}")]
    shown = [name for name in copy_columns if not str(name).startswith("_twinrow_")]
    rows = session.query(
        f"SELECT {', '.join(quote(str(name)) for name in shown)} FROM {quote(settings.into)} WHERE row_id = %s",
        (link,),
    )
    out(f"\nits row, SELECT * FROM {settings.into} WHERE row_id = {link}:\n")
    for name, value in zip(shown, rows[0] if rows else (), strict=False):
        out(f"  {name!s:12} {value}")
    out("")


def grid(names: tuple[str, ...], rows: list[tuple[SqlValue, ...]]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name == names[0] else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    Console(width=None if sys.stdout.isatty() else COLUMNS_PIPED, highlight=False).print(table)


def how_to_connect(where: Place) -> None:
    """The commands to type in another terminal."""
    mysql, source = where.config.mysql, where.config.dynamodb
    # Only the password of the demo's own server, which guards nothing, is shown.
    password = "" if where.given else f"={mysql.password}"
    what_goes = f", which takes {where.table} away again on both sides" if where.given else ""
    out(f"""
Page, sync and servers stay up until Ctrl-C{what_goes}. In another terminal:

  twinrow -c {where.path} status --watch
  twinrow -c {where.path} verify
  mysql --host={mysql.host} --port={mysql.port} --user={mysql.user} --password{password} {mysql.database}
  AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo aws dynamodb scan --max-items 1 \\
      --table-name {where.table} --endpoint-url {source.endpoint_url} --region {source.region}
""")
