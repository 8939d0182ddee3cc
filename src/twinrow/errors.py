"""Errors, each with the three things that a person needs to mend it: what, where, remedy."""

from __future__ import annotations

from dataclasses import dataclass

FAULT = "fault in Twinrow"


class TwinrowError(Exception):
    """An error with a remedy; the command line prints it in one line and exits with `exit_code`.

    `what` says what is wrong, `where` names the table, key, file or server, `remedy` how to mend it. `commands` are the
    commands that the remedy names, whole and in their order: `status` and page offer them, and read no sentence.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "", commands: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy
        self.commands = commands

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.remedy})" if self.remedy else text


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something waits or ended, in a sentence (empty: it does not), and the commands that mend it."""

    text: str = ""
    commands: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is a reason."""
        return bool(self.text)


def reason_of(error: TwinrowError) -> Reason:
    """An error as it is kept for `status`."""
    return Reason(str(error), error.commands)


class ConfigError(TwinrowError):
    """The configuration or the command's use is wrong; nothing was done."""

    exit_code = 2


class StartRefused(TwinrowError):
    """Going on would harm something; nothing was done, the remedy names the command that helps.

    `by_fix`: whether `check --fix` can mend it.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, where: str = "", remedy: str = "", commands: tuple[str, ...] = (), by_fix: bool = False
    ) -> None:
        super().__init__(what, where=where, remedy=remedy, commands=commands)
        self.by_fix = by_fix


class Transient(TwinrowError):
    """A trouble that passes: tried again with back-off for as long as it takes, shown in `status`."""


class Throttled(Transient):
    """DynamoDB asked us to slow down; the budget is halved meanwhile."""


class ServerState(Transient):
    """MySQL answers, but does not work now (read-only, offline, full, a locked account): its operator changes that."""


class ConnectionLost(Transient):
    """The connection to MySQL broke; what the server did with the last statement is unknown."""


class TransactionRetry(Transient):
    """A deadlock, a lock wait, a commit that was refused: the whole transaction is run again."""


class LockWait(TransactionRetry):
    """Another session held a lock for as long as we wait for a lock: it may hold it for hours."""


class SchemaBusy(Transient):
    """Another session changes the table's schema just now; values wait in extra meanwhile."""


class LeaseLost(TwinrowError):
    """Another process holds the table's lease now; this process must not write another row."""


class NotSent(TwinrowError):
    """A write to DynamoDB was signed, but it was not sent: by then this process no longer held the lease for it."""


class SchemaMoved(TwinrowError):
    """The table's schema was changed since the rows were built; they are built anew."""


class Broken(TwinrowError):
    """This table stops (phase BROKEN) until a person acts; the other tables go on."""


def fault_text(error: Exception) -> str:
    """The kind of an unexpected exception, and the place where it arose.

    Not its own words: a KeyError names an item's key, a UnicodeEncodeError the whole text.
    """
    place, at = "", error.__traceback__
    while at is not None:
        module = str(at.tb_frame.f_globals.get("__name__", ""))
        if module.startswith("twinrow"):
            place = f" in {module}, line {at.tb_lineno}"
        at = at.tb_next
    return f"{FAULT}: {type(error).__name__}{place}"


def fault_of(error: Exception, table: str) -> Broken:
    """The error that a table ends with for an exception that nobody thought of; the exception is its cause."""
    broken = Broken(fault_text(error), where=f"table {table}", remedy="please report it")
    broken.__cause__ = error
    return broken


def is_fault(error: TwinrowError) -> bool:
    """Whether an error came of `fault_of`, so that its cause is worth a report."""
    return isinstance(error, Broken) and error.__cause__ is not None and error.what.startswith(FAULT)
