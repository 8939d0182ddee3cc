"""Pre-flight of MySQL: version, rights, collation, bulk loading, TLS, and what is in the way of a table."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from twinrow.app.check.finding import Finding
from twinrow.config import MySQLConfig
from twinrow.errors import Broken, ConnectionLost, StartRefused, TwinrowError
from twinrow.flavour import COLLATION
from twinrow.mysql import VERSION_MIN, Connection
from twinrow.mysql_error import NO_SUCH_TABLE, RIGHTS_CODES, MySQLError
from twinrow.schema.naming import quote
from twinrow.schema.table import from_json
from twinrow.sink import by_hand, inspect, row_keys
from twinrow.state import entity, meta, tables
from twinrow.state.tables import Registered
from twinrow.table.settings import Settings

FOR_SPEED = "CREATE TEMPORARY TABLES"
"""The only right that a sync can do without: see docs/permissions.md."""
REMEDIES = {
    1175: "SET GLOBAL sql_safe_updates = OFF",
    1665: "SET GLOBAL binlog_format = 'ROW', then start what is connected anew",
    3750: "SET GLOBAL sql_require_primary_key = OFF",
}
"""Remedies for a server on which a right does not help; the other errors are shown in the server's words."""
PACKET_BYTES_MIN = 4 * 1024 * 1024
"""An item has up to 400 KB; its row, escaped, several times that."""


def look(connection: Connection, config: MySQLConfig) -> Iterator[Finding]:
    """The findings about the server as a whole."""
    version = connection.version
    wanted = {"mysql": "MySQL 8.0.23", "mariadb": "MariaDB 10.6"}[version.flavour]
    if version.supported:
        yield Finding("", "MySQL version", "ok", version.text)
    else:
        yield Finding("", "MySQL version", "error", f"{version.text} is too old", f"upgrade to {wanted} or newer")
    yield _collation(connection)
    yield from _rights(connection)
    if connection.local_infile:
        yield Finding("", "local_infile", "ok", "on: rows are loaded in bulk")
    else:
        yield Finding(
            "", "local_infile", "warning", "off: a first copy takes about twice as long", "SET GLOBAL local_infile = ON"
        )
    if connection.packet_bytes_max < PACKET_BYTES_MIN:
        yield Finding(
            "", "max_allowed_packet", "warning",
            f"{connection.packet_bytes_max:,} bytes: the largest items may not fit",
            "SET GLOBAL max_allowed_packet = 67108864",
        )  # fmt: skip
    yield _tls(connection, config)
    try:
        meta.check_version(connection)
    except StartRefused as refusal:
        yield Finding("", "state", "error", refusal.what, refusal.remedy)


def _collation(connection: Connection) -> Finding:
    wanted = COLLATION[connection.flavour]
    if connection.query("SELECT 1 FROM information_schema.collations WHERE collation_name = %s", (wanted,)):
        return Finding("", "collation", "ok", f"{wanted} is there: texts stay as different as they are")
    oldest = ".".join(map(str, VERSION_MIN[connection.flavour]))
    return Finding("", "collation", "error", f"the server has no {wanted}", f"upgrade to {oldest} or newer")


def _rights(connection: Connection) -> Iterator[Finding]:
    """Each right is tried on a table of its own, which goes again; a failure for another reason is reported as such."""
    lacking: list[tuple[str, TwinrowError]] = []
    failing: list[tuple[str, TwinrowError]] = []
    for right, sql in _tries(quote(f"_twinrow_check_{uuid.uuid4().hex[:12]}")):
        try:
            connection.execute(sql)
        except ConnectionLost:
            raise
        except TwinrowError as error:
            if not isinstance(error, MySQLError):
                failing.append((right, error))
            elif error.code in RIGHTS_CODES:
                lacking.append((right, error))
            elif error.code != NO_SUCH_TABLE or not (lacking or failing):  # else it follows from what failed before
                failing.append((right, error))
    slow = [error for right, error in lacking if right == FOR_SPEED]
    needed = [(right, error) for right, error in lacking if right != FOR_SPEED]
    if slow:
        yield Finding(
            "", "MySQL rights", "warning", f"lacks {FOR_SPEED}, so changed rows take longer: {slow[0].what}",
            "run what `twinrow grants` prints",
        )  # fmt: skip
    if needed:
        names = ", ".join(right for right, _ in needed)
        yield Finding(
            "", "MySQL rights", "error", f"lacks {names}: {needed[0][1].what}", "run what `twinrow grants` prints"
        )
    elif not slow and not failing:
        yield Finding("", "MySQL rights", "ok", "all that is needed")
    yield from _failures(failing)


