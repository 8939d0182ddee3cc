"""The only door to MySQL and MariaDB: connections whose session says everything that a server default could bend."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pymysql
import pymysql.connections
import pymysql.converters
import pymysql.err
from pymysql.constants import FIELD_TYPE

from twinrow import clock
from twinrow.clock import ServerClock
from twinrow.errors import ConfigError, ConnectionLost, Transient, TwinrowError
from twinrow.failpoint import fail_point
from twinrow.flavour import Flavour, SqlValue
from twinrow.mysql_error import MARIADB_WAIT_CODES, WITHHELD_CODES, MySQLError, lost, meaning
from twinrow.mysql_guard import UNREADABLE, Driver, TLSSettings, reach, tls_of, trust_of
from twinrow.mysql_login import LOGIN_REFUSED, Login, LoginSettings, logins_of
from twinrow.mysql_pool import SESSIONS_MAX, Pool
from twinrow.mysql_session import IDLE_S_MAX, UNKNOWN_VARIABLE, Variable, reading, setting, variables
from twinrow.mysql_session import check as check_session
from twinrow.mysql_text import without_values

__all__ = [
    "READ_TIMEOUT_S", "STATEMENT_BYTES_MAX", "VERSION_MIN", "WITHHELD_CODES", "Connection", "MySQL", "MySQLError",
    "ServerSettings", "ServerVersion", "tls_of", "translate", "version_of",
]  # fmt: skip


READ_TIMEOUT_S = 120
CLOCK_EVERY_S = 60.0
"""Time between two reads of the server's clock: by then the clocks have drifted apart by a few milliseconds."""
STATEMENT_BYTES_MAX = 4_000_000
VERSION_MIN: dict[str, tuple[int, int, int]] = {"mysql": (8, 0, 23), "mariadb": (10, 6, 0)}


class ServerSettings(TLSSettings, LoginSettings, Protocol):
    """The settings of a connection (config.MySQLConfig has them)."""

    @property
    def database(self) -> str: ...
    @property
    def ssl_ca(self) -> str | None: ...
    @property
    def ssl_cert(self) -> str | None: ...
    @property
    def ssl_key(self) -> str | None: ...
    @property
    def connect_timeout_s(self) -> float: ...


def _decoders() -> dict[int, Any]:
    """PyMySQL's decoders without those that bend: dates and times stay the server's text."""
    kept = dict(pymysql.converters.decoders)
    for code in (FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATE, FIELD_TYPE.TIME):
        kept.pop(code, None)
    return kept


_CONV: dict[Any, Any] = {**pymysql.converters.encoders, **_decoders()}


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """Flavour and version of a server, as it tells them."""

    flavour: Flavour
    number: tuple[int, int, int]
    text: str

    @property
    def supported(self) -> bool:
        """Whether Twinrow works with it."""
        return self.number >= VERSION_MIN[self.flavour]


