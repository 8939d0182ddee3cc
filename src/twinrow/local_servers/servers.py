"""Starts and stops the databases of demo and tests: DynamoDB Local, MySQL, MariaDB.

Each server listens on a free port of the loopback interface, keeps its data in a folder of its own, and ends with the
process that started it, however that ends (see `watchdog`). Nothing of the system is used or changed.

    with DynamoDBLocal.start() as source, MySQLServer.start("mysql") as sink:
        print(source.endpoint_url, sink.url("analytics"))
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from twinrow.flavour import Flavour
from twinrow.local_servers.files import dynamodb_command, fresh_data_folder, program
from twinrow.local_servers.process import (
    LOOPBACK,
    PROBE_TIMEOUT_S,
    ReservedPort,
    ServerError,
    ServerProcess,
    answers_http,
)

__all__ = ["DynamoDBLocal", "MySQLServer", "ServerError"]

_HANDSHAKE_VERSION_BYTE: Final = 4
_HANDSHAKE_VERSION: Final = 10


class DynamoDBLocal:
    """Amazon's own DynamoDB engine on this machine. Any credentials do; all regions and accounts share the tables.

    Its endpoint is plain HTTP on `port`. DynamoDB Local has no option for the interface: it listens on all of them.
    """

    def __init__(self, folder: Path | None, *, long_running: bool = False) -> None:
        command = dynamodb_command(long_running=long_running)
        self._port: Final = ReservedPort()
        self.port: Final = self._port.number
        self.endpoint_url: Final = f"http://{LOOPBACK}:{self.port}"
        place = _private_folder("dynamodb") if folder is None else folder
        place.mkdir(parents=True, exist_ok=True)
        storage = ["-inMemory"] if folder is None else ["-dbPath", str(folder)]
        arguments = ["-port", str(self.port), "-sharedDb", "-disableTelemetry", *storage]
        self._process: Final = ServerProcess(
            "DynamoDB Local", [*command, *arguments], place, remove_folder=folder is None
        )

    @classmethod
    def start(cls, folder: Path | None = None, *, long_running: bool = False) -> Self:
        """Starts a server and returns it when it answers (1.2 s here).

        Tables live in memory, or in `folder`, which is made if need be and kept. A server that is `long_running` is
        slower for the first ten thousand requests and faster later (see `dynamodb_command`). Raises ServerError with
        the remedy when Java or DynamoDB Local is missing, or with what the log says when it does not start.
        """
        server = cls(folder, long_running=long_running)
        try:
            server.resume()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def pid(self) -> int | None:
        """The process, None when it does not run."""
        return self._process.pid()

    def resume(self) -> None:
        """Starts the server again on the same port, after `kill`. Raises ServerError."""
        self._process.start(self._answers)

    def restart(self) -> None:
        """Stops and starts it on the same port. Tables in memory are gone after it, those in a folder are there."""
        self._process.terminate()
        self.resume()

    def kill(self) -> None:
        """Ends it at once, as a crash would. `restart` brings it back."""
        self._process.kill()

    def stop(self) -> None:
        """Ends it for good and forgets what was in memory. Twice is once."""
        self._process.close()
        self._port.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        return answers_http(self.port)


class MySQLServer:
    """A MySQL or MariaDB server with an empty data folder, reached over TCP as `root` with `password`.

    Durability is the servers' default (every commit is flushed); the binary log is off.
    """

    host: Final = LOOPBACK

    def __init__(
        self, flavour: Flavour, *, options: Sequence[str], folder: Path | None, password: str, local_infile: bool
    ) -> None:
        self._program: Final = program(flavour)
        self._init_sql: Final = _accounts(password)
        self.flavour: Final = flavour
        self.password: Final = password
        self._port: Final = ReservedPort()
        self.port: Final = self._port.number
        place = _private_folder(flavour) if folder is None else folder
        place.mkdir(parents=True, exist_ok=True)
        self._data: Final = place / "data"
        self._init_file: Final = place / "init.sql"
        command = [
            *self._program.command,
            f"--datadir={self._data}",
            f"--port={self.port}",
            f"--bind-address={LOOPBACK}",
            # Relative to the data folder: a full path may be longer than a socket's name can be.
            "--socket=mysqld.sock",
            f"--pid-file={place / 'server.pid'}",
            f"--init-file={self._init_file}",
            f"--local-infile={int(local_infile)}",
            "--skip-log-bin",
            *options,
        ]
        self._set_up_options: Final = [option for option in options if option.startswith("--innodb-page-size=")]
        name = "MySQL" if flavour == "mysql" else "MariaDB"
        self._process: Final = ServerProcess(name, command, place, remove_folder=folder is None)

    @classmethod
    def start(
        cls,
        flavour: Flavour,
        *,
        options: Sequence[str] = (),
        folder: Path | None = None,
        password: str = "twinrow",  # noqa: S107 - guards nothing: the server is on the loopback interface, its data are made up
        local_infile: bool = True,
    ) -> Self:
        """Starts a server and returns it when it answers (here: MySQL 1.1 s, MariaDB 0.3 s; the first ever, 3 s more).

        `options` are the server's own (`--max-connections=5`). Data live in a temporary folder that goes with the
        server, or in `folder`, which is made if need be, kept, and taken up again by a later start. Raises ServerError
        with the remedy when the server is missing, or with what its log says when it does not start.
        """
        server = cls(flavour, options=options, folder=folder, password=password, local_infile=local_infile)
        try:
            server.prepare()
            server.resume()
        except BaseException:
            # The watchdog is there already: what is half made goes with it.
            server.stop()
            raise
        return server

    def prepare(self) -> None:
        """Makes the data folder, unless an earlier server left it, and the accounts; `start` calls this."""
        self._init_file.write_text(self._init_sql)
        if not self._data.is_dir():
            fresh_data_folder(self._program, self._data, self._set_up_options)

    def url(self, database: str = "", user: str = "root", password: str | None = None) -> str:
        """Returns `mysql://user:password@host:port/database`, each part quoted; the password is root's unless given."""
        secret = self.password if password is None else password
        who, word, what = (quote(part, safe="") for part in (user, secret, database))
        return f"mysql://{who}:{word}@{self.host}:{self.port}/{what}"

    @property
    def pid(self) -> int | None:
        """The process, None when it does not run."""
        return self._process.pid()

    def shut_down(self) -> None:
        """Shuts it down in good order, as its operator would; data and port stay. `resume` brings it back."""
        self._process.terminate()

    def kill(self) -> None:
        """Ends it at once, as a crash would; data and port stay. `resume` brings it back, by way of crash recovery."""
        self._process.kill()

    def resume(self) -> None:
        """Starts it again after `kill` or `shut_down`: same port, same data. Raises ServerError."""
        self._process.start(self._answers)

    def restart(self) -> None:
        """Shuts it down if it runs, and starts it again: same port, same data. Raises ServerError."""
        self._process.terminate()
        self.resume()

    def stop(self) -> None:
        """Ends it for good; data in a given folder are left in good order. Twice is once."""
        if not self._process.removes_folder:
            self._process.terminate()
        self._process.close()
        self._port.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        # The greeting is sent once the server accepts clients, which is after the init file has run.
        try:
            with socket.create_connection((self.host, self.port), timeout=PROBE_TIMEOUT_S) as connection:
                greeting = connection.recv(_HANDSHAKE_VERSION_BYTE + 1, socket.MSG_WAITALL)
        except OSError:
            return False
        return len(greeting) > _HANDSHAKE_VERSION_BYTE and greeting[_HANDSHAKE_VERSION_BYTE] == _HANDSHAKE_VERSION


def _private_folder(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"twinrow-{name}-"))


def _accounts(password: str) -> str:
    """Returns the init file: root, from wherever, with the password. The file knows one statement a line."""
    if "\n" in password or "\0" in password:
        raise ServerError("a password with a line break cannot be set by an init file: choose another")
    secret = password.replace("\\", "\\\\").replace("'", "''")
    return (
        f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{secret}';\n"
        # With skip_name_resolve a client on the loopback interface is 127.0.0.1, not localhost.
        f"CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '{secret}';\n"
        f"ALTER USER 'root'@'%' IDENTIFIED BY '{secret}';\n"
        "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;\n"
    )
