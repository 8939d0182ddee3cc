"""The tables in which Twinrow keeps its state, beside the rows they speak of, and their version."""

from __future__ import annotations

from twinrow.errors import StartRefused, Transient
from twinrow.flavour import COLLATION, Flavour
from twinrow.mysql import VERSION_MIN, Connection, MySQLError
from twinrow.mysql_error import DUPLICATE_COLUMN

VERSION = 3

_NAME = "table_name VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"
_HASH = "key_hash BINARY(16) NOT NULL"
_TIME = "DATETIME(6)"
KEEPS_OUT = "needs_twinrow_0_2_0"
"""A column without a default, of the row that whoever takes a lease writes.

Version 0.1.0 looks at the version of the state only when it begins to wait for a lease. Without this column such a
process would take over from a newer process, and write on under a state and a schema that it does not understand.
With it, MySQL refuses its lease, in words that name the column. From version 3 on `lease.acquire` looks by itself.
"""

DEFINITIONS = {
    "_twinrow_meta": "name VARCHAR(64) NOT NULL PRIMARY KEY, value VARCHAR(255) NOT NULL",
    "_twinrow_table": f"""{_NAME} PRIMARY KEY, into_table VARCHAR(64) NOT NULL, source_id VARCHAR(255) NOT NULL,
        config LONGTEXT NOT NULL, table_schema LONGTEXT NOT NULL, phase VARCHAR(16) NOT NULL, reason TEXT NOT NULL,
        started_at DOUBLE NOT NULL DEFAULT 0, snapshot_done_at DOUBLE NULL, caught_up_at DOUBLE NOT NULL DEFAULT 0,
        read_at DOUBLE NOT NULL DEFAULT 0, oldest_at DOUBLE NULL, backlog BIGINT NULL, retention_left_s DOUBLE NULL,
        reconciled_at DOUBLE NULL, items BIGINT NULL, verified LONGTEXT NULL, counters LONGTEXT NULL,
        fence BIGINT NOT NULL DEFAULT 0, begun_at DOUBLE NULL, ended_at DOUBLE NULL, reason_commands LONGTEXT NULL,
        source_arn TEXT NULL, cell_rules INT NOT NULL DEFAULT 0""",
    "_twinrow_lease": f"""{_NAME} PRIMARY KEY, fence BIGINT NOT NULL DEFAULT 0, holder VARCHAR(64) NOT NULL DEFAULT '',
        connection_id BIGINT NOT NULL DEFAULT 0, generation BIGINT NOT NULL DEFAULT 0,
        schema_version BIGINT NOT NULL DEFAULT 0, row_count BIGINT NOT NULL DEFAULT 0""",
    "_twinrow_refusal": f"{_NAME} PRIMARY KEY, reason TEXT NOT NULL, commands LONGTEXT NULL",
    "_twinrow_notice": f"""{_NAME}, kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        message TEXT NOT NULL, claimed_at {_TIME} NOT NULL, sent TINYINT NOT NULL DEFAULT 0,
        PRIMARY KEY (table_name, kind)""",
    "_twinrow_heartbeat": f"""{_NAME} PRIMARY KEY, fence BIGINT NOT NULL, deadline {_TIME} NOT NULL,
        waits_until {_TIME} NULL, waits_for TEXT NULL, {KEEPS_OUT} TINYINT NOT NULL""",
    "_twinrow_checkpoint": f"""{_NAME}, part VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        position LONGTEXT NULL, done TINYINT NOT NULL DEFAULT 0, read_at DOUBLE NOT NULL DEFAULT 0, info LONGTEXT NULL,
        PRIMARY KEY (table_name, part)""",
    "_twinrow_link": f"""{_NAME}, {_HASH}, item_key LONGTEXT NOT NULL, generation BIGINT NOT NULL,
        digest BINARY(16) NOT NULL,
        row_id BIGINT UNSIGNED NULL, mark TEXT NULL, attempts INT NOT NULL DEFAULT 0, due_at DOUBLE NOT NULL DEFAULT 0,
        refused TEXT NULL, PRIMARY KEY (table_name, key_hash)""",
    "_twinrow_recheck": f"""{_NAME}, {_HASH}, late TINYINT NOT NULL DEFAULT 0, item_key LONGTEXT NOT NULL,
        cause VARCHAR(190) NOT NULL, seq BIGINT NOT NULL DEFAULT 0, attempts INT NOT NULL DEFAULT 0,
        due_at DOUBLE NOT NULL DEFAULT 0, code INT NULL, message TEXT NULL,
        PRIMARY KEY (table_name, key_hash, late), KEY due (table_name, due_at)""",
    "_twinrow_foreign_link": f"""{_NAME}, {_HASH}, seen_id VARCHAR(190) NOT NULL, met INT NOT NULL DEFAULT 0,
        armed TINYINT NOT NULL DEFAULT 0, PRIMARY KEY (table_name, key_hash)""",
    "_twinrow_tombstone": f"""{_NAME}, {_HASH}, row_id BIGINT UNSIGNED NULL, at DOUBLE NOT NULL,
        PRIMARY KEY (table_name, key_hash)""",
    "_twinrow_dead_letter": f"""id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, {_NAME}, {_HASH},
        item_key LONGTEXT NOT NULL, item LONGTEXT NOT NULL, reason TEXT NOT NULL, first_at DOUBLE NOT NULL,
        last_at DOUBLE NOT NULL, attempts INT NOT NULL DEFAULT 1, row_id BIGINT UNSIGNED NULL,
        UNIQUE KEY one_per_key (table_name, key_hash)""",
    "_twinrow_gap": f"""id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, {_NAME}, shard VARCHAR(190) NOT NULL,
        cause VARCHAR(64) NOT NULL, from_at DOUBLE NULL, to_at DOUBLE NULL, found_at DOUBLE NOT NULL,
        closed_at DOUBLE NULL, lost_from DOUBLE NULL, mended_by VARCHAR(16) NULL, why TEXT NULL,
        KEY open_gaps (table_name, closed_at)""",
    "_twinrow_since_gap": f"{_NAME}, {_HASH}, PRIMARY KEY (table_name, key_hash)",
    "_twinrow_reborn": f"{_NAME}, {_HASH}, at DOUBLE NOT NULL, PRIMARY KEY (table_name, key_hash)",
    "_twinrow_schema_log": f"""id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, {_NAME}, version BIGINT NOT NULL,
        attribute LONGTEXT NOT NULL, column_name VARCHAR(64) NOT NULL, column_type VARCHAR(190) NOT NULL,
        before_type VARCHAR(190) NOT NULL, why TEXT NOT NULL, at DOUBLE NOT NULL, KEY of_table (table_name, id)""",
    "_twinrow_deferred": f"""{_NAME}, attribute_hash BINARY(16) NOT NULL, attribute LONGTEXT NOT NULL,
        kind VARCHAR(4) NOT NULL, wanted LONGTEXT NOT NULL, since DOUBLE NOT NULL, why TEXT NOT NULL,
        commands LONGTEXT NULL, rows_noted BIGINT NOT NULL DEFAULT 0, walked_to BIGINT UNSIGNED NOT NULL DEFAULT 0,
        entity TEXT NULL, PRIMARY KEY (table_name, attribute_hash)""",
    "_twinrow_mixed": f"""{_NAME}, attribute_hash BINARY(16) NOT NULL, attribute LONGTEXT NOT NULL,
        noted BIGINT NOT NULL DEFAULT 0, counted_values BIGINT NOT NULL DEFAULT 0, nulls BIGINT NOT NULL DEFAULT 0,
        kinds LONGTEXT NOT NULL, counted_at DOUBLE NULL, PRIMARY KEY (table_name, attribute_hash)""",
    "_twinrow_event": f"""{_NAME} PRIMARY KEY, source_arn VARCHAR(512) NOT NULL DEFAULT '', event_at DOUBLE NULL,
        scheduled_at DOUBLE NULL, mapping_id VARCHAR(64) NOT NULL DEFAULT '',
        mapping_state VARCHAR(64) NOT NULL DEFAULT '', mapping_at DOUBLE NULL""",
    "_twinrow_set_apart": f"{_NAME}, {_HASH}, PRIMARY KEY (table_name, key_hash)",
    "_twinrow_made": f"""{_NAME}, what VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        name VARCHAR(440) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, source_id VARCHAR(255) NOT NULL,
        at DOUBLE NOT NULL, PRIMARY KEY (table_name, what, name)""",
    "_twinrow_member": f"""holder VARCHAR(64) NOT NULL PRIMARY KEY, of_tables BINARY(16) NOT NULL,
        deadline {_TIME} NOT NULL, weight DOUBLE NOT NULL, held INT NOT NULL, waits INT NOT NULL""",
    "_twinrow_entity": f"""{_NAME}, number SMALLINT UNSIGNED NOT NULL, name TEXT NOT NULL, into_table VARCHAR(64) NULL,
        table_schema LONGTEXT NULL, row_count BIGINT NOT NULL DEFAULT 0, moved BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (table_name, number)""",
    "_twinrow_seen": f"""{_NAME}, pass_at DOUBLE NOT NULL, block BIGINT NOT NULL, bits BLOB NOT NULL,
        PRIMARY KEY (table_name, pass_at, block)""",
}  # fmt: skip

