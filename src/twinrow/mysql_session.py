"""The variables of a session of MySQL or MariaDB, as one list: a statement sets them, another reads them back (pure).

A default of the server, an `init_connect` or a connection pooler may have set any of these: nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from twinrow.errors import StartRefused
from twinrow.flavour import COLLATION, Flavour

LOCK_WAIT_S: Final = 5
"""InnoDB row locks: bounded, so that a blocked transaction is retried and `status` can say why."""
DDL_LOCK_WAIT_S: Final = 3
"""Metadata locks: the server's default is a year, and every reader queues behind a waiting ALTER."""
IDLE_S_MAX: Final = 28_800
"""A session that nobody bounds further ends after so long without a statement (the servers' own default)."""
SQL_MODE: Final = "STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
NO_LIMIT: Final = 2**64 - 1
UNKNOWN_VARIABLE: Final = 1193
RENAMED_ON_MARIADB: Final = (11, 1, 0)
"""From here on MariaDB calls the isolation as MySQL does, and warns of the old names."""


class SessionRefused(StartRefused):
    """The server does not let a session be what Twinrow's statements rest on. A running sync waits until it does."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A session variable, the value that it must have, and what would go wrong with another value."""

    name: str
    value: str | int
    why: str

    @property
    def assignment(self) -> str:
        """The variable's part of a SET statement."""
        value = self.value if isinstance(self.value, int) else f"'{self.value}'"
        return f"@@SESSION.{self.name} = {value}"

    def is_met_by(self, found: object) -> bool:
        """Whether a value that was read back is the wanted value; the parts of a list may come in any order."""
        if isinstance(self.value, int):
            return isinstance(found, int | float) and found == self.value
        return set(self.value.upper().split(",")) == set(str(found).upper().split(","))


def variables(flavour: Flavour, version: tuple[int, int, int], idle_s: int) -> tuple[Variable, ...]:
    """All that a session is set to. `idle_s`: the server ends it after so long without a statement."""
    collation = COLLATION[flavour]
    both = (
        Variable("autocommit", 1, "single statements would never be committed, and lock each other out"),
        Variable("completion_type", "NO_CHAIN", "a COMMIT would begin the next transaction, or end the session"),
        Variable("sql_mode", SQL_MODE, "values would be cut to fit, and 0 would become the next row id"),
        Variable("sql_select_limit", NO_LIMIT, "a SELECT would leave out rows"),
        Variable("sql_big_selects", 1, "a SELECT over a large table would be refused"),
        Variable("sql_safe_updates", 0, "an UPDATE or DELETE without an index would be refused"),
        Variable("sql_auto_is_null", 0, "IS NULL would find the row that was inserted last"),
        Variable("sql_notes", 1, "nothing would show that a value is rounded"),
        Variable("unique_checks", 1, "a second row of an item could be let in"),
        Variable("foreign_key_checks", 1, "rows that other tables refer to could be deleted"),
        Variable("time_zone", "+00:00", "times would be those of another zone"),
        Variable("character_set_client", "utf8mb4", "texts would be taken for another character set"),
        Variable("character_set_results", "utf8mb4", "texts would come in another character set"),
        Variable("character_set_connection", "utf8mb4", "texts would be converted on their way"),
        Variable("collation_connection", collation, "texts that differ in case or spaces would be equal"),
        Variable("div_precision_increment", 4, "quotients would have other digits"),
        Variable("group_concat_max_len", 1_048_576, "a list would be cut"),
        Variable("wait_timeout", idle_s, "a session that nobody uses would hold its locks, or be ended too early"),
        Variable(
            "innodb_lock_wait_timeout", LOCK_WAIT_S, "a wait for a row's lock would be as long as the server likes"
        ),
        Variable("lock_wait_timeout", DDL_LOCK_WAIT_S, "every reader would queue behind an ALTER that waits"),
    )
    if flavour == "mysql":
        return (*both, *_isolation("transaction_isolation", "transaction_read_only"), *_MYSQL)
    new_names = version >= RENAMED_ON_MARIADB
    names = ("transaction_isolation", "transaction_read_only") if new_names else ("tx_isolation", "tx_read_only")
    return (*both, *_isolation(*names), *_MARIADB)


def _isolation(isolation: str, read_only: str) -> tuple[Variable, Variable]:
    return (
        Variable(isolation, "READ-COMMITTED", "a transaction would not see what others have committed"),
        Variable(read_only, 0, "a transaction could write nothing"),
    )


_MYSQL: Final = (Variable("max_execution_time", 0, "a SELECT over a large table would be ended before its end"),)
_MARIADB: Final = (
    Variable("max_statement_time", 0, "a statement over a large table would be ended before its end"),
    Variable("check_constraint_checks", 1, "JSON that is none could be let in"),
    Variable("sql_if_exists", 0, "an ALTER that finds its column there would pass as done"),
    Variable("alter_algorithm", "DEFAULT", "an ALTER that must rebuild the table would be refused"),
    Variable("idle_transaction_timeout", 0, "a transaction that waits for DynamoDB would lose its session"),
    Variable("idle_write_transaction_timeout", 0, "a transaction that waits for DynamoDB would lose its session"),
    Variable("idle_readonly_transaction_timeout", 0, "a comparison that waits for DynamoDB would lose its session"),
)


def setting(wanted: Sequence[Variable]) -> str:
    """The statement that sets them all."""
    return "SET " + ", ".join(variable.assignment for variable in wanted)


def reading(wanted: Sequence[Variable]) -> str:
    """The statement that reads them all back, in their order."""
    return "SELECT " + ", ".join(f"@@SESSION.{variable.name}" for variable in wanted)


def check(wanted: Sequence[Variable], found: Sequence[object], place: str) -> None:
    """Raise SessionRefused for the first variable that has another value than it was set to."""
    for variable, value in zip(wanted, found, strict=True):
        if not variable.is_met_by(value):
            raise SessionRefused(
                f"the session variable {variable.name} stays {value!r}, Twinrow needs {variable.value!r}: else "
                f"{variable.why}",
                where=place,
                remedy=f"let this user set {variable.name}, and look at init_connect and at any pooler between",
            )  # fmt: skip
