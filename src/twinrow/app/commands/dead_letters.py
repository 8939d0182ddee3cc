"""`twinrow dead-letters`: items that no row can hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twinrow.app.observe.troubles import many
from twinrow.app.options import ConfigOption, JsonOption, load_config, table_names
from twinrow.app.terminal import complain, out, out_json, say
from twinrow.change import without_seal
from twinrow.config import Config
from twinrow.errors import ConfigError, StartRefused, TwinrowError

if TYPE_CHECKING:
    from twinrow.mysql import Connection
    from twinrow.state.dead_letter import DeadLetter

WorkArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TABLE|ID", help="Tables, or ids as `list` shows them; none: all.", show_default=False,
        autocompletion=table_names,
    ),
]  # fmt: skip

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Items that no row can hold, kept with the reason: list, retry, drop.\n\n\b\nExample:\n"
    "  twinrow dead-letters list\n  twinrow dead-letters retry reviews",
)


@app.command("list")
def list_letters(named: WorkArgument = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List every parked item with its key and the reason. Exit code 3 when there is a parked item.

    \b
    Example:
      twinrow dead-letters list reviews
      twinrow dead-letters list --json | jq '.dead_letters[].reason'
    """
    loaded = load_config(config)
    wanted = _split(loaded, named or [])
    with _session(loaded) as session:
        letters = _chosen(session, wanted)
    if as_json:
        out_json({"dead_letters": [_document(letter) for letter in letters]})
    else:
        for letter in letters:
            seen = many(letter.attempts, "time")
            out(f"{letter.id}  {letter.table}  {json.dumps(without_seal(letter.key))}  {letter.reason}  (seen {seen})")
        say(many(len(letters), "dead letter") if letters else "no dead letters")
    raise typer.Exit(3 if letters else 0)


@app.command()
def retry(named: WorkArgument = None, config: ConfigOption = None) -> None:
    """Read these items again, and write their rows where that is possible now.

    A running sync takes them over, and `dead-letters list` shows the items that stay parked. Without a running sync
    this command does the work itself, and its exit code is 3 when some items stay parked.

    \b
    Example:
      twinrow dead-letters retry 17
      twinrow dead-letters retry reviews
    """
    from twinrow.state import dead_letter, lease, recheck

    loaded = load_config(config)
    wanted = _split(loaded, named or [])
    with _session(loaded) as session:
        letters = _chosen(session, wanted)
        left, worst = 0, 0
        for table in sorted({letter.table for letter in letters}):
            mine = [letter for letter in letters if letter.table == table]
            recheck.add(session, table, [(letter.key_hash, letter.key) for letter in mine], recheck.RETRY)
            if lease.holder_of(session, table) is not None:
                out(f"{table}: {len(mine):,} handed to the sync that runs")
                continue
            try:
                _work_off(loaded, table)
            except TwinrowError as error:
                complain(error)
                worst = error.exit_code
            still = {letter.key_hash for letter in dead_letter.load(session, [table])} & {
                letter.key_hash for letter in mine
            }
            out(f"{table}: {len(mine) - len(still):,} of {len(mine):,} resolved")
            left += len(still)
    raise typer.Exit(worst or (3 if left else 0))


@app.command()
def drop(
    named: WorkArgument = None,
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Needed to drop all there are.")] = False,
) -> None:
    """Forget parked items. DynamoDB is not touched; their next write, or a reconcile, tries them anew.

    \b
    Example:
      twinrow dead-letters drop 17 18
      twinrow dead-letters drop reviews
    """
    from twinrow.state import dead_letter

    loaded = load_config(config)
    wanted = _split(loaded, named or [])
    with _session(loaded) as session:
        letters = _chosen(session, wanted)
        if letters and not named and not yes:
            raise StartRefused(
                f"this drops {many(len(letters), 'dead letter')}", remedy="name tables or ids, or say --yes"
            )
        for table in sorted({letter.table for letter in letters}):
            with session.transaction() as tx:
                dead_letter.resolve(tx, table, [letter.key_hash for letter in letters if letter.table == table])
    out(f"{len(letters):,} dropped")


@dataclass(frozen=True, slots=True)
class _Wanted:
    tables: tuple[str, ...]
    ids: tuple[int, ...]


def _split(config: Config, named: Sequence[str]) -> _Wanted:
    """Table names and ids, separated: a configured table's name is a table, another number is an id."""
    known = {table.name for table in config.tables}
    ids = tuple(int(name) for name in named if name not in known and name.isdecimal())
    names = [name for name in named if name in known or not name.isdecimal()]
    return _Wanted(tuple(table.name for table in config.chosen(names)), ids)


def _session(config: Config) -> closing[Connection]:
    from twinrow.app.wiring import connect, mysql_of

    return closing(connect(mysql_of(config)))


def _chosen(session: Connection, wanted: _Wanted) -> list[DeadLetter]:
    from twinrow.state import dead_letter, meta

    if not meta.check_version(session):
        return []
    letters = dead_letter.load(session, wanted.tables, wanted.ids)
    missing = set(wanted.ids) - {letter.id for letter in letters}
    if missing:
        raise ConfigError(f"there is no dead letter {min(missing)}", remedy="twinrow dead-letters list")
    return letters


def _work_off(config: Config, table: str) -> None:
    from twinrow.app.signals import stop_on_signals
    from twinrow.app.wiring import contexts_of
    from twinrow.workers.held import work_off_rechecks

    stop = stop_on_signals()
    (context,) = contexts_of(config, config.chosen([table]), stop)
    work_off_rechecks(context, context.table.mysql, stop)


def _document(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id, "table": letter.table, "key": without_seal(letter.key), "item": without_seal(letter.item),
        "reason": letter.reason, "attempts": letter.attempts, "first_at": letter.first_at, "last_at": letter.last_at,
    }  # fmt: skip