NAMES = tuple(sorted(DEFINITIONS, key=lambda name: name == "_twinrow_meta"))
"""The state's tables. `_twinrow_meta` comes last: whoever finds it (see `installed`) finds all the others."""

MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: ("ALTER TABLE `_twinrow_dead_letter` ADD COLUMN row_id BIGINT UNSIGNED NULL",),
    3: (
        "ALTER TABLE `_twinrow_table` ADD COLUMN fence BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE `_twinrow_table` ADD COLUMN begun_at DOUBLE NULL",
        "ALTER TABLE `_twinrow_table` ADD COLUMN ended_at DOUBLE NULL",
        "ALTER TABLE `_twinrow_table` ADD COLUMN reason_commands LONGTEXT NULL",
        "ALTER TABLE `_twinrow_table` ADD COLUMN source_arn TEXT NULL",
        "ALTER TABLE `_twinrow_table` ADD COLUMN cell_rules INT NOT NULL DEFAULT 0",
        "ALTER TABLE `_twinrow_recheck` ADD COLUMN code INT NULL",
        "ALTER TABLE `_twinrow_recheck` ADD COLUMN message TEXT NULL",
        "ALTER TABLE `_twinrow_deferred` ADD COLUMN commands LONGTEXT NULL",
        "ALTER TABLE `_twinrow_deferred` ADD COLUMN entity TEXT NULL",
        "ALTER TABLE `_twinrow_heartbeat` ADD COLUMN waits_until DATETIME(6) NULL",
        "ALTER TABLE `_twinrow_heartbeat` ADD COLUMN waits_for TEXT NULL",
        f"ALTER TABLE `_twinrow_heartbeat` ADD COLUMN {KEEPS_OUT} TINYINT NOT NULL",
        "ALTER TABLE `_twinrow_gap` ADD COLUMN lost_from DOUBLE NULL",
        "ALTER TABLE `_twinrow_gap` ADD COLUMN mended_by VARCHAR(16) NULL",
        "ALTER TABLE `_twinrow_gap` ADD COLUMN why TEXT NULL",
    ),
}
"""Statements that bring the state from the version before to this version.

Columns only, which the older program ignores.
"""
MOVES: dict[int, tuple[str, ...]] = {
    3: (
        """INSERT IGNORE INTO _twinrow_refusal (table_name, reason)
            SELECT table_name, COALESCE(position, '') FROM _twinrow_checkpoint WHERE part = 'refused'""",
        "DELETE FROM _twinrow_checkpoint WHERE part = 'refused'",
    ),
}
"""Statements that move data which an older version kept elsewhere, once the columns and tables are there.

Each statement may run twice: a process may be killed between two of them.
"""

