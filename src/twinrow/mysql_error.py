"""The meaning of the error numbers of MySQL and MariaDB: a passing trouble, a refusal, or the fault of a row (pure).

Numbers below 1900 mean the same on both servers. From there on each has its own. The names are those of the manuals:
MySQL "Server Error Message Reference", MariaDB "Error Codes".
"""

from __future__ import annotations

from typing import Final

from twinrow.errors import ConnectionLost, LockWait, ServerState, TransactionRetry, Transient, TwinrowError
from twinrow.flavour import Flavour

DUPLICATE_COLUMN: Final = 1060
NO_SUCH_TABLE: Final = 1146
BY_HAND_CODES: Final = frozenset({NO_SUCH_TABLE, 1054, 1364})
"""No such table, no such column, a column without a default: the copy's table may have been changed by hand."""

LOST_CODES: Final[dict[Flavour, frozenset[int]]] = {
    # 1053 shutdown, 1152 to 1161 and 1184 network, 2006, 2013, 2014 and 2055 the driver's own, 4031 idle for too long
    "mysql": frozenset({1053, 1152, 1158, 1159, 1160, 1161, 1184, 2006, 2013, 2014, 2055, 4031}),
    # 1927 killed
    "mariadb": frozenset({1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2014, 2055}),
}
LOCK_WAIT: Final = 1205
RETRY_CODES: Final[dict[int, str]] = {
    1020: "the row was changed by another session",
    1180: "MySQL could not commit",
    1205: "a lock in MySQL is held by another session",
    1213: "two transactions waited for each other",
    3100: "group replication refused the commit",
    3101: "group replication rolled the transaction back",
}
"""The whole transaction is run again."""
WAIT_CODES: Final[dict[int, str]] = {
    3: "MySQL cannot write a file",
    6: "MySQL cannot delete a file",
    28: "MySQL's disk is full",
    1021: "MySQL's disk is full",
    1026: "MySQL cannot write a file",
    1030: "MySQL's storage engine has trouble",
    1037: "MySQL is out of memory",
    1040: "MySQL has no connection free (max_connections)",
    1041: "MySQL is out of memory",
    1047: "this node of the cluster is not ready",
    1114: "MySQL's table or disk is full",
    1197: "MySQL's binlog cache is full",
    1203: "this user has no connection free",
    1226: "this user's resource limit is reached",
    1290: "MySQL is read-only",
    1317: "somebody ended the statement (KILL QUERY)",
    1412: "the table is being changed",
    1792: "MySQL's transaction is read-only",
    1820: "the user's password has expired",
    1836: "MySQL is read-only",
    1862: "the user's password has expired",
    1969: "MySQL ended the statement: a time limit (max_statement_time) that Twinrow did not set",
    3024: "MySQL ended the statement: a time limit (max_execution_time) that Twinrow did not set",
    3032: "MySQL is in offline mode",
    3118: "the user's account is locked",
    3675: "MySQL is read-only",
    3989: "the MySQL database is read-only",
}
NO_ANSWER_CODES: Final[dict[int, str]] = {
    2002: "MySQL does not answer",
    2003: "MySQL does not answer",
    2005: "MySQL's host name cannot be found",
}
MARIADB_WAIT_CODES: Final[dict[int, str]] = {4151: "the user's account is locked"}

_GRANTS: Final = "grant the rights that `twinrow grants` prints"
_NO_DATABASE: Final = "create the database, or name another database in `mysql.url`"
_LOGIN: Final = "check user and password in `mysql.url`"
REMEDIES: Final[dict[int, str]] = {
    1044: f"{_NO_DATABASE}, if it is not there: the server says that in the same words; else {_GRANTS}",
    1045: _LOGIN,
    1049: _NO_DATABASE,
    1142: _GRANTS,
    1143: _GRANTS,
    1227: _GRANTS,
    1130: "allow this host in MySQL's user table",
    1698: _LOGIN,
    3159: "the server requires TLS: add ?ssl_mode=REQUIRED to `mysql.url`",
}
RIGHTS_CODES: Final = frozenset({1044, 1142, 1143, 1227})
"""The only errors that are about rights."""
WITHHELD_CODES: Final = RIGHTS_CODES | {1045, 1130, 1698}
"""Rights and logins that somebody may give back."""
REFUSED_START_CODES: Final = frozenset({1044, 1045, 1049, 1698})
"""The configuration names a database, a user or a password that does not do: at a start nothing is waited for."""
KNOWN_CODES: Final = frozenset(REMEDIES)
"""Refusals that end a start: time does not mend them, a person does. An error that is not known waits."""


