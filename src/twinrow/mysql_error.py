"""What the error numbers of MySQL and MariaDB mean: a trouble that passes, a refusal, or the fault of one row (pure).

Numbers below 1900 mean the same on both servers. From there on each has its own. The names are those of the manuals:
MySQL "Server Error Message Reference", MariaDB "Error Codes".
"""

from __future__ import annotations

from typing import Final

from twinrow.errors import ConnectionLost, TransactionRetry, Transient, TwinrowError
from twinrow.mysql_session import Flavour

LOST_CODES: Final[dict[Flavour, frozenset[int]]] = {
    # 1053 shutdown, 1152 to 1161 and 1184 network, 2006, 2013, 2014 and 2055 the driver's own, 4031 idle for too long
    "mysql": frozenset({1053, 1152, 1158, 1159, 1160, 1161, 1184, 2006, 2013, 2014, 2055, 4031}),
    # 1927 killed
    "mariadb": frozenset({1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2014, 2055}),
}
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
    2002: "MySQL does not answer",
    2003: "MySQL does not answer",
    2005: "MySQL's host name cannot be found",
    3024: "MySQL ended the statement: a time limit (max_execution_time) that Twinrow did not set",
    3032: "MySQL is in offline mode",
    3118: "the user's account is locked",
    3675: "MySQL is read-only",
    3989: "the MySQL database is read-only",
}
MARIADB_WAIT_CODES: Final[dict[int, str]] = {4151: "the user's account is locked"}

_GRANTS: Final = "grant the rights that `twinrow grants` prints"
_LOGIN: Final = "check user and password in `mysql.url`"
REMEDIES: Final[dict[int, str]] = {
    1044: f"{_GRANTS}, and check the database's name in `mysql.url`",
    1045: _LOGIN,
    1049: "create the database, or name another one in `mysql.url`",
    1142: _GRANTS,
    1143: _GRANTS,
    1227: _GRANTS,
    1130: "allow this host in MySQL's user table",
    1698: _LOGIN,
    3159: "the server wants TLS: add ?ssl_mode=REQUIRED to `mysql.url`",
}
RIGHTS_CODES: Final = frozenset({1044, 1142, 1143, 1227})
"""The only errors that are about rights."""
WITHHELD_CODES: Final = RIGHTS_CODES | {1045, 1130, 1698}
"""Rights and logins that somebody may give back."""
REFUSED_START_CODES: Final = frozenset({1044, 1045, 1049, 1698})
"""The configuration names a database, a user or a password that does not do: at a start nothing is waited for."""


class MySQLError(TwinrowError):
    """The server refused a statement for good; `code` is its error number."""

    def __init__(self, code: int, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.code = code


def meaning(code: int, text: str, flavour: Flavour, where: str) -> TwinrowError:
    """An error number as one of ours: ConnectionLost, TransactionRetry, Transient or MySQLError."""
    if code in RETRY_CODES:
        return TransactionRetry(f"{RETRY_CODES[code]} ({code}): {text}", where=where)
    if code in LOST_CODES[flavour]:
        return lost(text, where)
    waits = WAIT_CODES.get(code) or (MARIADB_WAIT_CODES.get(code) if flavour == "mariadb" else None)
    if waits is not None:
        return Transient(f"{waits} ({code}): {text}", where=where)
    return MySQLError(code, f"MySQL refuses ({code}): {text}", where=where, remedy=REMEDIES.get(code, ""))


def lost(text: str, where: str) -> ConnectionLost:
    """The error of a connection that broke."""
    return ConnectionLost(f"the connection to MySQL was lost: {text}", where=where)