_INSTALL_NAME = "CONCAT('twinrow state ', LEFT(SHA2(DATABASE(), 256), 32))"
INSTALL_WAIT_S = 60
"""Whoever makes or migrates the state is through in seconds, on a slow server too."""


def create_statements(flavour: Flavour) -> list[str]:
    """The CREATE TABLE statements of the state."""
    return [create_statement(name, flavour) for name in NAMES]


def create_statement(name: str, flavour: Flavour) -> str:
    """The CREATE TABLE statement of a single table of the state."""
    ending = f"ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {COLLATION[flavour]}"
    return f"CREATE TABLE IF NOT EXISTS `{name}` ({DEFINITIONS[name]}) {ending}"


def tables_there(connection: Connection) -> list[str]:
    """The state's tables that this database has, `_twinrow_meta` last."""
    found = connection.query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    there = {str(name) for (name,) in found}
    return [name for name in NAMES if name in there]


def installed(connection: Connection) -> bool:
    """Whether this database has Twinrow's state."""
    return bool(
        connection.query(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '_twinrow_meta'"
        )
    )


def check_version(connection: Connection) -> bool:
    """Whether there is a state that can be read. Raises StartRefused when another version of Twinrow wrote it."""
    version = _version(connection)
    if 0 < version < VERSION:
        raise StartRefused(
            f"its state is of version {version}, this Twinrow reads {VERSION}", where=connection.place,
            remedy="`twinrow sync` (or `sync --once`) migrates it; until then use the Twinrow that wrote it",
            commands=("twinrow sync",),
        )  # fmt: skip
    return version > 0