class MySQLError(TwinrowError):
    """The server refused a statement for good; `code` is its error number."""

    def __init__(self, code: int, what: str, *, where: str = "", remedy: str = "") -> None:
        commands = ("twinrow grants",) if remedy and code in RIGHTS_CODES else ()
        super().__init__(what, where=where, remedy=remedy, commands=commands)
        self.code = code


def meaning(code: int, text: str, flavour: Flavour, where: str) -> TwinrowError:
    """An error number as an error of ours: ConnectionLost, TransactionRetry, ServerState, Transient or MySQLError."""
    if code in RETRY_CODES:
        kind = LockWait if code == LOCK_WAIT else TransactionRetry
        return kind(f"{RETRY_CODES[code]} ({code}): {text}", where=where)
    if code in LOST_CODES[flavour]:
        return lost(text, where)
    waits = WAIT_CODES.get(code) or (MARIADB_WAIT_CODES.get(code) if flavour == "mariadb" else None)
    if waits is not None:
        return ServerState(f"{waits} ({code}): {text}", where=where)
    if code in NO_ANSWER_CODES:
        return Transient(f"{NO_ANSWER_CODES[code]}: {text}", where=where)
    return MySQLError(code, f"MySQL refuses ({code}): {text}", where=where, remedy=REMEDIES.get(code, ""))


def lost(text: str, where: str) -> ConnectionLost:
    """The error of a connection that broke."""
    return ConnectionLost(f"the connection to MySQL was lost: {text}", where=where)


CONTENT_CODES: Final = frozenset({
    1022, 1062, 1169, 1557, 1586, 1761, 1762,  # a key that another row has: a UNIQUE index of somebody's own, a cascade
    1048, 1263, 1138,  # NULL where a column, a generated one or a trigger's, takes none
    1118, 1713,  # the row is too large for a page, or for the undo log
    1153, 1162, 1301, 1406,  # too long for the packet, a function's result, a column
    1264, 1265, 1292, 1365, 1366, 1367, 1411, 1441, 1525, 1690,  # out of range, cut, no number, no date, by zero
    1299, 1300,  # a time that does not exist, bytes that are no text
    1216, 1217, 1451, 1452,  # a foreign key
    1416,  # no geometry
    1526, 1591, 1748, 1863,  # no partition takes it
    1643, 1644,  # a trigger refuses it (SIGNAL)
})  # fmt: skip
"""Errors that the content of a row can cause, by their number on both servers."""
CONTENT_CODES_OF: Final[dict[Flavour, frozenset[int]]] = {
    "mysql": frozenset({
        3020, 3513,  # LOG and bit operations of a generated column or a CHECK
        3037, 3055, 3616, 3617, 4032, 4033,  # geometry
        3140, 3141, 3144, 3146, 3147, 3150, 3151, 3155, 3156, 3157, 3158,  # JSON
        3665, 3666, 3669, 3903, 3904, 3934, 3966, 3967,  # JSON in JSON_TABLE, an index, JSON_SCHEMA_VALID, JSON_VALUE
        3698, 3699,  # a regular expression that this text is too much for
        3751, 3752, 3907,  # an index over an expression
        3819,  # a CHECK
        6136, 6137, 6138,  # a VECTOR
    }),
    "mariadb": frozenset({
        1916, 1917, 1918, 1977,  # a conversion
        4025,  # a CHECK, also that of a JSON column
        4035, 4036, 4037, 4038, 4039, 4040, 4178, 4179,  # JSON
    }),
}  # fmt: skip
NULL_CODES: Final = frozenset({1048, 1138, 1263})
"""NULL where a column takes none."""
HARMLESS_WARNING_CODES: Final = frozenset({1287, 1592, 1642, 1681})
"""Warnings under which each value is stored as it was sent: old syntax in a trigger, a statement that the binary log
calls unsafe, SIGNAL of a warning."""


def can_be_content(code: int, flavour: Flavour) -> bool:
    """Whether the content of a row can cause this error; that it did is proved by trying that row alone."""
    return code in CONTENT_CODES or code in CONTENT_CODES_OF[flavour]