def _tries(name: str) -> tuple[tuple[str, str], ...]:
    """(right, statement) of the probe. Each table has a primary key, since a server may require it."""
    return (
        ("CREATE", f"CREATE TABLE {name} (n INT PRIMARY KEY, m INT NULL) ENGINE=InnoDB"),
        ("ALTER", f"ALTER TABLE {name} ADD COLUMN o INT NULL"),
        ("INSERT", f"INSERT INTO {name} (n) VALUES (1)"),
        ("SELECT", f"SELECT n FROM {name} WHERE n = 1 FOR UPDATE"),
        ("UPDATE", f"UPDATE {name} SET m = 1 WHERE n = 1"),
        ("DELETE", f"DELETE FROM {name} WHERE n = 1"),
        (FOR_SPEED, f"CREATE TEMPORARY TABLE {name} (n INT PRIMARY KEY) ENGINE=InnoDB"),
        ("DROP", f"DROP TEMPORARY TABLE IF EXISTS {name}"),
        ("DROP", f"DROP TABLE IF EXISTS {name}"),
    )


def _failures(failing: list[tuple[str, TwinrowError]]) -> Iterator[Finding]:
    """The failures despite the rights: a finding for each reason, in the server's own words."""
    failed: dict[str, tuple[list[str], TwinrowError]] = {}
    for right, error in failing:
        failed.setdefault(error.what, ([], error))[0].append(right)
    for what, (rights, error) in failed.items():
        code = error.code if isinstance(error, MySQLError) else 0
        remedy = error.remedy or REMEDIES.get(code, "look up what the server says: it is not about rights")
        yield Finding("", "MySQL statements", "error", f"{', '.join(dict.fromkeys(rights))}: {what}", remedy)


def _tls(connection: Connection, config: MySQLConfig) -> Finding:
    """Whether the connection is encrypted, and whether anything proves that the server is the intended server."""
    if not connection.encrypted:
        if not connection.remote:
            return Finding("", "TLS", "ok", "not encrypted, on this machine")
        return Finding(
            "", "TLS", "warning", "not encrypted", "add ?ssl_ca=FILE to `mysql.url`, at least ssl_mode=REQUIRED"
        )
    if config.ssl_mode.startswith("VERIFY"):
        return Finding("", "TLS", "ok", f"encrypted ({config.ssl_mode}: the certificate is verified)")
    security = f"encrypted ({config.ssl_mode}: the certificate is not verified"
    if not connection.remote:
        return Finding("", "TLS", "ok", f"{security}, which ssl_ca=FILE would do)")
    return Finding(
        "", "TLS", "warning", f"{security}: anybody in between could read the password and the data)",
        "add ?ssl_ca=FILE to `mysql.url`",
    )  # fmt: skip


def registered(connection: Connection, table: str) -> Registered | None:
    """The table's copy as MySQL knows it, if there is one."""
    return tables.load(connection, table) if meta.installed(connection) else None


def look_at_table(connection: Connection, settings: Settings, known: Registered | None) -> Finding:
    """Whether the MySQL table is free to be made, or ours and as it should be; `known` is the copy, if there is one."""
    begun = known is not None and known.phase == "NEW"  # ended before its table was made: begun again, as set today
    into = settings.into if known is None or begun else known.into_table
    there = bool(inspect.columns(connection, into))
    name = "MySQL table"
    if not there and (known is None or begun):
        return Finding(settings.table, name, "ok", f"`{into}` will be made")
    if known is None:
        return Finding(
            settings.table, name, "error", f"`{into}` is there, and is no copy of this table",
            "set another `into`, or rename it",
        )  # fmt: skip
    if not there:
        return Finding(settings.table, name, "error", f"`{into}` is gone", f"twinrow reset {settings.table} --yes")
    try:
        if not begun:
            by_hand.stop_unfit(connection, from_json(known.table_schema))
        for copy in entity.tables_of(connection, known):
            row_keys.refuse_unproved(connection, copy, settings.table)
            row_keys.refuse_others_unique(connection, copy)
    except (Broken, StartRefused) as refusal:
        return Finding(settings.table, name, "error", refusal.what, refusal.remedy)
    if known.phase == "BROKEN":
        return Finding(
            settings.table, name, "warning", f"`{into}` is BROKEN: {known.reason}", f"twinrow sync {settings.table}"
        )
    return Finding(settings.table, name, "ok", f"`{into}` is the copy, phase {known.phase}")