def _version(connection: Connection) -> int:
    """The version of the state that is here, 0 for none. Raises StartRefused when a newer Twinrow has written it."""
    if not installed(connection):
        return 0
    found = connection.query("SELECT value FROM _twinrow_meta WHERE name = 'version'")
    version = int(found[0][0]) if found else 0
    if version > VERSION:
        raise _newer(version, connection)
    return version


def refuse_another_version(tx: Connection) -> None:
    """For whoever is about to take a lease: the state may have been migrated, or restored, since this process began.

    Raises StartRefused for a newer state, Transient for an older state: the next start of the table migrates it.
    """
    found = tx.query("SELECT value FROM _twinrow_meta WHERE name = 'version'")
    version = int(found[0][0]) if found else 0
    if version > VERSION:
        raise _newer(version, tx)
    if version < VERSION:
        raise Transient(f"its state is of version {version} again, this Twinrow writes {VERSION}", where=tx.place)


def _newer(version: int, connection: Connection) -> StartRefused:
    return StartRefused(
        f"its state is of version {version}, this Twinrow knows {VERSION}", where=connection.place,
        remedy="use the newer Twinrow that wrote it",
    )  # fmt: skip


def install(connection: Connection) -> None:
    """Create what is missing, and migrate an older state.

    Raises StartRefused where the server is too old or a newer Twinrow wrote this state, Transient where another session
    is at it for long.
    """
    version = connection.version
    if not version.supported:
        # before the first statement, so that nothing is half made: rows need what is newer, as INVISIBLE columns
        wanted = ".".join(map(str, VERSION_MIN[version.flavour]))
        name = "MySQL" if version.flavour == "mysql" else "MariaDB"
        raise StartRefused(f"{name} {version.text} is too old", remedy=f"upgrade to {wanted} or newer")
    if _version(connection) == VERSION:
        return
    # all tables of all processes begin at once in a new database: side by side, their DDL would wait for each other
    if connection.query(f"SELECT GET_LOCK({_INSTALL_NAME}, {INSTALL_WAIT_S})") != [(1,)]:
        raise Transient("its state is being made by another session", where=connection.place)
    try:
        _make(connection, _version(connection))
    finally:
        if connection.open:  # a session that ended has let go of it
            connection.query(f"SELECT RELEASE_LOCK({_INSTALL_NAME})")


def _make(connection: Connection, before: int) -> None:
    """Create the tables and bring them from version `before` to this version. Raises StartRefused for a newer state."""
    if before == VERSION:
        return
    for statement in create_statements(connection.flavour):
        connection.execute(statement)
    for _, statements in sorted(moves for moves in MIGRATIONS.items() if moves[0] > before):
        for statement in statements:
            _add_column(connection, statement)
    for _, statements in sorted(moves for moves in MOVES.items() if moves[0] > before):
        for statement in statements:
            connection.execute(statement)
    connection.execute(
        "INSERT INTO _twinrow_meta (name, value) VALUES ('version', %s) ON DUPLICATE KEY UPDATE value = VALUES(value)",
        (str(VERSION),),
    )


def _add_column(connection: Connection, statement: str) -> None:
    """The column may exist: the state is new, another process migrates, or a process was killed while it migrated."""
    try:
        connection.execute(statement)
    except MySQLError as error:
        if error.code != DUPLICATE_COLUMN:
            raise