def version_of(text: str) -> ServerVersion:
    """Parse `SELECT VERSION()`: `9.7.1-debian`, `10.11.6-MariaDB`, `5.5.5-10.6.1-MariaDB`."""
    flavour: Flavour = "mariadb" if "mariadb" in text.lower() else "mysql"
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text.removeprefix("5.5.5-") if flavour == "mariadb" else text)
    number = (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)
    return ServerVersion(flavour, number, text)


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.ssl_mode == "DISABLED" or (settings.unix_socket and settings.ssl_mode == "PREFERRED"):
        return None
    verify = settings.ssl_mode.startswith("VERIFY")
    try:
        # without verification the system's certificates are of no use, and loading them takes 35 ms
        context = (
            ssl.create_default_context(cafile=settings.ssl_ca) if verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        context.check_hostname = settings.ssl_mode == "VERIFY_IDENTITY"
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        if settings.ssl_cert:
            context.load_cert_chain(settings.ssl_cert, settings.ssl_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"a TLS file cannot be used: {error}", where="mysql.url", remedy="check ssl_ca, ssl_cert, ssl_key"
        ) from error
    return context


def translate(error: Exception, where: str, flavour: Flavour) -> TwinrowError:
    """A driver's error as ours: ConnectionLost, TransactionRetry, Transient or MySQLError."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = without_values(str(error.args[1]) if len(error.args) > 1 else str(error))
    if isinstance(error, pymysql.err.InterfaceError | OSError | ssl.SSLError):
        return lost(text or repr(error), where)
    return meaning(code, text, flavour, where)


_QUOTED_NAME = re.compile("`[^`]*`")


def _doubled_percents(name: re.Match[str]) -> str:
    """A quoted name as the driver's formatting wants it: `%` in a column's name is no place for a parameter."""
    return name[0].replace("%", "%%")


class Connection:
    """A session, used by a single thread at a time; autocommit outside `transaction()`."""

    def __init__(
        self,
        driver: Driver,
        version: ServerVersion,
        place: str,
        local_infile: bool,
        server_clock: ServerClock | None = None,
    ) -> None:
        self._driver = driver
        self.clock = server_clock or ServerClock(place)
        self.version = version
        self.flavour: Flavour = version.flavour
        self.place = place
        self.local_infile = local_infile
        self.id = int(driver.thread_id())  # type: ignore[no-untyped-call]
        self.packet_bytes_max = STATEMENT_BYTES_MAX
        self.page_bytes = 0
        self.in_transaction = False
        self.used_at = clock.monotonic()

    @property
    def encrypted(self) -> bool:
        """Whether the session runs over TLS."""
        return tls_of(self._driver)

    @property
    def remote(self) -> bool:
        """Whether the server is on another host: neither a socket of this machine nor a loopback address."""
        return reach(self._driver) == "network"

    def _run(self, sql: str, args: Sequence[SqlValue]) -> Any:
        cursor = self._driver.cursor()
        self.used_at = clock.monotonic()
        try:
            cursor.execute(_QUOTED_NAME.sub(_doubled_percents, sql) if args else sql, tuple(args) or None)
        except (pymysql.err.Error, OSError) as error:
            translated = translate(error, self.place, self.flavour)
            if isinstance(translated, ConnectionLost):
                self.drop()
            raise translated from error
        return cursor

    def now(self) -> float:
        """The server's time in epoch seconds, by its own clock: for moments that are stored, or compared with such."""
        if clock.boot_time() - self.clock.noted_at > CLOCK_EVERY_S:
            self.read_clock()
        return self.clock.now()

    def read_clock(self) -> None:
        """Ask the server for its time. The session's time zone is UTC, in which no hour comes twice."""
        sent = clock.boot_time()
        server_time = float(self.query("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0])
        self.clock.note(server_time, server_time, sent, clock.boot_time())

    def query(self, sql: str, args: Sequence[SqlValue] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement (`%s` parameters). Raises as `translate` says."""
        return list(self._run(sql, args).fetchall())

    def execute(self, sql: str, args: Sequence[SqlValue] = ()) -> int:
        """Run a statement; the number of affected rows as the server counts them."""
        return int(self._run(sql, args).rowcount)

    def write(self, sql: str) -> tuple[int, int]:
        """Run a finished statement (no parameters); (affected rows, warnings and notes of the server)."""
        cursor = self._run(sql, ())
        return int(cursor.rowcount), int(getattr(cursor._result, "warning_count", 0) or 0)

    def literal(self, value: SqlValue) -> str:
        """A value as an SQL literal, escaped for this session."""
        return str(self._driver.escape(value))

    def load(self, sql: str, data: bytes) -> tuple[int, int]:
        """LOAD DATA LOCAL from `data`; (affected rows, warnings). Raises as `query` does."""
        self._driver.buffer = data
        cursor = self._run(sql, ())
        result = cursor._result
        return int(cursor.rowcount), int(getattr(result, "warning_count", 0) or 0)

    def warnings(self) -> list[tuple[Any, ...]]:
        """The server's notes on the last statement."""
        return self.query("SHOW WARNINGS")

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only transaction in which every statement sees the same moment."""
        self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        self.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        self.in_transaction = True
        try:
            yield self
        finally:
            self._roll_back()
            self.in_transaction = False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """BEGIN … COMMIT; any error rolls back and passes on. ConnectionLost at COMMIT: the outcome is unknown."""
        self.execute("START TRANSACTION")
        self.in_transaction = True
        try:
            yield self
            fail_point("before-commit")
            self.execute("COMMIT")
            fail_point("after-commit")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self.in_transaction = False

    def _roll_back(self) -> None:
        if not self._driver.open:
            return
        try:
            self._driver.rollback()
        except (pymysql.err.Error, OSError):
            self.drop()  # the server rolls back what a lost session left open

    @property
    def open(self) -> bool:
        """Whether the session is still usable as far as this side knows."""
        return bool(self._driver.open)

    def drop(self) -> None:
        """Close without a farewell; never raises."""
        self.abandon(self._driver)

    @staticmethod
    def abandon(driver: Any) -> None:
        """Close a driver's socket without a farewell."""
        driver._force_close()

    close = drop


def _set_one_by_one(connection: Connection, wanted: Sequence[Variable]) -> tuple[Variable, ...]:
    """Set each by itself; those that the server knows.

    A variable that it does not let us set may have its value already.
    """
    known = []
    for variable in wanted:
        try:
            connection.execute(setting([variable]))
        except MySQLError as error:
            if error.code == UNKNOWN_VARIABLE:
                continue
        known.append(variable)
    return tuple(known)


class MySQL:
    """A server and database, from which connections are opened; `pool` has those that tables share."""

    def __init__(
        self, settings: ServerSettings, lease_s: float = 8.0, read_timeout_s: float = READ_TIMEOUT_S,
        sessions_max: int = SESSIONS_MAX,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.pool: Pool[Connection] = Pool(lambda: self.connect(idle_s=lease_s), sessions_max, lease_s)
        self.lease_s = lease_s
        self.read_timeout_s = read_timeout_s
        place = settings.unix_socket or f"{settings.host}:{settings.port}"
        self.place = f"MySQL {place}/{settings.database}"
        self.clock = ServerClock(self.place)
        self.logins = logins_of(settings)

    def take_login(self, settings: ServerSettings) -> None:
        """New sessions log in by these settings, and with their TLS. Raises ValueError for another database."""
        if (settings.host, settings.port, settings.unix_socket, settings.database) != (
            self.settings.host, self.settings.port, self.settings.unix_socket, self.settings.database,
        ):  # fmt: skip
            raise ValueError(f"not {self.place}")
        self.settings, self.logins = settings, logins_of(settings)

    def connect(self, *, idle_s: float | None = None, read_timeout_s: float | None = None) -> Connection:
        """A new session. `idle_s`: the server ends it, and rolls back, after so long without a statement.

        Raises Transient when the server does not answer or has no connection free, or a login cannot be had just now,
        MySQLError with a remedy when it refuses the login, TwinrowError when its TLS is not what `ssl_mode` asks for,
        SessionRefused when the session cannot be set to what the statements rest on.
        """
        settings = self.settings
        context = _tls(settings)
        try:
            driver = self._log_in(context, read_timeout_s or self.read_timeout_s)
        except (pymysql.err.Error, OSError, ssl.SSLError) as error:
            raise self._connect_error(error) from error
        except RuntimeError as error:
            raise TwinrowError(str(error), where=self.place) from error
        if settings.ssl_mode not in ("DISABLED", "PREFERRED") and not tls_of(driver):
            Connection.abandon(driver)
            raise TwinrowError(
                "the server offers no TLS", where=self.place, remedy="set up TLS there, or ssl_mode=PREFERRED"
            )
        connection = Connection(driver, version_of(""), self.place, False, self.clock)
        try:
            self._make_ready(connection, max(1, int(idle_s or IDLE_S_MAX)))
        except UNREADABLE as error:
            connection.drop()
            raise TwinrowError(
                f"its answers cannot be read ({type(error).__name__})", where=self.place,
                remedy="check that host and port in `mysql.url` are a MySQL server's",
            ) from error  # fmt: skip
        except BaseException:
            connection.drop()
            raise
        return connection

    def _make_ready(self, connection: Connection, idle_s: int) -> None:
        """Ask what server this is, then set all that the session's statements rest on and read it back.

        The handshake is not believed: it is sent before `init_connect` runs, and a pooler tells what it likes.
        """
        asked = "SELECT @@max_allowed_packet, @@local_infile, @@innodb_page_size, VERSION()"
        packet, infile, page_bytes, text = connection.query(asked)[0]
        connection.version = version_of(str(text))
        connection.flavour = connection.version.flavour
        connection.packet_bytes_max = int(packet)
        connection.local_infile = bool(infile)
        connection.page_bytes = int(page_bytes)
        wanted = variables(connection.flavour, connection.version.number, idle_s)
        try:
            connection.execute(setting(wanted))
        except MySQLError:
            wanted = _set_one_by_one(connection, wanted)
        check_session(wanted, connection.query(reading(wanted))[0], self.place)
        connection.read_clock()  # another server may stand behind the same name by now, with another clock

    def _log_in(self, context: ssl.SSLContext | None, read_timeout_s: float) -> Driver:
        """A connection; a login that is refused is tried once more with what stands in its place by now."""
        login = self.logins.take()
        try:
            return self._open(login, context, read_timeout_s)
        except pymysql.err.OperationalError as error:
            other = self.logins.instead_of(login) if error.args and error.args[0] in LOGIN_REFUSED else None
            if other is None:
                raise
        return self._open(other, context, read_timeout_s)

    def _open(self, login: Login, context: ssl.SSLContext | None, read_timeout_s: float) -> Driver:
        settings = self.settings
        trust = trust_of(settings, self.place)
        # a port that accepts and says nothing would else hold the caller for as long as a long statement may take
        login_s = max(1.0, min(settings.connect_timeout_s, read_timeout_s))

        def attempt(tls: ssl.SSLContext | None) -> Driver:
            driver = Driver(
                trust=trust,
                host=settings.host, port=settings.port, user=login.user,
                # as text the driver would send it as latin-1; a variable's bytes that are no UTF-8 go as they are
                password=login.password.encode(errors="surrogateescape"),
                database=settings.database, unix_socket=settings.unix_socket, charset="utf8mb4",
                connect_timeout=max(1, int(settings.connect_timeout_s)), read_timeout=login_s,
                write_timeout=login_s, autocommit=True, local_infile=True, conv=_CONV, ssl=tls,
                ssl_disabled=tls is None, program_name="twinrow",
                use_unicode=True, binary_prefix=True, max_allowed_packet=64 * 1024 * 1024,
            )  # fmt: skip
            driver.wait_at_most(read_timeout_s)
            return driver

        try:
            return attempt(context)
        except pymysql.err.OperationalError as error:
            no_tls = error.args and error.args[0] in (2026, 2012)
            if no_tls and settings.ssl_mode == "PREFERRED":
                return attempt(None)
            raise

    def _connect_error(self, error: Exception) -> TwinrowError:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if code in (2026, 2012) or isinstance(error, ssl.SSLError) or "certificate" in str(error):
            return TwinrowError(
                f"TLS to MySQL failed: {error.args[-1]}",
                where=self.place,
                remedy="check ssl_mode and ssl_ca in `mysql.url`",
            )
        if code in (2002, 2003, 2005, 2006, 2013):
            # The driver wraps the system's word in a sentence that says again what `where` says.
            why = getattr(error, "original_exception", None) or error.args[-1]
            return Transient(
                f"MySQL does not answer: {why}", where=self.place,
                remedy="check host and port in `mysql.url`, and that the server runs",
            )  # fmt: skip
        # The server has not said yet which server it is: the numbers that a login ends with mean the same on both.
        return translate(error, self.place, "mariadb" if code in MARIADB_WAIT_CODES else "mysql")
